//! A host that speaks through the agent's own journal and sender, and remembers for itself what it
//! said. Its values come from a seed; when it says them is the clock's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;
use async_nats::{Client, Message};
use futures::StreamExt;
use muster_agent::io::journal::JournalOptions;
use muster_agent::io::to_bus::{Resender, SendOptions, Sender};
use muster_agent::logic::journal_policy::JournalLimits;
use muster_agent::recorder::Recorder;
use muster_agent::service::heartbeat;
use muster_agent::simulate::SyntheticHost;
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::HostId;
use muster_schemas::codec::{decode, encode};
use muster_schemas::control::{Reply, ResendRequest};
use muster_schemas::inventory::{Inventory, InventoryItem, SystemInfo};
use muster_schemas::logs::{LogFrame, LogLine, Severity};
use muster_schemas::numbers::round_fraction;
use muster_schemas::signals::Signal;
use muster_schemas::telemetry::{
    Battery, Container, CustomMetric, Fan, Gpu, Sample, Sensor, SmartDisk, TelemetryFrame,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::published::Published;

/// A frame of each host comes about this often: much faster than an agent's, so that each blow
/// hits something.
const FRAME_EVERY_MS: std::ops::Range<u64> = 400..900;

const SAMPLES_PER_FRAME: i64 = 3;

const SAMPLE_INTERVAL_MS: i64 = 100;

const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// The simulated hosts' journals keep all, so that whatever the bus loses can be asked for again.
pub fn journal_options() -> JournalOptions {
    let limits = JournalLimits { bytes_max: 1 << 34, retain_after_ack_ms: 7 * 86_400_000 };
    JournalOptions { limits, durable: false }
}

pub struct Host {
    pub recorder: Arc<Recorder>,
    values: SyntheticHost,
    random: SmallRng,
    started: Instant,
    last_at: i64,
    kernel: i64,
    published: Published,
}

impl Host {
    pub fn open(id: HostId, directory: &Path, seed: u64) -> Result<Self> {
        let recorder = Recorder::open(id, directory, journal_options(), now_ms())?;
        let mut random = SmallRng::seed_from_u64(seed);
        let values = SyntheticHost::new(seed, &mut random);
        Ok(Self {
            recorder: Arc::new(recorder),
            values,
            random,
            started: Instant::now(),
            last_at: 0,
            kernel: 0,
            published: Published::default(),
        })
    }

    /// Speaks until told to stop; answers what it has said.
    pub async fn speak(mut self, stop: CancellationToken) -> Result<Published> {
        self.say_inventory()?;
        while !stop.is_cancelled() {
            self.say_frame()?;
            if self.random.random_bool(0.4) {
                self.say_lines()?;
            }
            if self.random.random_bool(0.3) {
                self.say_heartbeat()?;
            }
            if self.random.random_bool(0.03) {
                self.say_inventory()?;
            }
            let pause = self.random.random_range(FRAME_EVERY_MS);
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(Duration::from_millis(pause)) => {}
            }
        }
        Ok(self.published)
    }

    fn say_frame(&mut self) -> Result<()> {
        let first = (now_ms() - SAMPLES_PER_FRAME * SAMPLE_INTERVAL_MS).max(self.last_at + 1);
        let times = (0..SAMPLES_PER_FRAME).map(|place| first + place * SAMPLE_INTERVAL_MS);
        self.last_at = first + (SAMPLES_PER_FRAME - 1) * SAMPLE_INTERVAL_MS;
        let samples = times.map(|at| {
            let mut sample = self.values.sample(at, &mut self.random);
            equip(&mut sample, &mut self.random);
            sample
        });
        let samples = samples.collect();
        let frame = TelemetryFrame { samples };
        let seq = self.recorder.record(frame.clone(), now_ms())?;
        self.published.frame(seq, &frame);
        Ok(())
    }

    fn say_lines(&mut self) -> Result<()> {
        let line = |random: &mut SmallRng| LogLine {
            at: now_ms(),
            severity: Severity::Error,
            application: "chaos".into(),
            source: "/var/log/chaos.log".into(),
            message: format!("request {} failed", random.random::<u64>()),
            ..LogLine::default()
        };
        let count = self.random.random_range(1..5);
        let frame = LogFrame { lines: (0..count).map(|_| line(&mut self.random)).collect() };
        let seq = self.recorder.record(frame.clone(), now_ms())?;
        self.published.lines(seq, &frame);
        Ok(())
    }

    fn say_heartbeat(&mut self) -> Result<()> {
        let started = self.started;
        let mut said = None;
        let make =
            |journal: &_| said.insert(heartbeat(journal, HEARTBEAT_INTERVAL, started)).clone();
        let seq = self.recorder.record_heartbeat(now_ms(), make);
        let written = seq.zip(said).context("a heartbeat was not written to the journal")?;
        self.published.signal(written.0, Signal::Heartbeat(written.1));
        Ok(())
    }

    /// Now and then the same as before, and often what it was some time ago.
    fn say_inventory(&mut self) -> Result<()> {
        self.kernel = (self.kernel + self.random.random_range(0..3)) % 3;
        let kernel = format!("6.{}", self.kernel);
        let system = SystemInfo { kernel, ..SystemInfo::default() };
        let item = InventoryItem::System(Box::new(system));
        let inventory = Inventory { at: now_ms(), item };
        let seq = self.recorder.record(inventory.clone(), now_ms())?;
        self.published.inventory(seq, &inventory);
        Ok(())
    }
}

/// Gives a sample some of everything that has a table of its own.
fn equip(sample: &mut Sample, random: &mut SmallRng) {
    let mut share = || round_fraction(random.random_range(0.0..100.0));
    sample.sensors =
        ["cpu", "disk"].map(|name| Sensor { name: name.into(), celsius: share() }).into();
    sample.batteries =
        vec![Battery { name: "BAT0".into(), charge_percent: share(), ..Battery::default() }];
    sample.containers = ["web", "db"]
        .map(|name| Container {
            id: format!("0123456789{}", name.len()),
            name: name.into(),
            cpu_percent: share(),
            memory_bytes: sample.at % 1_000_003,
            ..Container::default()
        })
        .into();
    let wear_percent = Some(share());
    let (device, model) = ("sda".into(), "Disk of chaos".into());
    sample.smart_disks =
        vec![SmartDisk { device, model, passed: true, wear_percent, ..SmartDisk::default() }];
    sample.fans = vec![Fan { name: "fan1".into(), rpm: random.random_range(0..5000) }];
    let memory_used_bytes = Some(random.random_range(0..1 << 33));
    let (id, name) = ("0".into(), "Card of chaos".into());
    sample.gpus = vec![Gpu { id, name, memory_used_bytes, ..Gpu::default() }];
    sample.custom = ["in", "out"]
        .map(|queue| CustomMetric {
            name: "queue".into(),
            instance: format!("{{q=\"{queue}\"}}"),
            value: random.random(),
            unit: "jobs".into(),
        })
        .into();
}

/// Sends what the journal holds and serves what is asked for again, until told to stop.
pub fn serve(
    tasks: &mut JoinSet<()>,
    recorder: &Arc<Recorder>,
    bus: &Context,
    stop: &CancellationToken,
) {
    // Not throttled: what a run waits for at its end is the workers, not the hosts.
    let options = SendOptions { replay_bytes_per_s: 0 };
    let (sender, resender) = Sender::new(recorder.clone(), bus.clone(), options);
    tasks.spawn(sender.run(stop.clone()));
    let (client, host) = (bus.client().clone(), recorder.host().clone());
    let stop = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = answer_resends(client, host, resender) => {}
        }
    });
}

async fn answer_resends(client: Client, host: HostId, resender: Resender) {
    let subject = subjects::control(&host, "resend");
    let Ok(mut requests) = client.subscribe(subject).await else { return };
    while let Some(request) = requests.next().await {
        let reply = match resend(&request, &resender).await {
            Ok(reply) => reply,
            Err(error) => Reply::refused(format!("{error:#}")),
        };
        if let Some(to) = request.reply {
            let payload = encode(&reply).into();
            // The one who asked asks again.
            let _ = client.publish_with_headers(to, headers::msgpack(), payload).await;
        }
    }
}

async fn resend(request: &Message, resender: &Resender) -> Result<Reply> {
    let content_type = headers::content_type(request.headers.as_ref())?;
    let request: ResendRequest =
        decode(content_type, &request.payload).context("a request that cannot be read")?;
    Ok(match resender.resend(request).await {
        Ok(answer) => Reply::with(&answer),
        Err(reason) => Reply::refused(reason),
    })
}
