//! What the host is: told at the start and whenever it changed.

use std::sync::Arc;
use std::time::Duration;

use muster_runtime::now_ms;
use muster_schemas::inventory::{Inventory, InventoryItem, SystemInfo};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Agent;
use crate::io::system_info::{SystemOptions, SystemWatch};

/// A new address or a person who signs in is seen within a minute.
const LOOK_EVERY: Duration = Duration::from_secs(60);

pub(super) async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    let mut changes = agent.in_force.subscribe();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = start(&agent);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                let settings = changes.borrow_and_update().settings().clone();
                let (labels, location) = (settings.labels, settings.location);
                watch.apply(labels.unwrap_or_default(), location.unwrap_or_default());
            }
            _ = looks.tick() => {}
        }
        let looked = spawn_blocking(move || {
            let info = watch.look();
            (watch, info)
        });
        let Ok((back, info)) = looked.await else {
            warn!("the system's facts could not be read");
            watch = start(&agent);
            continue;
        };
        watch = back;
        if let Some(info) = info {
            record(&agent, info);
        }
    }
}

fn start(agent: &Agent) -> SystemWatch {
    let settings = agent.in_force.borrow().settings().clone();
    SystemWatch::new(SystemOptions {
        host_root: agent.config.host_root.clone(),
        labels: settings.labels.unwrap_or_default(),
        location: settings.location.unwrap_or_default(),
    })
}

fn record(agent: &Agent, info: SystemInfo) {
    let at = now_ms();
    let inventory = Inventory { at, item: InventoryItem::System(Box::new(info)) };
    if let Err(error) = agent.recorder.record(inventory, at) {
        warn!(%error, "the system's facts could not be written to the journal");
    }
}
