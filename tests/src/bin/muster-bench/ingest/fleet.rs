//! Frames of a fleet: values that wander, three samples a frame, process lists in the newest.

use muster_agent::simulate::{SyntheticHost, simulated_host_id};
use muster_runtime::now_ms;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{ENVELOPE_VERSION, Envelope, HostId};
use rand::SeedableRng;
use rand::rngs::SmallRng;

pub const SAMPLES_PER_FRAME: i64 = 3;

pub const FRAME_INTERVAL_MS: i64 = 15_000;

const SAMPLE_INTERVAL_MS: i64 = FRAME_INTERVAL_MS / SAMPLES_PER_FRAME;

pub struct Fleet {
    hosts: Vec<(HostId, SyntheticHost)>,
    random: SmallRng,
}

impl Fleet {
    pub fn new(hosts: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(7);
        let make = |number| {
            let values = SyntheticHost::new(number as u64, &mut random);
            (simulated_host_id(number + 1), values)
        };
        let hosts = (0..hosts).map(make).collect();
        Self { hosts, random }
    }

    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// A frame of the `index`th host whose newest sample is of `end`.
    pub fn frame(
        &mut self,
        index: usize,
        epoch: i64,
        seq: i64,
        end: i64,
    ) -> Envelope<TelemetryFrame> {
        let (host, values) = &mut self.hosts[index];
        let mut samples: Vec<_> = (1 - SAMPLES_PER_FRAME..=0)
            .map(|place| values.sample(end + place * SAMPLE_INTERVAL_MS, &mut self.random))
            .collect();
        for older in &mut samples[..SAMPLES_PER_FRAME as usize - 1] {
            older.processes.top_cpu.clear();
            older.processes.top_memory.clear();
        }
        let (host, body) = (host.clone(), TelemetryFrame { samples });
        Envelope { v: ENVELOPE_VERSION, host, epoch, seq, sent_at: end, body }
    }

    /// The `number`th frame of a backlog that ends now, host after host. An epoch that was not used
    /// before makes it no duplicate.
    pub fn frame_of_backlog(
        &mut self,
        number: usize,
        epoch: i64,
        frames_per_host: i64,
        newest: i64,
    ) -> Envelope<TelemetryFrame> {
        let (index, seq) = (number % self.len(), (number / self.len()) as i64 + 1);
        let end = newest - (frames_per_host - seq) * FRAME_INTERVAL_MS;
        self.frame(index, epoch, seq, end)
    }

    pub fn backlog(&mut self, epoch: i64, frames_per_host: i64) -> Vec<Envelope<TelemetryFrame>> {
        let newest = now_ms();
        let count = self.len() * frames_per_host as usize;
        let frame = |number| self.frame_of_backlog(number, epoch, frames_per_host, newest);
        (0..count).map(frame).collect()
    }
}
