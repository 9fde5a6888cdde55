//! What a draft of a rule would have done: asked for and answered here, found out by
//! `backtest_run`.

use std::time::{Duration, Instant};

use axum::Json as Answer;
use axum::extract::State;
use muster_alerts::backtest::{EPISODES_MAX, Episode};
use muster_alerts::{RuleDefinition, Selector};
use muster_runtime::now_ms;
use muster_schemas::HostId;
use muster_schemas::retention::{DAY_MS, horizon};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::backtest_run::{Run, TestedHost};
use super::body::Named;
use super::extract::Operator;
use super::{App, Gateway, Problem, ProblemBody};
use crate::io::from_postgres::backtest::{Wanted, selected_hosts};
use crate::logic::alerts::bad;
use crate::logic::backtest::MINUTES_MS;
use crate::logic::rules::read;
use crate::logic::settings::BadSettings;
use crate::logic::steps::Range;

/// Backtests at once on one gateway: each has two of its ten database connections at work.
pub(crate) const AT_ONCE: usize = 2;

/// When to ask again, where so many are under way.
const RETRY_AFTER_S: i64 = 10;

/// Nothing is read after this; what was found until then is answered. Less than a request may take
/// by as much as the reading that is under way then may need.
const TIME_MAX: Duration = Duration::from_secs(18);

/// Of that, what looking over hosts by the hour may take: the rest is for judging them.
const OVERVIEWS_MAX: Duration = Duration::from_secs(6);

/// How far back it goes where nothing was asked for.
const RANGE_MS: i64 = 30 * DAY_MS;

/// As long as minutes are kept, and a little more.
const RANGE_MS_MAX: i64 = 92 * DAY_MS;

/// Hosts that are tested: what fits in the time there is.
const HOSTS_MAX: usize = 200;

/// Whatever the rules of retention say, they keep the day before today.
const KEPT_DAYS_MIN: i64 = 1;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    /// As of a rule; whether it is enabled does not matter.
    #[schema(value_type = Object)]
    definition: Value,
    /// 30 days before `to` if absent; at most 92 days.
    from: Option<i64>,
    /// Exclusive; now if absent.
    to: Option<i64>,
    /// Only these, as far as the selector selects them; 200 at most. The first 200 that it selects
    /// if absent.
    hosts: Option<Vec<String>>,
}

/// What the rule would have done. Times are milliseconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
pub(super) struct Backtested {
    from: i64,
    /// Earlier than asked for where a rule about a group of hosts could not be tested to the end.
    to: i64,
    /// That were tested.
    hosts: usize,
    hosts_selected: usize,
    /// Values that were read. Where buckets of an hour say that no value came near the limit, they
    /// are read instead of the values.
    samples: usize,
    /// Of the coarsest values that were judged one by one: the interval of the samples, 60 where
    /// only buckets of a minute are kept or there was too much to read (and for the rate of error
    /// lines), 3600 where only hours are
    /// kept. Null where no value came near the limit.
    resolution_s: Option<i64>,
    /// There was no time for the rest of the hosts, or of the range.
    is_partial: bool,
    /// The first 1000 by the time at which they fire.
    episodes: Vec<FoundEpisode>,
    /// Of all, also of those that are not listed.
    episodes_total: usize,
    /// How often somebody would have been told that it began.
    pages: usize,
    duration_ms: u64,
}

#[derive(Serialize, ToSchema)]
struct FoundEpisode {
    /// Null for a group of hosts.
    host: Option<String>,
    instance: String,
    /// When the breach began.
    from: i64,
    /// When it had lasted for long enough.
    fires_at: i64,
    /// Null where it goes on at the end of the samples.
    to: Option<i64>,
    /// The value farthest beyond the limit; of a group its largest share.
    peak: f64,
    /// Null where it only flapped.
    would_page_at: Option<i64>,
    title: String,
}

impl From<Episode> for FoundEpisode {
    fn from(episode: Episode) -> Self {
        Self {
            host: episode.host.map(String::from),
            instance: episode.instance,
            from: episode.from,
            fires_at: episode.fires_at,
            to: episode.to,
            peak: episode.peak,
            would_page_at: episode.pages_at,
            title: episode.title,
        }
    }
}

/// Test a draft of a rule on stored samples, with the code that judges and decides; nothing is
/// stored and nobody is told. Operators only.
#[utoipa::path(
    post, path = "/rules/backtest", tag = "alerts", request_body = Draft,
    responses((status = 200, body = Backtested), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody),
              (status = 413, body = ProblemBody),
              (status = 422, description = "`field` says which one is wrong", body = ProblemBody),
              (status = 429, description = "Others are under way; see `Retry-After`",
               body = ProblemBody))
)]
pub(super) async fn run(
    State(gateway): State<App>,
    Operator(_): Operator,
    Named(draft): Named<Draft>,
) -> Result<Answer<Backtested>, Problem> {
    let (begun, now) = (Instant::now(), now_ms());
    let range = read_range(draft.from, draft.to, now)?;
    let definition = read(draft.definition)?;
    let asked = checked_hosts(draft.hosts)?;
    let Some(wanted) = Wanted::of(definition.condition.metric()) else {
        return Err(without_samples(&definition).into());
    };
    let Ok(_turn) = gateway.backtests.try_acquire() else {
        let detail = format!("{AT_ONCE} backtests are under way: try again in a moment");
        return Err(Problem::too_many(detail, RETRY_AFTER_S));
    };
    let mut hosts = hosts(&gateway, &definition, asked).await?;
    let hosts_selected = hosts.len();
    hosts.truncate(HOSTS_MAX);
    let run = Run {
        pool: &gateway.pool,
        definition,
        wanted,
        hosts,
        range,
        kept_since: horizon(now, KEPT_DAYS_MIN),
        overviews_end_at: begun + OVERVIEWS_MAX,
        ends_at: begun + TIME_MAX,
    };
    let found = run.find().await?;
    Ok(Answer(Backtested {
        from: range.from,
        to: found.to,
        hosts: found.hosts,
        hosts_selected,
        samples: found.samples,
        resolution_s: found.resolution_ms.map(|ms| (ms / 1_000).max(1)),
        is_partial: found.is_partial,
        episodes_total: found.tally.total,
        pages: found.tally.pages,
        episodes: found.tally.episodes.into_iter().map(FoundEpisode::from).collect(),
        duration_ms: begun.elapsed().as_millis() as u64,
    }))
}

/// Episodes that are listed.
pub(super) const LISTED_MAX: usize = EPISODES_MAX;

fn read_range(from: Option<i64>, to: Option<i64>, now: i64) -> Result<Range, BadSettings> {
    let to = to.unwrap_or(now).min(now);
    let from = from.unwrap_or(to.saturating_sub(RANGE_MS));
    if from < 0 || from >= to {
        return Err(bad("from", format!("it is {from}, which is not before the end, {to}")));
    }
    if to - from > RANGE_MS_MAX {
        let days = RANGE_MS_MAX / DAY_MS;
        return Err(bad("from", format!("it is more than {days} days before the end")));
    }
    // On the border of a minute, as all parts of it then are: no minute is counted in two of them.
    Ok(Range { from: from.div_euclid(MINUTES_MS) * MINUTES_MS, to })
}

/// Offline hosts and the clock's offset.
fn without_samples(definition: &RuleDefinition) -> BadSettings {
    let metric = definition.condition.metric();
    bad("condition.metric", format!("no samples of {metric} are stored, so it cannot be tested"))
}

fn checked_hosts(asked: Option<Vec<String>>) -> Result<Option<Vec<String>>, BadSettings> {
    let Some(asked) = asked else { return Ok(None) };
    if asked.len() > HOSTS_MAX {
        return Err(bad("hosts", format!("it has more than {HOSTS_MAX} hosts")));
    }
    let wrong = asked.iter().position(|name| name.parse::<HostId>().is_err());
    match wrong {
        Some(index) => Err(bad(&format!("hosts[{index}]"), "it is no id of a host")),
        None => Ok(Some(asked)),
    }
}

async fn hosts(
    gateway: &Gateway,
    definition: &RuleDefinition,
    asked: Option<Vec<String>>,
) -> Result<Vec<TestedHost>, Problem> {
    let selector = Selector::parse(&definition.selector)
        .map_err(|invalid| bad("selector", invalid.to_string()))?;
    Ok(selected_hosts(&gateway.pool, &selector, asked.as_deref()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_now_and_goes_back_as_far_as_minutes_are_kept() {
        let now = 1_795_248_000_000;
        let day = |days: i64| now - days * DAY_MS;
        assert_eq!(read_range(None, None, now), Ok(Range { from: day(30), to: now }));
        assert_eq!(
            read_range(None, Some(now + 5), now).map(|range| range.to),
            Ok(now),
            "the future has no samples"
        );
        assert!(read_range(Some(day(92)), None, now).is_ok());
        for (from, to) in [(day(93), now), (now, now), (-1, DAY_MS), (i64::MAX, now)] {
            let bad = read_range(Some(from), Some(to), now).unwrap_err();
            assert_eq!(bad.field.as_deref(), Some("from"), "{from}");
        }
        let never = read_range(None, Some(i64::MIN), now).unwrap_err();
        assert_eq!(never.field.as_deref(), Some("from"));
    }

    #[test]
    fn hosts_are_named_by_what_can_be_an_id() {
        let asked = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(checked_hosts(Some(asked(&["web-1"]))).unwrap(), Some(asked(&["web-1"])));
        assert_eq!(checked_hosts(None).unwrap(), None);
        let many: Vec<&str> = vec!["a"; 201];
        for (names, field) in
            [(&["web-1", "a\0"][..], "hosts[1]"), (&["*"], "hosts[0]"), (&many, "hosts")]
        {
            let bad = checked_hosts(Some(asked(names))).unwrap_err();
            assert_eq!(bad.field.as_deref(), Some(field));
        }
    }
}
