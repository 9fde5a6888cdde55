//! Which log lines are meant, as conditions of SQL, and how long a question about them may take.
//! What is asked of them is in `logs.rs` and `log_counts.rs`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use deadpool_postgres::Object;
use muster_runtime::time::system_time;
use muster_schemas::logs::Severity;
use serde_json::{Map, Value};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Json, ToSql};

use crate::logic::search::{FieldIs, Search, like_pattern};
use crate::logic::slices::{Slices, Stuck};
use crate::logic::steps::Range;

/// A search that found no page by then says how far it came: people wait as long for an answer
/// before they doubt that there will be one.
const SEARCH_MAX: Duration = Duration::from_secs(5);

/// One slice of a search; two that were given up still leave time for a third.
const SLICE_MAX: Duration = Duration::from_millis(1_500);

/// A shorter time than this left is not worth a question that would be given up.
const SLICE_MIN: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(crate) struct LineFilter<'a> {
    pub(crate) host: Option<&'a str>,
    /// This bad or worse.
    pub(crate) severity: Option<Severity>,
    pub(crate) application: Option<&'a str>,
    pub(crate) source: Option<&'a str>,
    /// Of the message.
    pub(crate) search: Search,
    /// All of them.
    pub(crate) fields: Vec<FieldIs>,
}

/// Only the conditions that were asked for go into the statement: each then has the plan, and the
/// index, that fits it.
pub(super) struct Conditions {
    pub(super) sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    pub(super) fn of(filter: &LineFilter<'_>, range: Range) -> Self {
        let mut all = Self { sql: Vec::new(), values: Vec::new() };
        all.add("ts >= ?", system_time(range.from));
        all.add("ts < ?", system_time(range.to));
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
        for text in &filter.search.wanted {
            all.add("message ILIKE ?", like_pattern(text));
        }
        for text in &filter.search.unwanted {
            all.add("message NOT ILIKE ?", like_pattern(text));
        }
        for FieldIs { name, value } in &filter.fields {
            let field: Map<String, Value> = Map::from_iter([(name.clone(), value.clone().into())]);
            all.add("fields @> ?", Json(field));
        }
        all
    }

    fn add(&mut self, sql: &str, value: impl ToSql + Sync + Send + 'static) {
        let number = self.value(value);
        self.sql.push(sql.replace('?', &number));
    }

    /// Adds a value without a condition; answers how the statement names it.
    pub(super) fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect()
    }
}

/// Asks slice after slice, newest first, until the time is up; see [`Slices`].
pub(super) struct Walk {
    pub(super) slices: Slices,
    begun: Instant,
    /// Whether any slice was read: then there is something to answer.
    has_read: bool,
}

impl Walk {
    pub(super) fn new(slices: Slices) -> Self {
        Self { slices, begun: Instant::now(), has_read: false }
    }

    /// The rows of the next slice that could be read; `None` where all was looked at or the time
    /// is up. `statement` makes the question about a slice.
    pub(super) async fn next(
        &mut self,
        client: &mut Object,
        statement: impl Fn(Range) -> (String, Conditions),
    ) -> Result<Option<Vec<Row>>> {
        while let Some(slice) = self.slices.next() {
            let left = SEARCH_MAX.saturating_sub(self.begun.elapsed());
            if left < SLICE_MIN {
                return Ok(None);
            }
            let (sql, conditions) = statement(slice);
            let asked = Instant::now();
            let limit = SLICE_MAX.min(left);
            if let Some(rows) = rows_within(client, &sql, &conditions.values(), limit).await? {
                self.has_read = true;
                self.slices.looked(asked.elapsed().as_millis() as i64);
                return Ok(Some(rows));
            }
            match self.slices.gave_up() {
                // With a full share of time it cannot be done; with less, it may be later.
                Err(Stuck) if limit == SLICE_MAX && !self.has_read => return Err(Stuck.into()),
                Err(Stuck) => return Ok(None),
                Ok(()) => {}
            }
        }
        Ok(None)
    }
}

/// The rows of a statement, or `None` where it took longer than it may.
async fn rows_within(
    client: &mut Object,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
    limit: Duration,
) -> Result<Option<Vec<Row>>> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    let bound = format!("SET LOCAL statement_timeout = {}", limit.as_millis());
    transaction.batch_execute(&bound).await.context("cannot bound a search")?;
    match transaction.query(sql, values).await {
        Ok(rows) => {
            transaction.commit().await?;
            Ok(Some(rows))
        }
        Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
            transaction.rollback().await?;
            Ok(None)
        }
        Err(error) => Err(error).context("cannot read log lines"),
    }
}
