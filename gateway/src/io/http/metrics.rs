//! Metrics: the catalogue, and a host's history as JSON or CSV.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use muster_runtime::now_ms;
use muster_runtime::time::system_time;
use muster_schemas::metrics::{CUSTOM_PREFIX, METRICS, Metric, metric};
use muster_schemas::retention::horizon;
use muster_schemas::telemetry::NAME_BYTES_MAX;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::Query;
use super::hosts::{host_id, known_host};
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::custom;
use crate::io::from_postgres::series::{self, Answered, Asked, Series, TooManyRows};
use crate::logic::csv::{Column, csv};
use crate::logic::steps::{Range, VALUES_MAX, fill, is_too_large, step_ms, timestamps};

/// What is shown where nothing was asked for.
const RANGE_MS: i64 = 3_600_000;

/// Whatever the rules of retention say, they keep the day before today.
const KEPT_DAYS_MIN: i64 = 1;

/// Within this time a metric of a script must have had a value to be listed.
const CUSTOM_SINCE_MS: i64 = 86_400_000;

/// Metrics of scripts in one answer: more than a page has room for. Those of the catalogue are
/// bounded by it.
const CUSTOM_NAMES_MAX: usize = 200;

/// The end of the year 9999: later is not a time but a mistake.
pub(super) const TIME_MS_MAX: i64 = 253_402_300_799_000;

#[derive(Serialize, ToSchema)]
pub(super) struct Catalogue {
    items: Vec<CatalogueItem>,
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct CatalogueItem {
    name: String,
    unit: String,
    /// One series per filesystem, interface, core, ... instead of one.
    per_instance: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricsQuery {
    /// Milliseconds since the Unix epoch or RFC 3339; an hour before `to` if absent.
    from: Option<String>,
    /// As `from`, exclusive; now if absent.
    to: Option<String>,
    /// Seconds; chosen for about 300 points if absent. Where the beginning of the range is kept
    /// only as buckets of a minute or an hour, the whole range is answered in steps of at least
    /// that; `step_ms` and `source` of the answer say so.
    step: Option<i64>,
    /// Separated by commas, see `/api/v1/metrics`; all that have one series if absent. What a
    /// host's own scripts measure is `custom.<name>`, see `/api/v1/metrics?host=<id>`; at most 200
    /// of these.
    names: Option<String>,
    /// Of `avg`, `min` and `max`, separated by commas; `avg,max` if absent.
    stats: Option<String>,
    /// `json` or `csv`; as the header `Accept` says if absent.
    format: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct History {
    host: String,
    from: i64,
    to: i64,
    /// The step of the answer: what was asked for, or 60 or 3600 s where nothing finer is kept of
    /// the beginning of the range.
    step_ms: i64,
    /// What it was made of: `raw` samples, or buckets of a minute, `1m`, or an hour, `1h`, and
    /// samples of what is not rolled up yet. Steps of less than a minute are `raw`, of which only
    /// the last weeks are kept, of less than an hour `1m`, which are kept for some months, and of
    /// whole hours `1h`.
    ///
    /// Where that does not reach back to the beginning of the range but something coarser does, the
    /// coarser one answers, for all of the range: a range that straddles the end of what is kept
    /// has one step and no hole. Cores have no `1m`: beside other metrics they have no values where
    /// samples are gone, asked for alone they are answered by the hour.
    source: &'static str,
    /// The start of each step, without gaps.
    timestamps: Vec<i64>,
    series: Vec<HistorySeries>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct HistorySeries {
    name: String,
    instance: Option<String>,
    unit: String,
    /// The mean of each step; null where there was no sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Option<f64>>>,
    /// The minimum of each step, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Vec<Option<f64>>>,
    /// The maximum of each step.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Vec<Option<f64>>>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CatalogueQuery {
    /// Adds what this host's own scripts and endpoints measured within a day.
    host: Option<String>,
}

/// Which metrics there are.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics", params(CatalogueQuery),
    responses((status = 200, body = Catalogue), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn catalogue(
    State(gateway): State<App>,
    Query(query): Query<CatalogueQuery>,
) -> Result<Answer<Catalogue>, Problem> {
    let item = |metric: &Metric| CatalogueItem {
        name: metric.name.to_owned(),
        unit: metric.unit.as_str().to_owned(),
        per_instance: metric.per_instance,
    };
    let mut items: Vec<CatalogueItem> = METRICS.iter().map(item).collect();
    if let Some(host) = query.host.filter(|host| !host.is_empty()) {
        let host = known_host(&gateway, &host).await?;
        let since = system_time(now_ms() - CUSTOM_SINCE_MS);
        let own = custom::metrics(&gateway.pool, host.as_str(), since).await?;
        items.extend(own.into_iter().map(|metric| CatalogueItem {
            name: format!("{CUSTOM_PREFIX}{}", metric.name),
            unit: metric.unit,
            per_instance: metric.has_instances,
        }));
    }
    Ok(Answer(Catalogue { items, next: None }))
}

/// A host's metrics over time: mean, minimum and maximum of each step.
///
/// As CSV: a line for each step, its start as RFC 3339 in the column `time`, and a column for each
/// series and statistic.
#[utoipa::path(
    get, path = "/hosts/{id}/metrics", tag = "metrics",
    params(("id" = String, Path, description = "Host id"), MetricsQuery),
    responses(
        (status = 200, content((History = "application/json"), (String = "text/csv"))),
        (status = 401, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)
    )
)]
pub(super) async fn history(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<MetricsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let now = now_ms();
    let range = read_range(&query, now)?;
    let wanted = read_names(query.names.as_deref())?;
    let stats = read_stats(query.stats.as_deref())?;
    let as_csv = wants_csv(query.format.as_deref(), &headers)?;
    let host = host_id(&id)?;
    let finest_ms = match query.step {
        Some(_) => None,
        None => series::finest_ms(&gateway.pool, host.as_str(), range).await?,
    };
    let step_ms = step_ms(range, query.step, finest_ms)
        .map_err(|error| Problem::unprocessable(error.to_string()))?;
    let asked = Asked {
        host: host.as_str(),
        metrics: &wanted.metrics,
        custom: &wanted.custom,
        range,
        step_ms,
        with_min: stats.min,
        kept_since: horizon(now, KEPT_DAYS_MIN),
    };
    let answered = series::series(&gateway.pool, &asked).await;
    let Answered { level, step_ms, series } =
        answered.map_err(|failure| match failure.downcast::<TooManyRows>() {
            Ok(many) => {
                Problem::unprocessable(format!("{many}: ask for fewer names or a larger step"))
            }
            Err(failure) => failure.into(),
        })?;
    // Whoever has points is known.
    if series.iter().all(|series| series.points.is_empty()) {
        known_host(&gateway, &id).await?;
    }
    let timestamps = timestamps(range, step_ms);
    if is_too_large(series.len(), timestamps.len()) {
        return Err(Problem::unprocessable(format!(
            "{} series of {} steps are more than {VALUES_MAX} values: ask for fewer names, a \
             shorter range or a larger step",
            series.len(),
            timestamps.len()
        )));
    }
    let series = series.into_iter().map(|series| stats.of(series, &timestamps)).collect();
    let (from, to) = (range.from, range.to);
    let (host, source) = (host.into(), level.as_str());
    let history = History { host, from, to, step_ms, source, timestamps, series };
    Ok(if as_csv { history.into_csv() } else { Answer(history).into_response() })
}

impl History {
    fn into_csv(self) -> Response {
        let mut columns: Vec<Column<'_>> = Vec::new();
        for series in &self.series {
            let name = match &series.instance {
                Some(instance) => format!("{}{{{instance}}}", series.name),
                None => series.name.clone(),
            };
            let stats = [("avg", &series.values), ("min", &series.min), ("max", &series.max)];
            for (stat, values) in stats {
                if let Some(values) = values {
                    columns.push(Column { title: format!("{name} {stat}"), values });
                }
            }
        }
        let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
        (headers, csv(&self.timestamps, &columns)).into_response()
    }
}

/// What is told of each step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stats {
    avg: bool,
    min: bool,
    max: bool,
}

impl Stats {
    fn of(self, series: Series, timestamps: &[i64]) -> HistorySeries {
        let points = &series.points;
        HistorySeries {
            values: self.avg.then(|| fill(timestamps, points, |point| Some(point.mean))),
            min: self.min.then(|| fill(timestamps, points, |point| point.min)),
            max: self.max.then(|| fill(timestamps, points, |point| Some(point.max))),
            name: series.name,
            instance: series.instance,
            unit: series.unit,
        }
    }
}

fn read_stats(stats: Option<&str>) -> Result<Stats, Problem> {
    let mut wanted = Stats::default();
    for name in stats.filter(|stats| !stats.is_empty()).unwrap_or("avg,max").split(',') {
        match name.trim() {
            "avg" => wanted.avg = true,
            "min" => wanted.min = true,
            "max" => wanted.max = true,
            other => {
                let other: String = other.chars().take(60).collect();
                return Err(Problem::unprocessable(format!(
                    "stats names {other:?}, allowed are avg, min and max"
                )));
            }
        }
    }
    Ok(wanted)
}

fn wants_csv(format: Option<&str>, headers: &HeaderMap) -> Result<bool, Problem> {
    match format.filter(|format| !format.is_empty()) {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(other) => {
            let other: String = other.chars().take(60).collect();
            Err(Problem::unprocessable(format!("format is {other:?}, allowed are json and csv")))
        }
        None => {
            let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
            Ok(accept.is_some_and(|accept| accept.trim_start().starts_with("text/csv")))
        }
    }
}

fn read_range(query: &MetricsQuery, now: i64) -> Result<Range, Problem> {
    let to = query.to.as_deref().map_or(Ok(now), |text| read_time("to", text))?;
    let from =
        query.from.as_deref().map_or(Ok((to - RANGE_MS).max(0)), |text| read_time("from", text))?;
    if from >= to {
        return Err(Problem::unprocessable(format!(
            "from is {from}, which is not before to, {to}"
        )));
    }
    Ok(Range { from, to })
}

pub(super) fn read_time(field: &str, text: &str) -> Result<i64, Problem> {
    // A `+` that was not encoded arrives as a blank.
    let spelled = text.replace(' ', "+");
    let ms = text.parse().ok().or_else(|| {
        let at = async_nats::datetime::parse_rfc3339(&spelled).ok()?;
        i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
    });
    ms.filter(|ms| (0..=TIME_MS_MAX).contains(ms)).ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        Problem::unprocessable(format!(
            "{field} is {text:?}, expected milliseconds since 1970 or RFC 3339"
        ))
    })
}

/// What was asked for: of the catalogue, and what a host's own scripts measure.
#[derive(Debug, Default)]
struct Wanted {
    metrics: Vec<&'static Metric>,
    /// Without the prefix.
    custom: Vec<String>,
}

impl Wanted {
    fn add_custom(&mut self, name: &str) -> Result<(), Problem> {
        if name.len() > NAME_BYTES_MAX || name.contains('\0') {
            return Err(Problem::unprocessable(format!(
                "names: one is longer than {NAME_BYTES_MAX} bytes or holds NUL"
            )));
        }
        if self.custom.iter().any(|known| known == name) {
            return Ok(());
        }
        if self.custom.len() == CUSTOM_NAMES_MAX {
            return Err(Problem::unprocessable(format!(
                "names holds more than {CUSTOM_NAMES_MAX} names that begin with {CUSTOM_PREFIX}"
            )));
        }
        self.custom.push(name.to_owned());
        Ok(())
    }
}

fn read_names(names: Option<&str>) -> Result<Wanted, Problem> {
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        let metrics = METRICS.iter().filter(|metric| !metric.per_instance).collect();
        return Ok(Wanted { metrics, custom: Vec::new() });
    };
    let mut wanted = Wanted::default();
    for name in names.split(',').map(str::trim) {
        if let Some(own) = name.strip_prefix(CUSTOM_PREFIX).filter(|own| !own.is_empty()) {
            wanted.add_custom(own)?;
            continue;
        }
        let found = metric(name).ok_or_else(|| {
            let name: String = name.chars().take(80).collect();
            Problem::unprocessable(format!(
                "names: there is no metric {name:?}; /api/v1/metrics lists those there are"
            ))
        })?;
        if !wanted.metrics.contains(&found) {
            wanted.metrics.push(found);
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_or_rfc_3339() {
        for (text, ms) in [
            ("1732103607123", Some(1_732_103_607_123)),
            ("2024-11-20T11:53:27.123Z", Some(1_732_103_607_123)),
            ("2024-11-20T12:53:27+01:00", Some(1_732_103_607_000)),
            ("2024-11-20T12:53:27 01:00", Some(1_732_103_607_000)),
            ("-1", None),
            ("yesterday", None),
            ("9223372036854775807", None),
        ] {
            assert_eq!(read_time("from", text).ok(), ms, "{text}");
        }
    }

    #[test]
    fn statistics_and_the_format_are_named_when_they_are_wrong() {
        let of = |avg, min, max| Stats { avg, min, max };
        for (text, stats) in [
            (None, of(true, false, true)),
            (Some(""), of(true, false, true)),
            (Some("avg, min,max"), of(true, true, true)),
            (Some("min"), of(false, true, false)),
        ] {
            assert_eq!(read_stats(text).unwrap(), stats, "{text:?}");
        }
        assert!(read_stats(Some("avg,median")).is_err());
        let accept = |value: &str| HeaderMap::from_iter([(header::ACCEPT, value.parse().unwrap())]);
        for (format, headers, csv) in [
            (None, HeaderMap::new(), false),
            (None, accept("text/csv"), true),
            (None, accept("text/csv;q=0.9, */*"), true),
            (None, accept("application/json, text/csv"), false),
            (Some("json"), accept("text/csv"), false),
            (Some("csv"), HeaderMap::new(), true),
        ] {
            assert_eq!(wants_csv(format, &headers).unwrap(), csv, "{format:?} {headers:?}");
        }
        assert!(wants_csv(Some("xml"), &HeaderMap::new()).is_err());
    }

    #[test]
    fn names_are_of_the_catalogue_and_each_counts_once() {
        let wanted = read_names(Some("load.one, uptime_s,custom.queue,load.one")).unwrap();
        let names: Vec<&str> = wanted.metrics.iter().map(|metric| metric.name).collect();
        assert_eq!(names, ["load.one", "uptime_s"]);
        assert_eq!(wanted.custom, ["queue"]);
        for bad in ["load.one,nonsense", "custom.a\0", &format!("custom.{}", "a".repeat(5_000))] {
            assert!(read_names(Some(bad)).is_err(), "{bad:?}");
        }
        let many = |count| {
            let names: Vec<String> = (0..count).map(|n| format!("custom.m{n}")).collect();
            read_names(Some(&names.join(",")))
        };
        assert_eq!(many(200).unwrap().custom.len(), 200);
        assert!(many(201).is_err());
        assert!(read_names(None).unwrap().metrics.iter().all(|metric| !metric.per_instance));
    }
}
