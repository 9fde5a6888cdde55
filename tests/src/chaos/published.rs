//! What one host has published, in the form in which it must be found in the tables.

use std::collections::BTreeMap;

use anyhow::Result;
use muster_schemas::Channel;
use muster_schemas::logs::LogFrame;
use muster_schemas::telemetry::{Process, Sample, TelemetryFrame};

/// One row: when, which of a host's several, and a value of it.
pub type Row = (i64, String, f64);

/// The tables that are compared, and how a row of each is read.
pub const TABLES: [(&str, &str); 6] = [
    ("host_samples", "uptime_s || ':' || memory_used_bytes, cpu_usage_percent"),
    ("filesystem_samples", "mount, used_bytes"),
    ("disk_samples", "device, read_bytes_per_s"),
    ("network_samples", "interface, rx_bytes_per_s"),
    ("process_samples", "pid || ':' || name, cpu_percent"),
    ("log_lines", "seq || ':' || line || ':' || message, severity"),
];

#[derive(Debug, Default)]
pub struct Published {
    /// By table.
    pub rows: BTreeMap<&'static str, Vec<Row>>,
    /// The highest number of each channel: all below it were published too.
    pub last: BTreeMap<Channel, i64>,
    /// How often each number came.
    count: BTreeMap<Channel, i64>,
}

impl Published {
    /// A message of a kind of which only the number is compared.
    pub fn note(&mut self, channel: Channel, seq: i64) {
        let last = self.last.entry(channel).or_default();
        *last = seq.max(*last);
        *self.count.entry(channel).or_default() += 1;
    }

    pub fn frame(&mut self, seq: i64, frame: &TelemetryFrame) {
        self.note(Channel::Telemetry, seq);
        frame.samples.iter().for_each(|sample| self.sample(sample));
    }

    pub fn lines(&mut self, seq: i64, frame: &LogFrame) {
        self.note(Channel::Logs, seq);
        for (number, line) in frame.lines.iter().enumerate() {
            let what = format!("{seq}:{number}:{}", line.message);
            self.row("log_lines", line.at, what, f64::from(line.severity as i16));
        }
    }

    /// Whether the numbers are without holes, as a journal gives them.
    pub fn is_whole(&self) -> bool {
        self.last == self.count
    }

    pub fn messages(&self) -> i64 {
        self.last.values().sum()
    }

    pub fn rows_in_all(&self) -> usize {
        self.rows.values().map(Vec::len).sum()
    }

    fn sample(&mut self, sample: &Sample) {
        let at = sample.at;
        let what = format!("{}:{}", sample.uptime_s, sample.memory.used_bytes);
        self.row("host_samples", at, what, sample.cpu.usage_percent.into());
        for item in &sample.filesystems {
            self.row("filesystem_samples", at, item.mount.clone(), item.used_bytes as f64);
        }
        for item in &sample.disks {
            self.row("disk_samples", at, item.device.clone(), item.read_bytes_per_s as f64);
        }
        for item in &sample.networks {
            self.row("network_samples", at, item.interface.clone(), item.rx_bytes_per_s as f64);
        }
        for process in processes(sample) {
            let what = format!("{}:{}", process.pid, process.name);
            self.row("process_samples", at, what, process.cpu_percent.into());
        }
    }

    fn row(&mut self, table: &'static str, at: i64, what: String, value: f64) {
        self.rows.entry(table).or_default().push((at, what, value));
    }
}

/// A process is stored once, however many of the lists name it.
fn processes(sample: &Sample) -> Vec<&Process> {
    let lists = &sample.processes;
    let mut found: Vec<&Process> = Vec::new();
    for process in lists.top_cpu.iter().chain(&lists.top_memory).chain(&lists.top_io) {
        if found.iter().all(|known| known.pid != process.pid) {
            found.push(process);
        }
    }
    found
}

/// Compares two sets of rows; the error says how many differ, and shows a few.
pub fn compare(published: &[Row], stored: &[Row]) -> Result<(), String> {
    let (mut published, mut stored) = (published.to_vec(), stored.to_vec());
    let by_all = |a: &Row, b: &Row| (a.0, &a.1).cmp(&(b.0, &b.1)).then(a.2.total_cmp(&b.2));
    published.sort_by(by_all);
    stored.sort_by(by_all);
    if published == stored {
        return Ok(());
    }
    let missing = without(&published, &stored, by_all);
    let unexpected = without(&stored, &published, by_all);
    Err(format!(
        "of {} published {} are missing, such as {:?}; of {} rows {} were not published or are \
         there twice, such as {:?}",
        published.len(),
        missing.len(),
        missing.first(),
        stored.len(),
        unexpected.len(),
        unexpected.first()
    ))
}

/// What is in the first, as often as it is there, and not in the second. Both are sorted.
fn without(
    rows: &[Row],
    others: &[Row],
    order: impl Fn(&Row, &Row) -> std::cmp::Ordering,
) -> Vec<Row> {
    let mut others = others.iter().peekable();
    let mut left = Vec::new();
    for row in rows {
        while others.next_if(|other| order(other, row).is_lt()).is_some() {}
        if others.next_if(|other| order(other, row).is_eq()).is_none() {
            left.push(row.clone());
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: i64) -> Row {
        (at, "eth0".into(), 1.0)
    }

    #[test]
    fn rows_that_are_missing_or_doubled_are_counted() {
        let published = [row(1), row(2), row(3)];
        assert_eq!(compare(&published, &[row(3), row(1), row(2)]), Ok(()));
        let said = compare(&published, &[row(3), row(3), row(1)]).unwrap_err();
        assert!(said.contains("1 are missing, such as Some((2,"), "{said}");
        assert!(said.contains("1 were not published or are there twice, such as Some((3,"));
        let altered = [row(1), row(2), (3, "eth0".into(), 1.5)];
        assert!(compare(&published, &altered).is_err());
    }
}
