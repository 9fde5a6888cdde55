//! Reads what a backtest needs and has it judged: hours first, then closely where they say so. What
//! that is, is decided in `logic::backtest`; who is under way at once, by the caller.
//!
//! A rule about single hosts is tested host by host, two of them at a time, each in chunks; one
//! about a group is tested on all of its hosts in one order of time, window by window. So what is
//! held is a chunk of values, and of what was found the episodes that are listed.

use std::time::Instant;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_alerts::RuleDefinition;
use muster_alerts::backtest::{Backtest, Look, Outcome};
use muster_schemas::HostId;

use super::backtest::LISTED_MAX;
use crate::io::from_postgres::backtest::{Labels, Values, Wanted, hours, values};
use crate::logic::backtest::{
    MINUTES_MS, Suspicion, Tally, Teller, chunk_ms, chunks, step_ms, stretches,
};
use crate::logic::plan::HOUR_MS;
use crate::logic::steps::Range;

/// Connections of one backtest.
const READS_AT_ONCE: usize = 2;

/// All hosts of a group together: 200 hosts have 144,000 samples in an hour.
fn window_ms(step_ms: i64) -> i64 {
    if step_ms < MINUTES_MS { HOUR_MS } else { 12 * HOUR_MS }
}

pub(super) type TestedHost = (HostId, Labels);

pub(super) struct Run<'a> {
    pub(super) pool: &'a Pool,
    pub(super) definition: RuleDefinition,
    pub(super) wanted: Wanted,
    pub(super) hosts: Vec<TestedHost>,
    pub(super) range: Range,
    /// What is younger is kept on every level.
    pub(super) kept_since: i64,
    /// No more hosts are looked over after this: what is known of them by then is judged.
    pub(super) overviews_end_at: Instant,
    /// Nothing is read after this.
    pub(super) ends_at: Instant,
}

#[derive(Default)]
pub(super) struct Found {
    /// How far it was tested.
    pub(super) to: i64,
    pub(super) hosts: usize,
    pub(super) samples: usize,
    pub(super) resolution_ms: Option<i64>,
    pub(super) is_partial: bool,
    pub(super) tally: Tally,
}

/// What has to be read closely of a host.
struct Overview {
    instances: usize,
    stretches: Vec<Range>,
    samples: usize,
}

/// What was read of it.
#[derive(Default)]
struct Judged {
    outcome: Option<Outcome>,
    samples: usize,
    resolution_ms: Option<i64>,
}

impl Judged {
    fn count(&mut self, values: &Values) {
        self.samples += values.count();
        self.resolution_ms = self.resolution_ms.max(values.resolution_ms());
    }
}

impl Run<'_> {
    pub(super) async fn find(&self) -> Result<Found> {
        let overviews = self.overviews().await?;
        let close = overviews.iter().flat_map(|overview| {
            overview.stretches.iter().map(|s| (overview.instances, s.to - s.from))
        });
        let step_ms = step_ms(close);
        let mut found = if self.definition.condition.is_group() {
            self.group(&overviews, step_ms).await?
        } else {
            self.each(&overviews, step_ms).await?
        };
        found.samples += overviews.iter().map(|overview| overview.samples).sum::<usize>();
        found.is_partial |= overviews.len() < self.hosts.len();
        Ok(found)
    }

    fn is_late(&self) -> bool {
        Instant::now() >= self.ends_at
    }

    /// Of as many hosts as there is time for.
    async fn overviews(&self) -> Result<Vec<Overview>> {
        let overviews = stream::iter(0..self.hosts.len()).map(|index| self.overview(index));
        let mut overviews = overviews.buffered(READS_AT_ONCE);
        let mut known = Vec::new();
        while let Some(overview) = overviews.try_next().await? {
            let Some(overview) = overview else { break };
            known.push(overview);
        }
        Ok(known)
    }

    async fn overview(&self, index: usize) -> Result<Option<Overview>> {
        if Instant::now() >= self.overviews_end_at {
            return Ok(None);
        }
        let suspicion = Suspicion::of(&self.definition.condition)
            .context("a rule that is about no metric has nothing to test")?;
        if !suspicion.is_by_hours() || matches!(self.wanted, Wanted::ErrorLines) {
            let stretches = vec![self.range];
            return Ok(Some(Overview { instances: 1, stretches, samples: 0 }));
        }
        let hours = hours(self.pool, &self.hosts[index].0, &self.wanted, self.range).await?;
        let lines = hours.lines();
        let stretches = stretches(self.range, suspicion, &lines);
        Ok(Some(Overview { instances: lines.len(), stretches, samples: hours.count() }))
    }

    async fn each(&self, overviews: &[Overview], step_ms: i64) -> Result<Found> {
        let judged = stream::iter(0..overviews.len())
            .map(|index| self.host(index, &overviews[index].stretches, step_ms));
        let mut judged = judged.buffered(READS_AT_ONCE);
        let mut found = Found { to: self.range.to, ..Found::default() };
        while let Some(Judged { outcome, samples, resolution_ms }) = judged.try_next().await? {
            found.samples += samples;
            found.resolution_ms = found.resolution_ms.max(resolution_ms);
            match outcome {
                Some(outcome) => {
                    found.hosts += 1;
                    found.tally.add(outcome, LISTED_MAX);
                }
                None => found.is_partial = true,
            }
        }
        Ok(found)
    }

    /// A host that there was no time for to the end has no outcome.
    async fn host(&self, index: usize, stretches: &[Range], step_ms: i64) -> Result<Judged> {
        let (host, labels) = &self.hosts[index];
        let (mut test, mut teller) = (self.test()?, Teller::default());
        test.host(host, labels.clone());
        let mut judged = Judged::default();
        for part in chunks(stretches, chunk_ms(step_ms)) {
            if self.is_late() {
                return Ok(judged);
            }
            let values = self.values(host, part, step_ms).await?;
            judged.count(&values);
            for look in teller.looks(&values.lines(), values.step_ms) {
                test.look(host, &look);
            }
        }
        judged.outcome = Some(test.finish());
        Ok(judged)
    }

    async fn group(&self, overviews: &[Overview], step_ms: i64) -> Result<Found> {
        let mut test = self.test()?;
        for (host, labels) in &self.hosts[..overviews.len()] {
            test.host(host, labels.clone());
        }
        let mut tellers: Vec<Teller> = overviews.iter().map(|_| Teller::default()).collect();
        let mut found = Found { hosts: overviews.len(), to: self.range.to, ..Found::default() };
        for window in chunks(&[self.range], window_ms(step_ms)) {
            if self.is_late() {
                (found.to, found.is_partial) = (window.from, true);
                break;
            }
            let mut looks: Vec<(i64, usize, Look)> = Vec::new();
            for (index, values) in self.window(overviews, window, step_ms).await? {
                found.samples += values.count();
                found.resolution_ms = found.resolution_ms.max(values.resolution_ms());
                let told = tellers[index].looks(&values.lines(), values.step_ms);
                looks.extend(told.into_iter().map(|look| (look.at, index, look)));
            }
            looks.sort_by_key(|(at, index, _)| (*at, *index));
            for (_, index, look) in &looks {
                test.look(&self.hosts[*index].0, look);
            }
        }
        found.tally.add(test.finish(), LISTED_MAX);
        Ok(found)
    }

    /// What has to be read closely in a window, by host and in order of time.
    async fn window(
        &self,
        overviews: &[Overview],
        window: Range,
        step_ms: i64,
    ) -> Result<Vec<(usize, Values)>> {
        let inside = |stretch: &Range| {
            let (from, to) = (stretch.from.max(window.from), stretch.to.min(window.to));
            (from < to).then_some(Range { from, to })
        };
        let parts: Vec<(usize, Range)> = overviews
            .iter()
            .enumerate()
            .flat_map(|(index, overview)| {
                overview.stretches.iter().filter_map(inside).map(move |part| (index, part))
            })
            .collect();
        let read = stream::iter(parts).map(|(index, part)| async move {
            let host = &self.hosts[index].0;
            anyhow::Ok((index, self.values(host, part, step_ms).await?))
        });
        read.buffered(READS_AT_ONCE).try_collect().await
    }

    fn test(&self) -> Result<Backtest> {
        Ok(Backtest::new(&self.definition)?)
    }

    async fn values(&self, host: &HostId, part: Range, step_ms: i64) -> Result<Values> {
        values(self.pool, host, &self.wanted, part, step_ms, self.kept_since).await
    }
}
