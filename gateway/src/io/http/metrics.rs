//! Metrics: the catalogue, and a host's history.

use axum::Json as Answer;
use axum::extract::{Path, State};
use muster_runtime::now_ms;
use muster_schemas::metrics::{METRICS, Metric, metric};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::Query;
use super::hosts::known_host;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::series::{self, TooManyRows};
use crate::logic::steps::{Range, fill, step_ms, timestamps};

/// What is shown where nothing was asked for.
const RANGE_MS: i64 = 3_600_000;

/// The end of the year 9999: later is not a time but a mistake.
const TIME_MS_MAX: i64 = 253_402_300_799_000;

#[derive(Serialize, ToSchema)]
pub(super) struct Catalogue {
    items: Vec<CatalogueItem>,
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct CatalogueItem {
    name: &'static str,
    unit: &'static str,
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
    /// Seconds; chosen for about 300 points if absent.
    step: Option<i64>,
    /// Separated by commas, see `/api/v1/metrics`; all that have one series if absent.
    names: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct History {
    host: String,
    from: i64,
    to: i64,
    step_ms: i64,
    /// Which data it was made of: `raw` samples.
    source: &'static str,
    /// The start of each step, without gaps.
    timestamps: Vec<i64>,
    series: Vec<HistorySeries>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct HistorySeries {
    name: &'static str,
    instance: Option<String>,
    unit: &'static str,
    /// The mean of each step; null where there was no sample.
    values: Vec<Option<f64>>,
    /// The maximum of each step.
    max: Vec<Option<f64>>,
}

/// Which metrics there are.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics",
    responses((status = 200, body = Catalogue), (status = 401, body = ProblemBody))
)]
pub(super) async fn catalogue() -> Answer<Catalogue> {
    let item = |metric: &Metric| CatalogueItem {
        name: metric.name,
        unit: metric.unit.as_str(),
        per_instance: metric.per_instance,
    };
    Answer(Catalogue { items: METRICS.iter().map(item).collect(), next: None })
}

/// A host's metrics over time: mean and maximum of each step.
#[utoipa::path(
    get, path = "/hosts/{id}/metrics", tag = "metrics",
    params(("id" = String, Path, description = "Host id"), MetricsQuery),
    responses((status = 200, body = History), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn history(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<MetricsQuery>,
) -> Result<Answer<History>, Problem> {
    let range = read_range(&query, now_ms())?;
    let metrics = read_names(query.names.as_deref())?;
    let host = known_host(&gateway, &id).await?;
    let sampling_ms = match query.step {
        Some(_) => None,
        None => series::sampling_ms(&gateway.pool, host.as_str(), range).await?,
    };
    let step_ms = step_ms(range, query.step, sampling_ms)
        .map_err(|error| Problem::unprocessable(error.to_string()))?;
    let found = series::series(&gateway.pool, host.as_str(), &metrics, range, step_ms).await;
    let found = found.map_err(|failure| match failure.downcast::<TooManyRows>() {
        Ok(many) => Problem::unprocessable(format!("{many}: ask for fewer names or a larger step")),
        Err(failure) => failure.into(),
    })?;
    let timestamps = timestamps(range, step_ms);
    let series = found
        .into_iter()
        .map(|series| {
            let line = fill(&timestamps, &series.points);
            let (name, unit) = (series.metric.name, series.metric.unit.as_str());
            HistorySeries {
                name,
                instance: series.instance,
                unit,
                values: line.values,
                max: line.max,
            }
        })
        .collect();
    let (from, to) = (range.from, range.to);
    let host = host.into();
    Ok(Answer(History { host, from, to, step_ms, source: "raw", timestamps, series }))
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

fn read_time(field: &str, text: &str) -> Result<i64, Problem> {
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

fn read_names(names: Option<&str>) -> Result<Vec<&'static Metric>, Problem> {
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        return Ok(METRICS.iter().filter(|metric| !metric.per_instance).collect());
    };
    let mut metrics: Vec<&'static Metric> = Vec::new();
    for name in names.split(',').map(str::trim) {
        let found = metric(name).ok_or_else(|| {
            let name: String = name.chars().take(80).collect();
            Problem::unprocessable(format!(
                "names: there is no metric {name:?}; /api/v1/metrics lists those there are"
            ))
        })?;
        if !metrics.contains(&found) {
            metrics.push(found);
        }
    }
    Ok(metrics)
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
    fn names_are_of_the_catalogue_and_each_counts_once() {
        let names =
            |text| read_names(Some(text)).unwrap().iter().map(|m| m.name).collect::<Vec<_>>();
        assert_eq!(names("load.one, uptime_s,load.one"), ["load.one", "uptime_s"]);
        assert!(read_names(Some("load.one,nonsense")).is_err());
        assert!(read_names(None).unwrap().iter().all(|metric| !metric.per_instance));
    }
}
