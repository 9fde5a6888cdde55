//! Which of a range each level of a table still has, for a host. What follows from it is decided in
//! `logic::reach`; the metrics' query layer (`series`) asks for ranges that retention may have
//! reached.

use anyhow::{Context, Result};
use muster_runtime::time::system_time;
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::series::Asked;
use super::sources::Table;
use crate::logic::plan::{HOUR_MS, Level};
use crate::logic::reach::Firsts;

/// The tables of a level each, as they are read: where a table has no buckets of a minute, its
/// samples are.
struct Levels {
    samples: String,
    minutes: Option<String>,
    hours: String,
}

impl Levels {
    fn of(table: Table) -> Option<Self> {
        let (samples, minutes) = (table.name().to_owned(), table.buckets(Level::Minutes));
        Some(Self { samples, minutes, hours: table.buckets(Level::Hours)? })
    }

    fn of_custom() -> Self {
        let name = |suffix: &str| format!("custom_samples{suffix}");
        Self { samples: name(""), minutes: Some(name("_1m")), hours: name("_1h") }
    }
}

/// For each table that decides. `marked` is the first hour that is not rolled up: where a table has
/// samples of it, buckets are as good as those, from which they are then read.
pub(super) async fn firsts(
    snapshot: &Transaction<'_>,
    asked: &Asked<'_>,
    tables: &[Table],
    marked: Option<&i64>,
) -> Result<Vec<Firsts>> {
    let all = deciding(tables, !asked.custom.is_empty());
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let nothing = "NULL::bigint".to_owned();
    let columns: Vec<String> = all
        .iter()
        .flat_map(|levels| {
            let minutes = levels.minutes.as_deref().map_or(nothing.clone(), first_of);
            [first_of(&levels.samples), minutes, first_of(&levels.hours)]
        })
        .collect();
    let from = system_time(asked.range.from.div_euclid(HOUR_MS) * HOUR_MS);
    let to = system_time(asked.range.to);
    let values: [(&(dyn ToSql + Sync), Type); 3] =
        [(&asked.host, Type::TEXT), (&from, Type::TIMESTAMPTZ), (&to, Type::TIMESTAMPTZ)];
    let rows = snapshot.query_typed(&format!("SELECT {}", columns.join(", ")), &values).await;
    let rows = rows.context("cannot read what is kept of a range")?;
    let row = rows.first().context("the database answered nothing")?;
    let read = |(index, levels): (usize, &Levels)| {
        let samples: Option<i64> = row.get(3 * index);
        let unrolled = samples.zip(marked).map(|(samples, marked)| samples.max(*marked));
        let of_buckets = |first: Option<i64>| first.into_iter().chain(unrolled).min();
        let minutes = match levels.minutes {
            Some(_) => of_buckets(row.get(3 * index + 1)),
            None => samples,
        };
        Firsts { samples, minutes, hours: of_buckets(row.get(3 * index + 2)) }
    };
    Ok(all.iter().enumerate().map(read).collect())
}

/// Cores have no buckets of a minute. Beside others they do not decide: everything else would be
/// told by the hour for their sake.
fn deciding(tables: &[Table], with_custom: bool) -> Vec<Levels> {
    let alone = tables == [Table::Cores] && !with_custom;
    let decides = |table: &&Table| alone || **table != Table::Cores;
    let of_catalogue = tables.iter().filter(decides).filter_map(|table| Levels::of(*table));
    of_catalogue.chain(with_custom.then(Levels::of_custom)).collect()
}

/// Parts are in order of time: the search ends with the first that has a row of the host.
fn first_of(table: &str) -> String {
    format!(
        "(SELECT (extract(epoch FROM ts) * 1000)::bigint FROM {table} \
         WHERE host_id = $1 AND ts >= $2 AND ts < $3 ORDER BY ts LIMIT 1)"
    )
}
