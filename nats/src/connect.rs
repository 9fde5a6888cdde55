//! A connection that comes back by itself, and says in the log what became of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::{Client, ConnectOptions, Event};
use rand::RngExt;
use tokio::sync::Notify;
use tracing::{debug, info, warn};

/// How long the first attempt may take before it is tried again in the background.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to reconnect.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(4);

/// The broker is asked for a sign of life this often; two missed ones end the connection. Half of
/// a live view's lease, so that a dead connection is noticed before a viewer gives up.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// A client's pending deliveries for one subscription. One telemetry frame is about 5 kB, so this
/// bounds a stalled subscriber to some 40 MB.
const SUBSCRIPTION_CAPACITY: usize = 8192;

#[derive(Debug, Clone)]
pub struct BusOptions {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// A NATS credentials file, where the broker wants one.
    pub credentials: Option<PathBuf>,
    /// Shown in the broker's list of connections.
    pub name: String,
    /// Replies come to `<prefix>.>`; a host may listen to nothing but its own.
    pub inbox_prefix: Option<String>,
    /// Told of each connection that was made, the first included. The client drops what it has to
    /// tell while too much of it waits: who must not miss one also looks at how many there were.
    pub connected: Option<Arc<Notify>>,
}

/// Connects, or goes on trying in the background: a process starts whether or not the bus is
/// there, and works as soon as it is.
pub async fn connect(options: BusOptions) -> Result<Client> {
    let (url, is_told) = (options.url.clone(), AtomicBool::new(false));
    let mut connect = ConnectOptions::new()
        .name(&options.name)
        .retry_on_initial_connect()
        .connection_timeout(CONNECT_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            tell(&event, &url, &is_told);
            if let (Event::Connected, Some(connected)) = (&event, &options.connected) {
                connected.notify_one();
            }
            std::future::ready(())
        });
    if let Some(prefix) = options.inbox_prefix {
        connect = connect.custom_inbox_prefix(prefix);
    }
    if let Some(path) = options.credentials {
        connect = connect
            .credentials_file(&path)
            .await
            .with_context(|| format!("cannot read the bus credentials in {}", path.display()))?;
    }
    let servers: Vec<&str> = options.url.split(',').map(str::trim).collect();
    connect
        .connect(servers)
        .await
        .with_context(|| format!("cannot connect to the bus at {}", options.url))
}

/// Doubles from 50 ms, with jitter: ten thousand agents must not come back in one instant.
fn reconnect_delay(attempts: usize) -> Duration {
    let exponent = u32::try_from(attempts.min(8)).unwrap_or(8);
    let ceiling = (Duration::from_millis(50) * 2u32.pow(exponent)).min(RECONNECT_DELAY_MAX);
    ceiling.mul_f64(rand::rng().random_range(0.5..1.0))
}

/// An outage is told once, however often it is tried to end it.
fn tell(event: &Event, url: &str, is_told: &AtomicBool) {
    match event {
        Event::Connected => {
            is_told.store(false, Ordering::Relaxed);
            info!("connected to the bus");
        }
        Event::ClientError(error) if is_told.swap(true, Ordering::Relaxed) => {
            debug!(%error, "the bus is still away");
        }
        Event::ClientError(error) => {
            // What an address holds before the @ is not for logs.
            let addresses = url.split(',').map(|url| url.rsplit('@').next().unwrap_or_default());
            let addresses = addresses.collect::<Vec<_>>().join(", ");
            warn!(%error, "the bus at {addresses} cannot be reached; trying on");
        }
        Event::Disconnected => warn!("lost the connection to the bus"),
        Event::ServerError(error) => warn!(%error, "the bus refused something"),
        Event::SlowConsumer(id) => warn!(subscription = id, "too slow: the bus skipped messages"),
        other => info!("bus: {other}"),
    }
}
