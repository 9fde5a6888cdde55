//! Log lines, newest first, a page at a time.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::time::system_time;
use muster_schemas::logs::Severity;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};

use super::connection;
use crate::logic::lines::{Place, like_pattern};

pub(crate) struct LineFilter<'a> {
    pub(crate) host: Option<&'a str>,
    /// This bad or worse.
    pub(crate) severity: Option<Severity>,
    pub(crate) application: Option<&'a str>,
    pub(crate) source: Option<&'a str>,
    /// A part of the message, whatever the case.
    pub(crate) text: Option<&'a str>,
    pub(crate) from: Option<i64>,
    /// Exclusive.
    pub(crate) to: Option<i64>,
    /// Lines after this one, in the order of the answer.
    pub(crate) after: Option<&'a Place>,
    pub(crate) limit: i64,
}

pub(crate) struct LineRow {
    pub(crate) place: Place,
    pub(crate) received_at: i64,
    pub(crate) severity: Severity,
    pub(crate) application: String,
    pub(crate) source: String,
    pub(crate) message: String,
    pub(crate) truncated_bytes: i64,
    pub(crate) suppressed: i64,
    pub(crate) fields: Option<Value>,
}

/// Only the conditions that were asked for go into the statement: each then has the plan, and the
/// index, that fits it.
struct Conditions {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    fn add(&mut self, sql: &str, value: impl ToSql + Sync + Send + 'static) {
        self.values.push(Box::new(value));
        self.sql.push(sql.replace('?', &format!("${}", self.values.len())));
    }

    fn of(filter: &LineFilter<'_>) -> Self {
        let mut all = Self { sql: vec!["true".into()], values: Vec::new() };
        if let Some(host) = filter.host {
            all.add("host_id = ?", host.to_owned());
        }
        if let Some(severity) = filter.severity {
            // Spelled out, so that the index of the worst can be seen to serve.
            all.sql.push(format!("severity <= {}", severity as i16));
        }
        if let Some(application) = filter.application {
            all.add("application = ?", application.to_owned());
        }
        if let Some(source) = filter.source {
            all.add("source = ?", source.to_owned());
        }
        if let Some(text) = filter.text {
            all.add("message ILIKE ?", like_pattern(text));
        }
        if let Some(from) = filter.from {
            all.add("ts >= ?", system_time(from));
        }
        if let Some(to) = filter.to {
            all.add("ts < ?", system_time(to));
        }
        if let Some(place) = filter.after {
            all.add_after(place);
        }
        all.add_limit(filter.limit);
        all
    }

    /// The first condition says again what the second implies: it is the one that prunes days.
    fn add_after(&mut self, place: &Place) {
        let at = system_time(place.at);
        self.add("ts <= ?", at);
        let first = self.values.len();
        self.values.push(Box::new(place.host.to_string()));
        self.values.push(Box::new(place.epoch));
        self.values.push(Box::new(place.seq));
        self.values.push(Box::new(place.line));
        self.sql.push(format!(
            "(ts, host_id, epoch, seq, line) < (${first}, ${}, ${}, ${}, ${})",
            first + 1,
            first + 2,
            first + 3,
            first + 4
        ));
    }

    fn add_limit(&mut self, limit: i64) {
        self.values.push(Box::new(limit));
    }
}

pub(crate) async fn lines(pool: &Pool, filter: &LineFilter<'_>) -> Result<Vec<LineRow>> {
    let Conditions { sql, values } = Conditions::of(filter);
    let sql = format!(
        "SELECT host_id, epoch, seq, line,
                (extract(epoch FROM ts) * 1000)::bigint,
                (extract(epoch FROM received_at) * 1000)::bigint,
                severity, application, source, message, truncated_bytes, suppressed, fields
         FROM log_lines
         WHERE {}
         ORDER BY ts DESC, host_id DESC, epoch DESC, seq DESC, line DESC
         LIMIT ${}",
        sql.join(" AND "),
        values.len()
    );
    let values: Vec<&(dyn ToSql + Sync)> =
        values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect();
    let client = connection(pool).await?;
    let rows = client.query(&sql, &values).await.context("cannot read log lines")?;
    rows.iter().map(read_line).collect()
}

fn read_line(row: &Row) -> Result<LineRow> {
    let host: String = row.get(0);
    let rank: i16 = row.get(6);
    let severity = usize::try_from(rank).ok().and_then(|rank| Severity::ALL.get(rank));
    Ok(LineRow {
        place: Place {
            host: host.parse()?,
            epoch: row.get(1),
            seq: row.get(2),
            line: row.get(3),
            at: row.get(4),
        },
        received_at: row.get(5),
        severity: *severity.with_context(|| format!("severity {rank} is none"))?,
        application: row.get(7),
        source: row.get(8),
        message: row.get(9),
        truncated_bytes: row.get(10),
        suppressed: row.get(11),
        fields: row.get::<_, Option<Json<Value>>>(12).map(|fields| fields.0),
    })
}
