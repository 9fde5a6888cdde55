//! The repair loop: what is missing is found, asked for again, and in the end repaired or lost.
//!
//! All of its state is in the database (`gaps`, `ledger.lost`). Every worker runs it; the survey
//! is one worker's at a time, and a gap belongs to whoever has claimed it.

mod ask;
mod claim;
mod survey;
mod thin;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use async_nats::jetstream::Context;
use deadpool_postgres::Pool;
use futures::{StreamExt, stream};
use muster_nats::ConsumerName;
use muster_nats::progress::{StreamProgress, stream_progress};
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::{Channel, HostId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::ask::{Outcome, ask};
use self::claim::Claim;
use crate::logic::repair::pause_ms;

/// Hosts that are asked at the same time: a fleet that lost a whole stream is repaired in minutes,
/// and the streams are not flooded.
const HOSTS_AT_ONCE: usize = 8;

/// How often to look, at the most: the whole ledger is read for it.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(10);

/// How long a worker works at what it has claimed. Together with the longest attempt, four answers
/// of 5 s, it ends before the claim does.
const ASKING_MAX: Duration = Duration::from_secs(30);

/// A host that does not answer is tried again after so many times the first pause.
const AWAY_PAUSES: i64 = 2;

/// Marks are thinned so often; what is missed in between comes with the next.
const THIN_EVERY: Duration = Duration::from_secs(12 * 3600);

pub struct Repair {
    pub pool: Pool,
    pub bus: Context,
    /// From when a gap was found until it is asked for: most are closed by what was merely late.
    pub after: Duration,
}

impl Repair {
    pub async fn run(self, stop: CancellationToken) {
        let mut is_ill = false;
        let mut thinned: Option<Instant> = None;
        while !stop.is_cancelled() {
            let every = (self.after / 2).clamp(Duration::from_millis(200), LOOK_EVERY_MAX);
            let pass = async {
                let mut result = self.pass().await;
                if result.is_ok() && thinned.is_none_or(|at| at.elapsed() >= THIN_EVERY) {
                    thinned = Some(Instant::now());
                    result = thin::thin_marks(&self.pool, now_ms()).await.map(drop);
                }
                sleep(every).await;
                result
            };
            tokio::select! {
                result = pass => is_ill = tell(result, is_ill),
                () = stop.cancelled() => {}
            }
        }
    }

    async fn pass(&self) -> Result<()> {
        let at = claim::time(&self.pool).await?;
        let progress = self.progress().await?;
        let surveyed = survey::survey(&self.pool, &progress, self.first_ms()).await?;
        if let Some(surveyed) = surveyed {
            if surveyed.repaired > 0 {
                info!("{} missing messages are here now", surveyed.repaired);
            }
            metrics::counter!("muster_ledger_repaired_total")
                .increment(surveyed.repaired.unsigned_abs());
            debug!(gaps = surveyed.found, "looked for gaps");
        }
        // However much there is to ask for, the ledger is looked at in between.
        let until = Instant::now() + LOOK_EVERY_MAX;
        while Instant::now() < until {
            let claims = claim::claim(&self.pool, &progress, at, surveyed.is_some()).await?;
            if claims.is_empty() {
                break;
            }
            self.ask_all(claims).await?;
        }
        let (gaps, messages) = survey::open_gaps(&self.pool).await?;
        metrics::gauge!("muster_ledger_gaps_open").set(gaps as f64);
        metrics::gauge!("muster_ledger_messages_missing").set(messages as f64);
        Ok(())
    }

    fn first_ms(&self) -> i64 {
        duration_ms(self.after)
    }

    async fn progress(&self) -> Result<BTreeMap<Channel, StreamProgress>> {
        let mut progress = BTreeMap::new();
        for (channel, consumer) in [
            (Channel::Telemetry, ConsumerName::IngestTelemetry),
            (Channel::Logs, ConsumerName::IngestLogs),
            (Channel::Signals, ConsumerName::IngestSignals),
            (Channel::Inventory, ConsumerName::IngestInventory),
        ] {
            progress.insert(channel, stream_progress(&self.bus, consumer).await?);
        }
        Ok(progress)
    }

    async fn ask_all(&self, claims: Vec<Claim>) -> Result<()> {
        let deadline = Instant::now() + ASKING_MAX;
        let mut by_host: BTreeMap<HostId, Vec<Claim>> = BTreeMap::new();
        for claim in claims {
            by_host.entry(claim.host.clone()).or_default().push(claim);
        }
        let asked = by_host.into_values().map(|claims| self.ask_host(claims, deadline));
        // One by one: what comes of it needs a connection of those the batches use.
        let mut outcomes = stream::iter(asked).buffer_unordered(HOSTS_AT_ONCE);
        while let Some(outcomes) = outcomes.next().await {
            for (gap, outcome) in outcomes {
                self.conclude(&gap, outcome).await?;
            }
        }
        Ok(())
    }

    /// One gap after the other; a host that is away is not asked for the rest. What is left at the
    /// deadline is anybody's when its claim ends.
    async fn ask_host(&self, claims: Vec<Claim>, deadline: Instant) -> Vec<(Claim, Outcome)> {
        let mut outcomes: Vec<(Claim, Outcome)> = Vec::new();
        for gap in claims {
            if Instant::now() >= deadline {
                break;
            }
            let is_away = outcomes.last().is_some_and(|(_, last)| matches!(last, Outcome::Away));
            let outcome =
                if is_away { Outcome::Away } else { ask(&self.bus.client(), &gap, deadline).await };
            outcomes.push((gap, outcome));
        }
        outcomes
    }

    async fn conclude(&self, gap: &Claim, outcome: Outcome) -> Result<()> {
        let first = self.first_ms();
        let failures = u32::try_from(gap.failures).unwrap_or(0);
        match outcome {
            Outcome::Away => {
                let pause = pause_ms(first * AWAY_PAUSES, 0, rand::random());
                gap.put_off(&self.pool, pause, gap.failures).await
            }
            Outcome::Refused(reason) => {
                debug!(host.id = %gap.host, reason, "{} does not send again: {reason}", gap.host);
                let pause = pause_ms(first, failures, rand::random());
                gap.put_off(&self.pool, pause, gap.failures + 1).await
            }
            Outcome::Answered(verdict) => {
                // Where all that was asked for is lost, there is nothing to wait for.
                let goes_on = verdict.coming == 0 && !verdict.lost.is_empty();
                let pause = if goes_on { 0 } else { pause_ms(first, failures, rand::random()) };
                let lost = gap.settle(&self.pool, &verdict, pause).await?;
                if lost > 0 {
                    let (host, channel) = (&gap.host, gap.channel);
                    warn!(host.id = %host, %channel, "{lost} messages of {channel} of {host} are lost");
                }
                metrics::counter!("muster_ledger_lost_total").increment(lost.unsigned_abs());
                Ok(())
            }
        }
    }
}

/// Says once that repair does not work, and once that it does again; answers whether it is ill.
fn tell(result: Result<()>, was_ill: bool) -> bool {
    let is_ill = result.is_err();
    match result {
        Ok(()) if was_ill => info!("gaps are looked for again"),
        Ok(()) => {}
        Err(error) if was_ill => debug!("gaps are still not looked for: {error:#}"),
        Err(error) => warn!("gaps are not looked for, trying on: {error:#}"),
    }
    is_ill
}
