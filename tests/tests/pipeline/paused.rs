//! A process that is stopped and goes on later: it believes that no time has passed.

use std::collections::BTreeSet;
use std::process::Command;

use muster_runtime::now_ms;
use muster_stack::StackOptions;
use muster_tests::bus::TestHost;
use muster_tests::database::{Database, exactly_once};
use muster_tests::wait::{eventually, expect};

use crate::setup::{Running, start_ingest};

/// Stopped processes, which go on when the test ends, however it ends: one that is stopped could
/// not end either.
pub struct Paused {
    pids: Vec<u32>,
}

impl Paused {
    /// Stops a process and its children, parents first: a stopped parent has no more of them.
    pub fn tree(pid: u32) -> Self {
        let mut paused = Self { pids: vec![pid] };
        let mut next = 0;
        while next < paused.pids.len() {
            let pid = paused.pids[next];
            send("-STOP", pid);
            paused.pids.extend(children(pid));
            next += 1;
        }
        paused
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        for pid in &self.pids {
            send("-CONT", *pid);
        }
    }
}

fn send(signal: &str, pid: u32) {
    // It may have ended meanwhile.
    let _ = Command::new("kill").args([signal, &pid.to_string()]).status();
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let lists: String = lists.collect::<Vec<_>>().join(" ");
    lists.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Short enough for a test to see what half a minute and a minute do in earnest.
fn impatient(running: &Running) -> StackOptions {
    let url = running.stack.postgres_url();
    let separator = if url.contains('?') { '&' } else { '?' };
    let options = "options=-c%20idle_in_transaction_session_timeout%3D3s";
    StackOptions::default()
        .env("MUSTER_INGEST_WORKER_ACK_WAIT", "2s")
        .env("MUSTER_INGEST_WORKER_POSTGRES_URL", format!("{url}{separator}{options}"))
}

async fn wait_for_ledger(running: &Running, host: &TestHost, received: &str) {
    eventually(&format!("the ledger says {received}"), async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some((received.into(), "{}".into())))
    })
    .await;
}

#[tokio::test]
async fn a_worker_paused_in_mid_transaction_doubles_nothing_and_holds_nobody_up_for_long() {
    let mut running = start_ingest(0).await;
    let options = impatient(&running);
    running.stack.add("ingest-worker-1", &options).unwrap();
    let host = TestHost::new("web-1");
    let at = now_ms() - 60_000;
    let times: Vec<i64> = (0..41).map(|n| at + n * 1000).collect();
    running.bus.publish_frame(&host.frame(1, &times[..1]), "").await.unwrap();
    wait_for_ledger(&running, &host, "{[1,2)}").await;

    // The worker has written its rows and waits for the ledger's when it is stopped.
    let mut locker = Database::connect(&running.stack.postgres_url()).await.unwrap();
    let lock = locker.client.transaction().await.unwrap();
    lock.execute("SELECT FROM ledger WHERE host_id = 'web-1' FOR UPDATE", &[]).await.unwrap();
    for (seq, at) in (2..).zip(&times[1..]) {
        running.bus.publish_frame(&host.frame(seq, &[*at]), "").await.unwrap();
    }
    eventually("the worker waits in its transaction", async || {
        let sql = "
            SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'muster-ingest-worker' AND wait_event_type = 'Lock'
              AND query LIKE '%UPDATE ledger%'";
        let waiting: i64 = running.database.client.query_one(sql, &[]).await.unwrap().get(0);
        if waiting > 0 { Ok(()) } else { Err("nobody waits".to_owned()) }
    })
    .await;
    let paused = Paused::tree(running.stack.pid("ingest-worker-1").unwrap().unwrap());
    lock.rollback().await.unwrap();

    running.stack.add("ingest-worker-2", &options).unwrap();
    wait_for_ledger(&running, &host, "{[1,42)}").await;
    drop(paused);
    eventually("nothing waits for an acknowledgement", async || {
        let stream = running.bus.context.get_stream("TELEMETRY").await.unwrap();
        let info = stream.consumer_info("ingest-telemetry").await.unwrap();
        expect((info.num_pending, info.num_ack_pending), (0, 0))
    })
    .await;
    // The paused one is at work again.
    running.stack.kill9("ingest-worker-2").await.unwrap();
    running.bus.publish_frame(&host.frame(42, &[now_ms()]), "").await.unwrap();
    wait_for_ledger(&running, &host, "{[1,43)}").await;
    let published: BTreeSet<i64> = times.iter().copied().collect();
    let mut stored = running.database.sample_times(&host.id).await.unwrap();
    stored.retain(|at| *at <= times[40]);
    exactly_once(&published, &stored).unwrap();
}
