//! What the kernel counts for the whole host, one small file each: processors, load, pressure,
//! memory, disks, interfaces, sockets, file descriptors.
//!
//! Each file is opened once and read again at every sample into a buffer that all of one collector
//! use. Processes, filesystems and hardware have files of their own here.

use std::collections::HashMap;

use muster_schemas::telemetry::{Pressure, Sample, TcpStates};
use nix::unistd::{SysconfVar, sysconf};

use super::host::{Host, Reread};
use super::source::{Collect, Moment, Trouble};
use crate::logic::cpu::{CpuTimes, cpu_shares, parse_cpu_times, parse_load};
use crate::logic::memory::{
    Stalls, SwapCounters, parse_memory, parse_stalls, parse_swap, stall_percent, swap_rates,
};
use crate::logic::rates::{
    DiskCounters, NetworkCounters, Readings, disk_rates, network_rates, parse_disk, parse_network,
};
use crate::logic::scan::lines;
use crate::logic::sockets::{SocketCounts, count_states, parse_established, parse_file_nr};

/// Tables of TCP sockets longer than this are not read: a line takes the kernel and us about a
/// microsecond, and 5,000 as much as all else together.
const TCP_SOCKETS_MAX: u64 = 5_000;

/// How often the tables are read below that. The kernel walks its whole hash table for them, which
/// has hundreds of thousands of buckets on a host with much memory, whether they are used or not.
const TCP_STATES_PERIOD_MS: i64 = 30_000;

/// How many names of block devices are remembered: more than a host has at a time, and a bound for
/// those that make new ones all day.
const KNOWN_DEVICES_MAX: usize = 4096;

/// Reads one file and says what its absence means.
fn piece<'b>(file: &mut Reread, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Trouble> {
    let read = file.read_piece(buffer);
    read.map_err(|error| Trouble::reading(file.path(), &error))
}

fn pieces<'b>(file: &mut Reread, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Trouble> {
    let read = file.read_pieces(buffer);
    read.map_err(|error| Trouble::reading(file.path(), &error))
}

fn unreadable(file: &Reread) -> Trouble {
    Trouble::failed(format!("{} is not as expected", file.path().display()))
}

/// Time since a collector's own previous reading; 0 at its first.
#[derive(Debug, Default)]
pub struct Lap {
    before_ms: Option<i64>,
}

impl Lap {
    pub fn elapsed_ms(&mut self, now: Moment) -> i64 {
        self.before_ms.replace(now.boot_ms).map_or(0, |before_ms| now.boot_ms - before_ms)
    }
}

pub struct Processors {
    stat: Reread,
    load: Reread,
    before: Vec<CpuTimes>,
    after: Vec<CpuTimes>,
    buffer: Vec<u8>,
}

impl Processors {
    pub fn new(host: &Host) -> Self {
        Self {
            stat: Reread::new(host.proc("stat")),
            load: Reread::new(host.proc("loadavg")),
            before: Vec::new(),
            after: Vec::new(),
            buffer: Vec::new(),
        }
    }
}

impl Collect for Processors {
    fn collect(&mut self, _now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let load = parse_load(piece(&mut self.load, &mut self.buffer)?);
        sample.load = load.ok_or_else(|| unreadable(&self.load))?;
        std::mem::swap(&mut self.before, &mut self.after);
        parse_cpu_times(piece(&mut self.stat, &mut self.buffer)?, &mut self.after);
        sample.cpu = cpu_shares(&self.before, &self.after);
        Ok(())
    }
}

pub struct PressureStalls {
    files: [Reread; 3],
    before: Option<[Stalls; 3]>,
    lap: Lap,
    buffer: Vec<u8>,
}

impl PressureStalls {
    pub fn new(host: &Host) -> Self {
        let file = |name| Reread::new(host.proc("pressure").join(name));
        Self {
            files: [file("cpu"), file("memory"), file("io")],
            before: None,
            lap: Lap::default(),
            buffer: Vec::new(),
        }
    }
}

impl Collect for PressureStalls {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let mut after = [Stalls::default(); 3];
        for (stalls, file) in after.iter_mut().zip(&mut self.files) {
            let parsed = parse_stalls(piece(file, &mut self.buffer)?);
            *stalls = parsed.ok_or_else(|| unreadable(file))?;
        }
        let elapsed_ms = self.lap.elapsed_ms(now);
        let Some(before) = self.before.replace(after) else { return Ok(()) };
        let some = |i: usize| stall_percent(before[i].some_us, after[i].some_us, elapsed_ms);
        let full = |i: usize| stall_percent(before[i].full_us, after[i].full_us, elapsed_ms);
        sample.pressure = Some(Pressure {
            cpu_some_percent: some(0),
            memory_some_percent: some(1),
            memory_full_percent: full(1),
            io_some_percent: some(2),
            io_full_percent: full(2),
        });
        Ok(())
    }
}

pub struct MemoryUse {
    meminfo: Reread,
    vmstat: Reread,
    swapped: Option<SwapCounters>,
    page_bytes: u64,
    lap: Lap,
    buffer: Vec<u8>,
}

impl MemoryUse {
    pub fn new(host: &Host) -> Self {
        Self {
            meminfo: Reread::new(host.proc("meminfo")),
            vmstat: Reread::new(host.proc("vmstat")),
            swapped: None,
            page_bytes: page_bytes(),
            lap: Lap::default(),
            buffer: Vec::new(),
        }
    }
}

impl Collect for MemoryUse {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let memory = parse_memory(piece(&mut self.meminfo, &mut self.buffer)?);
        sample.memory = memory.ok_or_else(|| unreadable(&self.meminfo))?;
        // The kernel sums some 200 counters over all cores for the two that are wanted.
        if sample.memory.swap_total_bytes == 0 {
            self.swapped = None;
            return Ok(());
        }
        let swapped = parse_swap(pieces(&mut self.vmstat, &mut self.buffer)?);
        let after = swapped.ok_or_else(|| unreadable(&self.vmstat))?;
        let elapsed_ms = self.lap.elapsed_ms(now);
        sample.memory.swap_rates = self
            .swapped
            .replace(after)
            .map(|before| swap_rates(before, after, elapsed_ms, self.page_bytes));
        Ok(())
    }
}

/// Bytes of a page of memory: 4 KiB, or up to 64 on some kernels for ARM.
pub fn page_bytes() -> u64 {
    let bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}

pub struct Disks {
    host: Host,
    file: Reread,
    readings: Readings<DiskCounters>,
    /// Whole disks only: partitions and stacked, looped or ram devices would count twice.
    is_disk: HashMap<String, bool>,
    lap: Lap,
    buffer: Vec<u8>,
}

impl Disks {
    pub fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            file: Reread::new(host.proc("diskstats")),
            readings: Readings::default(),
            is_disk: HashMap::new(),
            lap: Lap::default(),
            buffer: Vec::new(),
        }
    }

    fn is_disk(&mut self, device: &str) -> bool {
        if let Some(known) = self.is_disk.get(device) {
            return *known;
        }
        if self.is_disk.len() >= KNOWN_DEVICES_MAX {
            self.is_disk.clear();
        }
        let path = self.host.sys("block").join(device.replace('/', "!")).join("device");
        let is_disk = path.exists();
        self.is_disk.insert(device.to_owned(), is_disk);
        is_disk
    }
}

impl Collect for Disks {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let text = pieces(&mut self.file, &mut buffer)?;
        let elapsed_ms = self.lap.elapsed_ms(now);
        self.readings.begin();
        for (device, after) in lines(text).filter_map(parse_disk) {
            if !self.is_disk(device) {
                continue;
            }
            if let Some(before) = self.readings.observe(device, after) {
                sample.disks.push(disk_rates(device, &before, &after, elapsed_ms));
            }
        }
        self.readings.end();
        sample.disks.sort_by(|a, b| a.device.cmp(&b.device));
        self.buffer = buffer;
        Ok(())
    }
}

pub struct Networks {
    file: Reread,
    readings: Readings<NetworkCounters>,
    lap: Lap,
    buffer: Vec<u8>,
}

impl Networks {
    pub fn new(host: &Host) -> Self {
        Self {
            file: Reread::new(host.net("dev")),
            readings: Readings::default(),
            lap: Lap::default(),
            buffer: Vec::new(),
        }
    }
}

impl Collect for Networks {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let text = pieces(&mut self.file, &mut self.buffer)?;
        let elapsed_ms = self.lap.elapsed_ms(now);
        self.readings.begin();
        for (interface, after) in lines(text).filter_map(parse_network) {
            if let Some(before) = self.readings.observe(interface, after) {
                sample.networks.push(network_rates(interface, &before, &after, elapsed_ms));
            }
        }
        self.readings.end();
        sample.networks.sort_by(|a, b| a.interface.cmp(&b.interface));
        Ok(())
    }
}

pub struct SocketTables {
    snmp: Reread,
    sockstats: [Reread; 2],
    tables: [Reread; 2],
    states: Option<TcpStates>,
    states_due_ms: i64,
    buffer: Vec<u8>,
}

impl SocketTables {
    pub fn new(host: &Host) -> Self {
        let file = |name| Reread::new(host.net(name));
        Self {
            snmp: file("snmp"),
            sockstats: [file("sockstat"), file("sockstat6")],
            tables: [file("tcp"), file("tcp6")],
            states: None,
            states_due_ms: i64::MIN,
            buffer: Vec::new(),
        }
    }

    /// The states as they were at most half a minute ago. What has no IPv6 has no second table.
    fn states(&mut self, counts: SocketCounts, now: Moment) -> Option<TcpStates> {
        if counts.tcp > TCP_SOCKETS_MAX {
            self.states = None;
            return None;
        }
        if now.boot_ms >= self.states_due_ms {
            self.states_due_ms = now.boot_ms + TCP_STATES_PERIOD_MS;
            let mut states = TcpStates::default();
            for table in &mut self.tables {
                let text = table.read_pieces(&mut self.buffer).unwrap_or_default();
                count_states(text, &mut states);
            }
            self.states = Some(states);
        }
        self.states
    }
}

impl Collect for SocketTables {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let mut counts = SocketCounts::default();
        counts.add(piece(&mut self.sockstats[0], &mut self.buffer)?);
        counts.add(self.sockstats[1].read_piece(&mut self.buffer).unwrap_or_default());
        let established = parse_established(pieces(&mut self.snmp, &mut self.buffer)?);
        sample.tcp_connections = established.ok_or_else(|| unreadable(&self.snmp))?;
        sample.sockets = Some(counts.to_sockets(self.states(counts, now)));
        Ok(())
    }
}

pub struct OpenFiles {
    file: Reread,
    buffer: Vec<u8>,
}

impl OpenFiles {
    pub fn new(host: &Host) -> Self {
        Self { file: Reread::new(host.proc("sys/fs/file-nr")), buffer: Vec::new() }
    }
}

impl Collect for OpenFiles {
    fn collect(&mut self, _now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let files = parse_file_nr(piece(&mut self.file, &mut self.buffer)?);
        sample.file_descriptors = Some(files.ok_or_else(|| unreadable(&self.file))?);
        Ok(())
    }
}
