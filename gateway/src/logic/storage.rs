//! How large what is stored is, and whose it is, from what the database knows without counting.
//!
//! Bytes are measured. Rows, and which part of a table is a host's, are estimates: the database
//! keeps how often the most frequent hosts occur in a sample of the newest part it has looked at;
//! the rest is divided equally among the other hosts.

use std::collections::BTreeMap;

use muster_schemas::retention::plan::{Part, Series};
use muster_schemas::retention::{DAY_MS, group_of};
use serde::Serialize;
use utoipa::ToSchema;

/// Growth is the mean of so many days that have ended, or of the month that they lie in.
const GROWTH_DAYS: i64 = 7;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TableSize {
    pub table: String,
    /// As in the retention rules; `other` for what is always kept.
    pub group: String,
    /// With indexes and all.
    pub bytes: i64,
    /// Estimated; parts that the database has not looked at yet count nothing.
    pub rows_estimate: i64,
    /// For how many days there is room, those ahead included; 0 where a table is no time series.
    pub days: i64,
    /// In so many parts the days lie, each of which can be dropped: days or, of the tables of
    /// hours, months.
    pub parts: usize,
    /// The start of the oldest part with rows.
    pub oldest: Option<i64>,
    /// The end of the newest part with rows, or now.
    pub newest: Option<i64>,
    /// The mean of the last seven days that have ended, of months of the last one; of a table's
    /// first month what has passed of it since there were hosts. Null before the end of the first day.
    pub bytes_per_day: Option<i64>,
    pub rows_per_day: Option<i64>,
}

/// The size of a time-series table. There was nothing before `since_ms`: of the month in which a
/// fleet began, only what followed counts as days.
pub fn size_of(series: &Series, since_ms: i64, now_ms: i64) -> TableSize {
    // A part is made ahead of its rows, and empty until they come.
    let has_rows = |rows: Option<i64>| rows.is_none_or(|rows| rows > 0);
    let used = series.parts.iter().filter(|part| has_rows(part.rows) && part.starts_at <= now_ms);
    let used: Vec<&Part> = used.collect();
    let growth = grown(&used, since_ms, now_ms);
    let mean = |of: fn(&Part) -> i64| {
        let (parts, days) = growth.as_ref()?;
        Some(parts.iter().map(|part| of(part)).sum::<i64>() / days)
    };
    TableSize {
        table: series.table.clone(),
        group: group_of(&series.table).as_str().to_owned(),
        bytes: series.parts.iter().map(|part| part.bytes).sum(),
        rows_estimate: series.parts.iter().filter_map(|part| part.rows).sum(),
        days: series.parts.iter().map(Part::days).sum(),
        parts: series.parts.len(),
        oldest: used.first().map(|part| part.starts_at),
        newest: used.last().map(|part| part.ends_at.min(now_ms)),
        bytes_per_day: mean(|part| part.bytes),
        rows_per_day: mean(|part| part.rows.unwrap_or(0)),
    }
}

/// What growth is told by, and in how many days it grew.
fn grown<'a>(used: &[&'a Part], since_ms: i64, now_ms: i64) -> Option<(Vec<&'a Part>, i64)> {
    let (mut parts, mut days) = (Vec::new(), 0);
    for part in used.iter().rev().filter(|part| part.ends_at <= now_ms) {
        if days < GROWTH_DAYS {
            let begun = part.starts_at.max(since_ms.min(part.ends_at - 1));
            days += (part.ends_at - begun + DAY_MS - 1) / DAY_MS;
            parts.push(*part);
        }
    }
    if days > 0 {
        return Some((parts, days));
    }
    let first = used.first()?;
    let passed = (now_ms - first.starts_at.max(since_ms)) / DAY_MS;
    (passed > 0).then(|| (vec![*first], passed))
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GroupSize {
    pub group: String,
    pub tables: usize,
    pub bytes: i64,
    pub rows_estimate: i64,
    pub oldest: Option<i64>,
    pub newest: Option<i64>,
    pub bytes_per_day: Option<i64>,
}

/// The sums of each group, the largest first.
pub fn by_group(tables: &[TableSize]) -> Vec<GroupSize> {
    let mut groups: BTreeMap<&str, GroupSize> = BTreeMap::new();
    for table in tables {
        let sum = groups.entry(&table.group).or_insert_with(|| GroupSize {
            group: table.group.clone(),
            tables: 0,
            bytes: 0,
            rows_estimate: 0,
            oldest: None,
            newest: None,
            bytes_per_day: None,
        });
        sum.tables += 1;
        sum.bytes += table.bytes;
        sum.rows_estimate += table.rows_estimate;
        sum.oldest = sum.oldest.into_iter().chain(table.oldest).min();
        sum.newest = sum.newest.max(table.newest);
        if let Some(bytes) = table.bytes_per_day {
            sum.bytes_per_day = Some(sum.bytes_per_day.unwrap_or(0) + bytes);
        }
    }
    let mut groups: Vec<GroupSize> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.bytes));
    groups
}

/// What the database knows of a table's hosts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares {
    pub bytes: i64,
    pub rows_per_day: i64,
    /// The most frequent hosts and their part of the rows, of 1.
    pub frequent: Vec<(String, f32)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HostSize {
    pub id: String,
    /// Of all time-series tables, estimated.
    pub bytes: i64,
    pub rows_per_day: i64,
}

/// Divides tables among hosts; the largest first, then by name.
pub fn divide(tables: &[Shares], hosts: &[String]) -> Vec<HostSize> {
    let mut sums: BTreeMap<&str, (f64, f64)> =
        hosts.iter().map(|host| (host.as_str(), (0.0, 0.0))).collect();
    for table in tables {
        let frequent: BTreeMap<&str, f64> = table
            .frequent
            .iter()
            .filter(|(host, _)| sums.contains_key(host.as_str()))
            .map(|(host, part)| (host.as_str(), f64::from(*part)))
            .collect();
        let others = hosts.len() - frequent.len();
        let rest = (1.0 - frequent.values().sum::<f64>()).max(0.0) / others.max(1) as f64;
        for (host, (bytes, rows)) in &mut sums {
            let part = frequent.get(host).copied().unwrap_or(rest);
            *bytes += part * table.bytes as f64;
            *rows += part * table.rows_per_day as f64;
        }
    }
    let mut sizes: Vec<HostSize> = sums
        .into_iter()
        .map(|(id, (bytes, rows))| HostSize {
            id: id.to_owned(),
            bytes: bytes.round() as i64,
            rows_per_day: rows.round() as i64,
        })
        .collect();
    sizes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.id.cmp(&b.id)));
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64, rows: Option<i64>, bytes: i64) -> Part {
        Part { starts_at: n * DAY_MS, ends_at: (n + 1) * DAY_MS, rows, bytes }
    }

    #[test]
    fn growth_is_that_of_days_that_have_ended_and_empty_days_ahead_are_not_the_newest() {
        let parts = vec![
            day(1, Some(0), 8),
            day(2, Some(100), 1000),
            day(3, Some(300), 3000),
            day(4, None, 500),
            day(5, Some(0), 8),
        ];
        let now = 4 * DAY_MS + 5;
        let size = size_of(&Series { table: "host_samples".into(), parts }, 0, now);
        assert_eq!((size.bytes, size.rows_estimate, size.days), (4516, 400, 5));
        assert_eq!((size.oldest, size.newest), (Some(2 * DAY_MS), Some(now)));
        assert_eq!((size.bytes_per_day, size.rows_per_day), (Some(2000), Some(200)));
        assert_eq!(by_group(&[size.clone(), size])[0].bytes_per_day, Some(4000));
    }

    #[test]
    fn months_grow_by_the_day_too_even_before_the_first_one_has_ended() {
        let month = |n: i64, rows, bytes| Part {
            starts_at: n * 30 * DAY_MS,
            ends_at: (n + 1) * 30 * DAY_MS,
            rows: Some(rows),
            bytes,
        };
        let size_since = |parts: Vec<Part>, since_ms, now_ms| {
            size_of(&Series { table: "host_samples_1h".into(), parts }, since_ms, now_ms)
        };
        let size = |parts, now_ms| size_since(parts, 0, now_ms);
        let growth = |size: &TableSize| (size.bytes_per_day, size.rows_per_day);
        let two = vec![month(1, 300, 3000), month(2, 50, 900)];
        let grown = size(two.clone(), 65 * DAY_MS);
        assert_eq!((grown.days, grown.parts), (60, 2));
        assert_eq!(growth(&grown), (Some(100), Some(10)));
        let first = size(two[1..].to_vec(), 65 * DAY_MS + 1);
        assert_eq!(growth(&first), (Some(180), Some(10)));
        assert_eq!(growth(&size(two[1..].to_vec(), 60 * DAY_MS + 5)), (None, None));

        // The fleet began late in the month.
        let young = size_since(two[..1].to_vec(), 54 * DAY_MS, 58 * DAY_MS + 1);
        assert_eq!(growth(&young), (Some(750), Some(75)));
        let ended = size_since(two, 54 * DAY_MS + 1, 65 * DAY_MS);
        assert_eq!(growth(&ended), (Some(500), Some(50)));
    }

    #[test]
    fn a_table_is_divided_by_what_is_known_and_the_rest_equally() {
        let hosts = ["a", "b", "c"].map(str::to_owned);
        let frequent = vec![("a".to_owned(), 0.5), ("gone".to_owned(), 0.1)];
        let tables = [
            Shares { bytes: 1000, rows_per_day: 100, frequent },
            Shares { bytes: 300, rows_per_day: 0, frequent: Vec::new() },
        ];
        let sizes = divide(&tables, &hosts);
        let found: Vec<_> = sizes.iter().map(|host| (host.id.as_str(), host.bytes)).collect();
        assert_eq!(found, [("a", 600), ("b", 350), ("c", 350)]);
        assert_eq!(sizes.iter().map(|host| host.rows_per_day).sum::<i64>(), 100);
        assert!(divide(&tables, &[]).is_empty());
    }
}
