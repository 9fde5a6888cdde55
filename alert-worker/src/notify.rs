//! Sends what waits in the outbox.
//!
//! Each channel has its own few slots, so that one that hangs delays no other. A notification is
//! sent at least once: a worker that is killed between the receiver's answer and its record leaves
//! a row that another sends again, under the same idempotency key. Any number of workers do this
//! side by side; none of them needs to own anything.
//!
//! `run` is started beside the engine and told to look (`wake`) when effects were committed; it
//! looks by itself often enough to find what others left and what the gateway put there.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::now_ms;
use rand::RngExt;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::io::notices::Links;
use crate::io::notify::outbox::{self, CLAIM, Claimed};
use crate::io::notify::smtp::{self, Delivery};
use crate::io::notify::tls::Roots;
use crate::io::notify::{http::Http, secrets};
use crate::io::pages;
use muster_alerts::channel::retry::{self, Failure, Next, REASON_BYTES_MAX};
use muster_alerts::channel::{Definition, Message, Notice, SealKey, Secrets, cut, render};

/// Attempts of one channel at once on one worker. With the 250 channels that an installation may
/// have that is 1000 requests in the worst case, each of some 100 kB.
const IN_FLIGHT_PER_CHANNEL: u32 = 4;

/// How often to look for what nobody told us of. A test that the gateway puts there is sent within
/// this time, and a person waits for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often to put away what nobody will send any more.
const GIVE_UP_EVERY: Duration = Duration::from_secs(60);

/// How long attempts that are under way may take to end when the worker stops. What does not is
/// sent again by another, which is why it is not cut off at once.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Between two attempts to record an outcome.
const RECORD_PAUSE: Duration = Duration::from_secs(1);

/// No attempt is begun later than this after its row was taken: it has to end while it is ours.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);

const _: () = assert!(BEGIN_WITHIN.as_secs() + smtp::TIMEOUT.as_secs() < CLAIM.as_secs());

/// What an operator decides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// For secrets that are stored; without it only those of the environment can be used.
    pub key: Option<SealKey>,
    /// A file of PEM certificates of authorities that are believed beside the system's.
    pub certificates: Option<PathBuf>,
}

/// One look at the pages that wait; answers how many notifications were written of those whose time
/// had come. The service looks whenever something was decided.
pub async fn gather(pool: &Pool) -> Result<u64> {
    Ok(pages::gather_due(pool, &Links::default()).await?.notifications)
}

/// Sends until told to stop.
pub async fn run(
    pool: Pool,
    options: Options,
    wake: Arc<Notify>,
    stop: CancellationToken,
) -> Result<()> {
    let roots = match &options.certificates {
        Some(path) => Roots::read(path)?,
        None => Roots::default(),
    };
    let sender = Sender {
        worker: format!("{:016x}", RandomState::new().hash_one("notify")),
        http: Http::new(&roots)?,
        pool,
        roots,
        key: options.key,
    };
    Loop::new(Arc::new(sender)).run(&wake, &stop).await;
    Ok(())
}

struct Loop {
    sender: Arc<Sender>,
    attempts: JoinSet<()>,
    channels: HashMap<Id, i64>,
    gave_up_at: Option<Instant>,
    is_told: bool,
}

impl Loop {
    fn new(sender: Arc<Sender>) -> Self {
        let (attempts, channels) = (JoinSet::new(), HashMap::new());
        Self { sender, attempts, channels, gave_up_at: None, is_told: false }
    }

    async fn run(mut self, wake: &Notify, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.look().await {
                Ok(()) => self.is_told = false,
                Err(error) if !self.is_told => {
                    warn!("notifications wait in the database: {error:#}");
                    self.is_told = true;
                }
                Err(_) => sleep(LOOK_EVERY).await,
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = wake.notified() => {}
                () = sleep(LOOK_EVERY) => {}
                Some(ended) = self.attempts.join_next_with_id() => self.forget(ended),
            }
        }
        let all = async { while self.attempts.join_next().await.is_some() {} };
        if timeout(STOP_GRACE, all).await.is_err() {
            info!("some notifications were under way; another worker sends them again");
        }
    }

    async fn look(&mut self) -> Result<()> {
        if self.gave_up_at.is_none_or(|at| at.elapsed() >= GIVE_UP_EVERY) {
            let dead = outbox::give_up(&self.sender.pool).await?;
            count("dead", dead);
            self.gave_up_at = Some(Instant::now());
        }
        let mut in_flight: HashMap<i64, u32> = HashMap::new();
        for channel in self.channels.values() {
            *in_flight.entry(*channel).or_default() += 1;
        }
        let Sender { pool, worker, .. } = &*self.sender;
        for claimed in outbox::claim(pool, worker, &in_flight, IN_FLIGHT_PER_CHANNEL).await? {
            let channel = claimed.channel;
            let attempt = self.sender.clone().attempt(claimed);
            let task = self.attempts.spawn(attempt);
            self.channels.insert(task.id(), channel);
        }
        Ok(())
    }

    fn forget(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                warn!("an attempt to send ended badly: {error}");
                error.id()
            }
        };
        self.channels.remove(&id);
    }
}

struct Sender {
    pool: Pool,
    /// Which rows are ours.
    worker: String,
    http: Http,
    roots: Roots,
    key: Option<SealKey>,
}

impl Sender {
    async fn attempt(self: Arc<Self>, claimed: Claimed) {
        if claimed.claimed_at.elapsed() > BEGIN_WITHIN {
            // This process stood still; somebody else has the row, or will have.
            return;
        }
        let outcome = self.send(&claimed).await;
        while let Err(error) = self.record(&claimed, &outcome).await {
            if claimed.claimed_at.elapsed() + RECORD_PAUSE > CLAIM {
                warn!(notification.key = claimed.key, "the outcome was not recorded: {error:#}");
                return;
            }
            sleep(RECORD_PAUSE).await;
        }
    }

    async fn send(&self, claimed: &Claimed) -> Result<Sent, Failure> {
        let broken = |what: &str, why: String| Failure::passing(format!("{what}: {why}"));
        let notice: Notice = serde_json::from_value(claimed.payload.clone()).map_err(|error| {
            Failure::Refused { reason: format!("the notice cannot be read: {error}") }
        })?;
        let definition = Definition::parse(&claimed.definition)
            .map_err(|rejection| broken("the channel cannot be used", rejection.to_string()))?;
        let sealed = claimed.sealed.as_deref();
        let secrets = secrets::reveal(&definition, sealed, self.key.as_ref())?;
        let message = render(&definition, &secrets, &notice, now_ms())
            .map_err(|error| broken("the channel cannot be used", error.to_string()))?;
        let outcome = match message {
            None => Ok(Sent::All),
            Some(Message::Http(request)) => {
                self.http.send(request, &secrets).await.map(|()| Sent::All)
            }
            Some(Message::Mail(mail)) => {
                smtp::send(&mail, &claimed.told_to, &self.roots).await.map(Sent::of)
            }
        };
        match outcome {
            Ok(sent) => Ok(sent.tidy(&secrets)),
            Err(failure) => Err(shown(failure, &secrets)),
        }
    }

    async fn record(&self, claimed: &Claimed, outcome: &Result<Sent, Failure>) -> Result<()> {
        let (failure, told_to) = match outcome {
            Ok(Sent::All) => return self.record_sent(claimed, None).await,
            Ok(Sent::ButTo(refused)) => return self.record_sent(claimed, Some(refused)).await,
            Ok(Sent::OnlyTo(told_to, failure)) => (failure, told_to.as_slice()),
            Err(failure) => (failure, &[][..]),
        };
        let next = next(claimed, failure);
        let fate = (failure.reason(), told_to);
        let recorded = outbox::record_failure(&self.pool, &self.worker, claimed, fate, next);
        if recorded.await? {
            tell(claimed, failure, next);
        }
        if let Some(pause_ms) = failure.channel_pause_ms() {
            outbox::pause_channel(&self.pool, claimed, pause_ms)
                .await
                .context("a receiver asked for a pause")?;
        }
        Ok(())
    }

    async fn record_sent(&self, claimed: &Claimed, refused: Option<&str>) -> Result<()> {
        if outbox::record_sent(&self.pool, &self.worker, claimed, refused).await? {
            count("sent", 1);
            debug!(notification.key = claimed.key, "sent a notification");
            if let Some(refused) = refused {
                warn!(notification.key = claimed.key, "sent, but not to {refused}");
            }
        }
        Ok(())
    }
}

/// What became of a notification that got through, at least to some.
enum Sent {
    All,
    /// The others do not want it: who, and why.
    ButTo(String),
    /// The others may get it later.
    OnlyTo(Vec<String>, Failure),
}

impl Sent {
    fn of(delivery: Delivery) -> Self {
        let Delivery { told, refused, later } = delivery;
        match (refused.is_empty(), later.is_empty()) {
            (true, true) => Self::All,
            (false, true) => Self::ButTo(refused.join("; ")),
            (_, false) => {
                Self::OnlyTo(told, Failure::passing([later, refused].concat().join("; ")))
            }
        }
    }

    fn tidy(self, secrets: &Secrets) -> Self {
        match self {
            Self::All => Self::All,
            Self::ButTo(refused) => Self::ButTo(tidy(&refused, secrets)),
            Self::OnlyTo(told, failure) => Self::OnlyTo(told, shown(failure, secrets)),
        }
    }
}

/// What is shown of an answer: without secrets, and no longer than is kept.
fn tidy(reason: &str, secrets: &Secrets) -> String {
    cut(&secrets.redact(reason).replace(char::is_control, " "), REASON_BYTES_MAX)
}

/// The same failure as it is shown.
fn shown(failure: Failure, secrets: &Secrets) -> Failure {
    let tidy = |reason: String| tidy(&reason, secrets);
    match failure {
        Failure::Passing { reason, retry_after_ms } => {
            Failure::Passing { reason: tidy(reason), retry_after_ms }
        }
        Failure::Refused { reason } => Failure::Refused { reason: tidy(reason) },
    }
}

fn next(claimed: &Claimed, failure: &Failure) -> Next {
    let kind = serde_json::from_value(claimed.payload["kind"].clone());
    let attempts = u32::try_from(claimed.attempts).unwrap_or(u32::MAX);
    let jitter = rand::rng().random_range(0.0..1.0);
    match kind {
        Ok(kind) => retry::next(kind, attempts, claimed.age_ms, failure, jitter),
        Err(_) => Next::GiveUp,
    }
}

fn tell(claimed: &Claimed, failure: &Failure, next: Next) {
    let (key, channel, reason) = (&claimed.key, claimed.channel, failure.reason());
    match next {
        Next::TryAgainAfterMs(pause_ms) => {
            count("failed", 1);
            info!(notification.key = key, channel.id = channel, pause_ms, "not sent yet: {reason}");
        }
        Next::GiveUp => {
            count("dead", 1);
            warn!(notification.key = key, channel.id = channel, "given up: {reason}");
        }
    }
}

fn count(outcome: &'static str, count: u64) {
    metrics::counter!("muster_alert_notifications_total", "outcome" => outcome).increment(count);
}
