//! The statement that reads a chart's points: buckets and samples together, in one snapshot.
//!
//! Every row of either is brought to the same four numbers a figure: sum, count, minimum, maximum.
//! They are then combined by step. What is read from where is `logic::plan`'s.

use std::fmt::Write as _;
use std::time::SystemTime;

use deadpool_postgres::Transaction;
use muster_runtime::time::system_time;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::series::ROWS_MAX;
use crate::logic::plan::Plan;

/// One statement, of one table.
pub(super) struct Reading<'a> {
    /// As they stand after `FROM`.
    pub(super) samples: &'a str,
    /// A table; not used where the plan has no buckets.
    pub(super) buckets: &'a str,
    /// Columns by which rows are told apart, and after them those of which the largest is shown.
    pub(super) keys: &'a [&'a str],
    pub(super) carried: &'a [&'a str],
    /// Expressions over samples, and the same as figures of buckets.
    pub(super) figures: &'a [(&'a str, &'a str)],
    /// Further conditions, in which `$6` are names.
    pub(super) filter: &'a str,
    pub(super) with_min: bool,
}

/// Parameters before the stretches: host, from, to, step (s), limit, names.
const FIXED_TYPES: [Type; 6] =
    [Type::TEXT, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::FLOAT8, Type::INT8, Type::TEXT_ARRAY];

/// Statements a connection remembers. A dashboard asks for some ten combinations of metrics again
/// and again; somebody who asks for ever new ones fills no memory.
const STATEMENTS_MAX: usize = 200;

impl Reading<'_> {
    /// Numbers of a figure in a row: mean, maximum, and the minimum if it was asked for.
    pub(super) fn width(&self) -> usize {
        if self.with_min { 3 } else { 2 }
    }

    /// Rows of bucket (ms), keys, carried, and the figures; by keys, then by time.
    pub(super) async fn run(
        &self,
        transaction: &Transaction<'_>,
        host: &str,
        names: &[String],
        plan: &Plan,
        step_ms: i64,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let (from, to) = (system_time(plan.from), system_time(plan.to));
        let (step_s, limit) = (step_ms as f64 / 1_000.0, ROWS_MAX + 1);
        let stretches: Vec<SystemTime> = plan
            .samples
            .iter()
            .flat_map(|stretch| [system_time(stretch.from), system_time(stretch.to)])
            .collect();
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&host, &from, &to, &step_s, &limit, &names];
        values.extend(stretches.iter().map(|time| time as &(dyn ToSql + Sync)));
        let mut types = FIXED_TYPES.to_vec();
        types.resize(values.len(), Type::TIMESTAMPTZ);
        if transaction.statement_cache.size() >= STATEMENTS_MAX {
            transaction.statement_cache.clear();
        }
        let statement = transaction.prepare_typed_cached(&self.sql(plan, step_ms), &types).await?;
        transaction.query(&statement, &values).await
    }

    fn sql(&self, plan: &Plan, step_ms: i64) -> String {
        let stretches = plan.samples.len();
        let mut parts: Vec<String> = (0..stretches).map(|index| self.of_samples(index)).collect();
        // A stretch of samples ends where a bucket does: no point is of both. What is carried tells
        // buckets apart as well.
        let is_point = self.carried.is_empty() && step_ms == plan.level.width_ms();
        let mut whole: Vec<String> = Vec::new();
        if plan.has_buckets() && is_point {
            whole.push(self.of_points(stretches));
        } else if plan.has_buckets() {
            parts.push(self.of_buckets(stretches));
        }
        if !parts.is_empty() {
            whole.push(self.combined(&parts));
        }
        let order: String = (0..self.keys.len()).fold(String::new(), |mut order, key| {
            put(&mut order, format_args!("{}, ", key + 2));
            order
        });
        format!("{} ORDER BY {order}1 LIMIT $5", whole.join(" UNION ALL "))
    }

    /// What is of the same step, taken together.
    fn combined(&self, parts: &[String]) -> String {
        let (keys, carried) = (self.keys.len(), self.carried.len());
        let mut columns = String::new();
        let mut groups = String::from("bucket");
        for key in 0..keys {
            put(&mut columns, format_args!(", k{key}"));
            put(&mut groups, format_args!(", {}", key + 2));
        }
        for column in 0..carried {
            put(&mut columns, format_args!(", max(x{column})"));
        }
        for figure in 0..self.figures.len() {
            put(
                &mut columns,
                format_args!(", sum(s{figure}) / nullif(sum(c{figure}), 0), max(h{figure})"),
            );
            if self.with_min {
                put(&mut columns, format_args!(", min(l{figure})"));
            }
        }
        let parts = parts.join(" UNION ALL ");
        format!(
            "SELECT (extract(epoch FROM bucket) * 1000)::bigint{columns} FROM ({parts}) AS parts \
             GROUP BY {groups}"
        )
    }

    /// Buckets that are as wide as the step are the points.
    fn of_points(&self, stretches: usize) -> String {
        let mut columns = String::from("(extract(epoch FROM ts) * 1000)::bigint");
        for key in self.keys {
            put(&mut columns, format_args!(", {key}"));
        }
        for (_, figure) in self.figures {
            let (min, max) = (format!("{figure}_min"), format!("{figure}_max"));
            put(
                &mut columns,
                format_args!(", {figure}::float8, coalesce({max}, {figure})::float8"),
            );
            if self.with_min {
                put(&mut columns, format_args!(", coalesce({min}, {figure})::float8"));
            }
        }
        self.bucket_rows(&columns, stretches)
    }

    fn of_buckets(&self, stretches: usize) -> String {
        let mut columns = self.common();
        for (index, (_, figure)) in self.figures.iter().enumerate() {
            let (n, min, max) =
                (format!("{figure}_n"), format!("{figure}_min"), format!("{figure}_max"));
            put(
                &mut columns,
                format_args!(
                    ", {figure}::float8 * coalesce({n}, n) AS s{index}, \
                     CASE WHEN {figure} IS NOT NULL THEN coalesce({n}, n) END AS c{index}, \
                     coalesce({max}, {figure})::float8 AS h{index}"
                ),
            );
            if self.with_min {
                put(&mut columns, format_args!(", coalesce({min}, {figure})::float8 AS l{index}"));
            }
        }
        self.bucket_rows(&columns, stretches)
    }

    /// But for the stretches that are read from samples.
    fn bucket_rows(&self, columns: &str, stretches: usize) -> String {
        let mut without = String::new();
        for index in 0..stretches {
            let (since, until) = stretch(index);
            put(&mut without, format_args!(" AND NOT (ts >= ${since} AND ts < ${until})"));
        }
        let (buckets, filter) = (self.buckets, self.filter);
        format!(
            "SELECT {columns} FROM {buckets} \
             WHERE host_id = $1 AND ts >= $2 AND ts < $3{without} {filter}"
        )
    }

    fn of_samples(&self, index: usize) -> String {
        let mut columns = self.common();
        for (index, (expression, _)) in self.figures.iter().enumerate() {
            put(
                &mut columns,
                format_args!(
                    ", ({expression})::float8 AS s{index}, \
                     CASE WHEN ({expression}) IS NOT NULL THEN 1 END AS c{index}, \
                     ({expression})::float8 AS h{index}"
                ),
            );
            if self.with_min {
                put(&mut columns, format_args!(", ({expression})::float8 AS l{index}"));
            }
        }
        let (since, until) = stretch(index);
        let (samples, filter) = (self.samples, self.filter);
        format!(
            "SELECT {columns} FROM {samples} \
             WHERE host_id = $1 AND ts >= ${since} AND ts < ${until} {filter}"
        )
    }

    /// The bucket of the chart, the keys and what is carried.
    fn common(&self) -> String {
        let mut columns = String::from(
            "date_bin(make_interval(secs => $4), ts, TIMESTAMPTZ '2000-01-03 00:00:00+00') \
             AS bucket",
        );
        for (index, key) in self.keys.iter().enumerate() {
            put(&mut columns, format_args!(", {key} AS k{index}"));
        }
        for (index, column) in self.carried.iter().enumerate() {
            put(&mut columns, format_args!(", {column} AS x{index}"));
        }
        columns
    }
}

/// The numbers of the parameters between which a stretch of samples lies.
fn stretch(index: usize) -> (usize, usize) {
    (FIXED_TYPES.len() + 1 + 2 * index, FIXED_TYPES.len() + 2 + 2 * index)
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(more);
}
