//! The stored values of one metric on one host, as a backtest judges them: by the same statements
//! as charts, and the rate of error lines by the lines there are.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_alerts::Selector;
use muster_runtime::time::system_time;
use muster_schemas::HostId;
use muster_schemas::logs::Severity;
use muster_schemas::metrics::{CUSTOM_PREFIX, LOG_ERROR_RATE, Metric, metric};
use std::collections::BTreeMap;
use tokio_postgres::types::Json;

use super::connection;
use super::series::{self, Asked, ROWS_MAX, Series, TooManyRows};
use crate::logic::backtest::{Line, MINUTES_MS, SAMPLES_MS, rates};
use crate::logic::plan::HOUR_MS;
use crate::logic::steps::Range;

/// A range is not cut into parts shorter than this: what has too many values in a minute has too
/// many for us.
const PART_MS_MIN: i64 = 60_000;

pub(crate) type Labels = BTreeMap<String, String>;

/// What a rule is about.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Catalogue(&'static Metric),
    /// Without the prefix.
    Custom(String),
    /// Log lines of severity error or worse, a minute.
    ErrorLines,
}

impl Wanted {
    /// `None` of what no sample holds.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name.strip_prefix(CUSTOM_PREFIX) {
            Some(own) if !own.is_empty() => Some(Self::Custom(own.to_owned())),
            _ if name == LOG_ERROR_RATE => Some(Self::ErrorLines),
            _ => metric(name).map(Self::Catalogue),
        }
    }
}

fn line(series: &Series) -> Line<'_> {
    let Series { instance, points, .. } = series;
    Line { instance: instance.as_deref().unwrap_or_default(), points }
}

/// What was read, and in which steps.
pub(crate) struct Values {
    pub(crate) series: Vec<Series>,
    pub(crate) step_ms: i64,
}

impl Values {
    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        self.series.iter().map(line).collect()
    }

    /// How far apart the values are: buckets by their width, samples by the nearest two.
    pub(crate) fn resolution_ms(&self) -> Option<i64> {
        let pairs = self.series.iter().flat_map(|series| series.points.windows(2));
        let nearest = pairs.map(|pair| pair[1].bucket - pair[0].bucket).min();
        if self.step_ms > SAMPLES_MS && self.count() > 0 { Some(self.step_ms) } else { nearest }
    }

    pub(crate) fn count(&self) -> usize {
        self.series.iter().map(|series| series.points.len()).sum()
    }
}

/// Hosts in the order of their ids: of these, or of all, those that the selector selects.
pub(crate) async fn selected_hosts(
    pool: &Pool,
    selector: &Selector,
    among: Option<&[String]>,
) -> Result<Vec<(HostId, Labels)>> {
    let sql = "
        SELECT id, labels FROM hosts WHERE $1::text[] IS NULL OR id = ANY($1) ORDER BY id";
    let client = connection(pool).await?;
    let rows = client.query(sql, &[&among]).await.context("cannot read the hosts")?;
    let read = |row: &tokio_postgres::Row| {
        let host: HostId = row.get::<_, &str>(0).parse().ok()?;
        let labels: Json<Labels> = row.try_get(1).unwrap_or_else(|_| Json(Labels::new()));
        selector.matches(&host, &labels.0).then_some((host, labels.0))
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// By the hour.
pub(crate) async fn hours(
    pool: &Pool,
    host: &HostId,
    wanted: &Wanted,
    range: Range,
) -> Result<Values> {
    values(pool, host, wanted, range, HOUR_MS, 0).await
}

/// In steps of this length where they are kept, else in those that are. Where there is more than
/// one statement may answer, it is read in parts.
pub(crate) async fn values(
    pool: &Pool,
    host: &HostId,
    wanted: &Wanted,
    range: Range,
    step_ms: i64,
    kept_since: i64,
) -> Result<Values> {
    let mut waiting = vec![range];
    let mut whole = Values { series: Vec::new(), step_ms };
    while let Some(part) = waiting.pop() {
        match read(pool, host, wanted, part, step_ms, kept_since).await {
            Ok(read) => whole.add(read),
            Err(error) if error.is::<TooManyRows>() && part.to - part.from > PART_MS_MIN => {
                let half = halfway(part, step_ms);
                waiting.push(Range { from: half, to: part.to });
                waiting.push(Range { from: part.from, to: half });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(whole)
}

/// On the border of a step, so that no step is read twice.
fn halfway(part: Range, step_ms: i64) -> i64 {
    let half = part.from + (part.to - part.from) / 2;
    let border = half.div_euclid(step_ms) * step_ms;
    if border > part.from { border } else { half }
}

async fn read(
    pool: &Pool,
    host: &HostId,
    wanted: &Wanted,
    range: Range,
    step_ms: i64,
    kept_since: i64,
) -> Result<Values> {
    let (metrics, custom) = match wanted {
        Wanted::Catalogue(metric) => (vec![*metric], Vec::new()),
        Wanted::Custom(name) => (Vec::new(), vec![name.clone()]),
        Wanted::ErrorLines => return error_lines(pool, host, range).await,
    };
    let asked = Asked {
        host: host.as_str(),
        metrics: &metrics,
        custom: &custom,
        range,
        step_ms,
        with_min: true,
        kept_since,
    };
    let answered = series::series(pool, &asked).await?;
    Ok(Values { series: answered.series, step_ms: answered.step_ms })
}

impl Values {
    /// What comes after it.
    fn add(&mut self, later: Self) {
        self.step_ms = self.step_ms.max(later.step_ms);
        for series in later.series {
            let known = self.series.iter_mut().find(|known| known.instance == series.instance);
            match known {
                Some(known) => known.points.extend(series.points),
                None => self.series.push(series),
            }
        }
    }
}

/// Whatever the step that was asked for: by the minute.
async fn error_lines(pool: &Pool, host: &HostId, range: Range) -> Result<Values> {
    let sql = "
        SELECT (extract(epoch FROM date_trunc('minute', ts)) * 1000)::bigint,
               sum(1 + suppressed)::float8
        FROM log_lines
        WHERE host_id = $1 AND ts >= $2 AND ts < $3 AND severity <= $4
        GROUP BY 1
        ORDER BY 1
        LIMIT $5";
    let (from, to) = (system_time(range.from), system_time(range.to));
    let (severity, limit) = (Severity::Error as i16, ROWS_MAX + 1);
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client
        .query(&statement, &[&host.as_str(), &from, &to, &severity, &limit])
        .await
        .with_context(|| format!("cannot count the error lines of host {host}"))?;
    series::not_too_many(&rows)?;
    let counts: Vec<(i64, f64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let (name, unit) = (LOG_ERROR_RATE.to_owned(), String::new());
    let series = Series { name, unit, instance: None, points: rates(range, &counts) };
    Ok(Values { series: vec![series], step_ms: MINUTES_MS })
}
