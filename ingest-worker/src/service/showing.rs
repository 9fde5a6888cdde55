//! What changes although nothing happens: the lag and the hold of a worker that is kept waiting.

use anyhow::Result;
use muster_runtime::meter::Meters;
use muster_runtime::now_ms;
use muster_runtime::workers::TELL_EVERY;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Keeps the gauges true until told to stop.
pub(super) async fn show(meters: Meters, stop: CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        let now = now_ms();
        for (channel, work) in meters.state(now).channels {
            let held_ms = work.held.map_or(0, |held| now - held.at);
            let set = |name: &'static str, value: f64| {
                metrics::gauge!(name, "channel" => channel.clone()).set(value);
            };
            set("muster_ingest_lag_seconds", work.lag_ms as f64 / 1000.0);
            set("muster_ingest_held_seconds", held_ms as f64 / 1000.0);
            set("muster_ingest_messages_per_second", work.messages_per_s);
            set("muster_ingest_rows_per_second", work.rows_per_s);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(TELL_EVERY) => {}
        }
    }
    Ok(())
}
