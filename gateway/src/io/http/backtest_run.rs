//! Reads what a backtest needs and has it judged: hours first, then closely where they say so. What
//! that is, is decided in `logic::backtest`; who is under way at once, by the caller.
//!
//! A rule about single hosts is tested host by host, two of them at a time, each in chunks; one
//! about a group is tested on all of its hosts in one order of time, window by window, which are as
//! long as what is held at once allows. So what is held is a chunk of values, and of what was found
//! the episodes that are listed. Judging is left to `backtest_judge`.

use std::time::Instant;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_alerts::RuleDefinition;
use muster_alerts::backtest::Outcome;
use muster_schemas::HostId;

use super::backtest::LISTED_MAX;
use super::backtest_judge::Judge;
use crate::io::from_postgres::backtest::{Labels, Values, Wanted, hours, values};
use crate::logic::backtest::{
    Suspicion, Tally, VALUES_MAX, chunk_ms, chunks, shorter, step_ms, stretches,
};
use crate::logic::steps::Range;

/// Connections of one backtest.
const READS_AT_ONCE: usize = 2;

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

/// Of all hosts of a group at once.
enum Window {
    /// By host and in order of time.
    Read(Vec<(usize, Values)>),
    /// Shorter ones have to be read: of this length.
    TooMuch(i64),
    NoTime,
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
            .map(|index| self.host(index, &overviews[index], step_ms));
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
    async fn host(&self, index: usize, overview: &Overview, step_ms: i64) -> Result<Judged> {
        let mut judge = Judge::new(&self.definition, &self.hosts[index..=index])?;
        let mut judged = Judged::default();
        for part in chunks(&overview.stretches, chunk_ms(step_ms, overview.instances)) {
            if self.is_late() {
                return Ok(judged);
            }
            let values = self.values(&self.hosts[index].0, part, step_ms).await?;
            judged.count(&values);
            judge = judge.judged(vec![(0, values)]).await?;
        }
        judged.outcome = Some(judge.finish());
        Ok(judged)
    }

    async fn group(&self, overviews: &[Overview], step_ms: i64) -> Result<Found> {
        let mut judge = Judge::new(&self.definition, &self.hosts[..overviews.len()])?;
        let mut found = Found { hosts: overviews.len(), to: self.range.to, ..Found::default() };
        let instances = overviews.iter().map(|overview| overview.instances).sum();
        let mut window_ms = chunk_ms(step_ms, instances);
        let mut from = self.range.from;
        while from < self.range.to {
            let window = Range { from, to: (from + window_ms).min(self.range.to) };
            match self.window(overviews, window, step_ms).await? {
                Window::Read(values) => {
                    for (_, values) in &values {
                        found.samples += values.count();
                        found.resolution_ms = found.resolution_ms.max(values.resolution_ms());
                    }
                    judge = judge.judged(values).await?;
                    from = window.to;
                }
                Window::TooMuch(half) => window_ms = half,
                Window::NoTime => {
                    (found.to, found.is_partial) = (from, true);
                    break;
                }
            }
        }
        found.tally.add(judge.finish(), LISTED_MAX);
        Ok(found)
    }

    /// What has to be read closely in a window, of all hosts.
    async fn window(&self, overviews: &[Overview], window: Range, step_ms: i64) -> Result<Window> {
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
        let reads = stream::iter(parts).map(|(index, part)| async move {
            if self.is_late() {
                return anyhow::Ok(None);
            }
            let host = &self.hosts[index].0;
            Ok(Some((index, self.values(host, part, step_ms).await?)))
        });
        let mut reads = reads.buffered(READS_AT_ONCE);
        let (mut held, mut count) = (Vec::new(), 0);
        while let Some(read) = reads.try_next().await? {
            let Some((index, values)) = read else { return Ok(Window::NoTime) };
            count += values.count();
            held.push((index, values));
            // There are more instances than the hours told of, or samples are taken more often.
            if let Some(half) = shorter(window.to - window.from).filter(|_| count > VALUES_MAX) {
                return Ok(Window::TooMuch(half));
            }
        }
        Ok(Window::Read(held))
    }

    async fn values(&self, host: &HostId, part: Range, step_ms: i64) -> Result<Values> {
        values(self.pool, host, &self.wanted, part, step_ms, self.kept_since).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_runtime::database::pool;
    use serde_json::json;

    use super::*;

    /// Of error lines, which nothing is known of before they are read: two hosts that are looked
    /// over in time and not read in time.
    async fn out_of_time(condition: serde_json::Value) -> Found {
        let definition = json!({
            "name": "a", "title": "a", "priority": "low", "condition": condition,
        });
        let pool = pool("postgres://nobody@127.0.0.1:1/none", "test", 1).unwrap();
        let hosts = ["web-1", "web-2"].map(|id| (id.parse().unwrap(), Labels::new()));
        let run = Run {
            pool: &pool,
            definition: serde_json::from_value(definition).unwrap(),
            wanted: Wanted::ErrorLines,
            hosts: hosts.into(),
            range: Range { from: 60_000, to: 3_600_000 },
            kept_since: 0,
            overviews_end_at: Instant::now() + Duration::from_secs(600),
            ends_at: Instant::now(),
        };
        run.find().await.unwrap()
    }

    #[tokio::test]
    async fn what_there_was_no_time_for_is_said_to_be_left_out() {
        let metric = "logs.error_lines_per_min";
        let one = json!({ "kind": "metric", "metric": metric, "op": "above", "threshold": 9 });
        let found = out_of_time(one).await;
        assert_eq!((found.is_partial, found.hosts, found.to), (true, 0, 3_600_000));
        let group = json!({ "kind": "group", "metric": metric, "op": "above", "threshold": 9,
                            "share_percent": 20 });
        let found = out_of_time(group).await;
        assert_eq!((found.is_partial, found.hosts, found.to), (true, 2, 60_000));
    }
}
