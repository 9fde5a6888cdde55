//! All sources of metrics: what each is called, how it is made, and what it brings into a sample.
//!
//! Which of them are on is for [`super::Collectors`], which is the only one to call this.

use muster_schemas::telemetry::Sample;

use super::host::Host;
use super::processes::ProcessTable;
use super::source::Collect;
use super::{CollectorSettings, custom, filesystems, gpus, hardware, kernel};
use super::{containers, services, smart};

/// How one source is made.
pub struct Maker {
    pub name: &'static str,
    pub make: Make,
    pub pace: Pace,
    /// The settings it is made of: where they change, it is made anew.
    pub made_of: fn(&CollectorSettings) -> String,
}

type Make = fn(&Host, &CollectorSettings) -> Box<dyn Collect>;

/// How a source is asked.
#[derive(Clone, Copy)]
pub enum Pace {
    /// At every sample, on a thread of all the quick ones; puts what it brought into the sample.
    Quick(fn(&mut Sample, Sample)),
    /// Now and then on a thread of its own; can be shared.
    Slow,
}

#[cfg(test)]
impl Maker {
    pub fn is_slow(&self) -> bool {
        matches!(self.pace, Pace::Slow)
    }
}

const fn quick(name: &'static str, make: Make, put: fn(&mut Sample, Sample)) -> Maker {
    Maker { name, make, pace: Pace::Quick(put), made_of: |_| String::new() }
}

const fn slow(name: &'static str, make: Make) -> Maker {
    Maker { name, make, pace: Pace::Slow, made_of: |_| String::new() }
}

pub const PROCESSES: &str = "processes";

/// In the order in which they are asked.
pub const MAKERS: &[Maker] = &[
    quick(
        "cpu",
        |host, _| Box::new(kernel::Processors::new(host)),
        |sample, part| {
            (sample.cpu, sample.load) = (part.cpu, part.load);
        },
    ),
    quick(
        "memory",
        |host, _| Box::new(kernel::MemoryUse::new(host)),
        |sample, part| {
            sample.memory = part.memory;
        },
    ),
    quick(
        "pressure",
        |host, _| Box::new(kernel::PressureStalls::new(host)),
        |sample, part| {
            sample.pressure = part.pressure;
        },
    ),
    quick(
        "disks",
        |host, _| Box::new(kernel::Disks::new(host)),
        |sample, part| {
            sample.disks = part.disks;
        },
    ),
    quick(
        "networks",
        |host, _| Box::new(kernel::Networks::new(host)),
        |sample, part| {
            sample.networks = part.networks;
        },
    ),
    quick(
        "sockets",
        |host, _| Box::new(kernel::SocketTables::new(host)),
        |sample, part| {
            (sample.sockets, sample.tcp_connections) = (part.sockets, part.tcp_connections);
        },
    ),
    quick(
        "file_descriptors",
        |host, _| Box::new(kernel::OpenFiles::new(host)),
        |sample, part| {
            sample.file_descriptors = part.file_descriptors;
        },
    ),
    Maker {
        made_of: |settings| settings.mask_arguments.join("\n"),
        ..quick(
            PROCESSES,
            |host, settings| Box::new(ProcessTable::masked_by(host, &settings.mask_arguments)),
            |sample, part| sample.processes = part.processes,
        )
    },
    slow("cpu", |host, _| Box::new(hardware::frequency(host))),
    slow("filesystems", |host, _| Box::new(filesystems::Filesystems::start(host))),
    slow("sensors", |host, _| Box::new(hardware::sensors(host))),
    slow("batteries", |host, _| Box::new(hardware::batteries(host))),
    slow("gpus", |host, _| Box::new(gpus::gpus(host))),
    slow("smart", |host, _| Box::new(smart::smart(host))),
    slow("containers", |host, _| Box::new(containers::containers(host))),
    slow("services", |host, _| Box::new(services::services(host))),
    Maker {
        made_of: |settings| settings.scripts_dir.to_string_lossy().into_owned(),
        ..slow("scripts", |_, settings| Box::new(custom::scripts(&settings.scripts_dir)))
    },
    Maker {
        made_of: |settings| settings.prometheus_urls.join(" "),
        ..slow("prometheus", |_, settings| Box::new(custom::prometheus(&settings.prometheus_urls)))
    },
];
