//! What one host has published, in the form in which it must be found in the tables.

use std::collections::BTreeMap;

use muster_schemas::Channel;
use muster_schemas::inventory::Inventory;
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::{Heartbeat, Signal};
use muster_schemas::telemetry::{Process, Sample, TelemetryFrame};
use serde_json::Value;

/// One row: when, which of a host's several, and a value of it.
pub type Row = (i64, String, f64);

/// The tables that are compared, and how a row of each is read.
pub const TABLES: [(&str, &str); 13] = [
    ("host_samples", "uptime_s || ':' || memory_used_bytes, cpu_usage_percent"),
    ("filesystem_samples", "mount || ':' || available_bytes, used_bytes"),
    ("disk_samples", "device || ':' || write_bytes_per_s, read_bytes_per_s"),
    ("network_samples", "interface || ':' || tx_bytes_per_s, rx_bytes_per_s"),
    ("process_samples", "pid || ':' || name, cpu_percent"),
    ("sensor_samples", "sensor, celsius"),
    ("fan_samples", "fan, rpm"),
    ("battery_samples", "battery, charge_percent"),
    ("gpu_samples", "gpu || ':' || name, coalesce(memory_used_bytes, -1)"),
    ("smart_samples", "device || ':' || model || ':' || passed, coalesce(wear_percent, -1)"),
    ("container_samples", "container_id || ':' || name || ':' || memory_bytes, cpu_percent"),
    ("custom_samples", "metric || ':' || instance || ':' || unit, value"),
    ("log_lines", "seq || ':' || line || ':' || message, severity"),
];

#[derive(Debug, Default)]
pub struct Published {
    /// By table.
    pub rows: BTreeMap<&'static str, Vec<Row>>,
    /// The highest number of each channel: all below it were published too.
    pub last: BTreeMap<Channel, i64>,
    pub newest_sample: Option<Sample>,
    /// The newest, with its number.
    pub heartbeat: Option<(i64, Heartbeat)>,
    /// By kind, in the order in which they were said: when, and what.
    pub inventories: BTreeMap<String, Vec<(i64, Value)>>,
    /// How often each number came.
    count: BTreeMap<Channel, i64>,
}

impl Published {
    fn note(&mut self, channel: Channel, seq: i64) {
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

    pub fn signal(&mut self, seq: i64, signal: Signal) {
        self.note(Channel::Signals, seq);
        if let Signal::Heartbeat(heartbeat) = signal {
            self.heartbeat = Some((seq, heartbeat));
        }
    }

    pub fn inventory(&mut self, seq: i64, inventory: &Inventory) {
        self.note(Channel::Inventory, seq);
        let mut said = serde_json::to_value(inventory).expect("an inventory is plain data");
        let kind = said["kind"].as_str().unwrap_or_default().to_owned();
        self.inventories.entry(kind).or_default().push((inventory.at, said["detail"].take()));
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
        self.newest_sample = Some(sample.clone());
        let what = format!("{}:{}", sample.uptime_s, sample.memory.used_bytes);
        self.row("host_samples", at, what, sample.cpu.usage_percent.into());
        for item in &sample.filesystems {
            let what = format!("{}:{}", item.mount, item.available_bytes);
            self.row("filesystem_samples", at, what, item.used_bytes as f64);
        }
        for item in &sample.disks {
            let what = format!("{}:{}", item.device, item.write_bytes_per_s);
            self.row("disk_samples", at, what, item.read_bytes_per_s as f64);
        }
        for item in &sample.networks {
            let what = format!("{}:{}", item.interface, item.tx_bytes_per_s);
            self.row("network_samples", at, what, item.rx_bytes_per_s as f64);
        }
        for process in processes(sample) {
            let what = format!("{}:{}", process.pid, process.name);
            self.row("process_samples", at, what, process.cpu_percent.into());
        }
        self.hardware(sample);
        for item in &sample.containers {
            let what = format!("{}:{}:{}", item.id, item.name, item.memory_bytes);
            self.row("container_samples", at, what, item.cpu_percent.into());
        }
        for item in &sample.custom {
            let what = format!("{}:{}:{}", item.name, item.instance, item.unit);
            self.row("custom_samples", at, what, item.value);
        }
    }

    fn hardware(&mut self, sample: &Sample) {
        let at = sample.at;
        for item in &sample.sensors {
            self.row("sensor_samples", at, item.name.clone(), item.celsius.into());
        }
        for item in &sample.fans {
            self.row("fan_samples", at, item.name.clone(), item.rpm as f64);
        }
        for item in &sample.batteries {
            self.row("battery_samples", at, item.name.clone(), item.charge_percent.into());
        }
        for item in &sample.gpus {
            let used = item.memory_used_bytes.unwrap_or(-1);
            self.row("gpu_samples", at, format!("{}:{}", item.id, item.name), used as f64);
        }
        for item in &sample.smart_disks {
            let what = format!("{}:{}:{}", item.device, item.model, item.passed);
            self.row("smart_samples", at, what, item.wear_percent.unwrap_or(-1.0).into());
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
