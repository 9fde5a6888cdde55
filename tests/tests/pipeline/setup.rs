//! What most tests begin with.

use muster_stack::{Stack, StackOptions};
use muster_tests::api::Api;
use muster_tests::bus::Bus;
use muster_tests::database::Database;

pub struct Running {
    pub stack: Stack,
    pub bus: Bus,
    pub database: Database,
}

/// Starts a stack of its own for one test.
pub async fn start(options: StackOptions) -> Running {
    let stack = Stack::start(options).await.expect("the stack starts");
    let bus = Bus::connect(&stack.nats_url()).await.expect("the bus is there");
    bus.prepare().await.expect("the streams can be made");
    let database = Database::connect(&stack.postgres_url()).await.expect("the database is there");
    Running { stack, bus, database }
}

/// Bus, database, one ingest worker and a gateway, signed in as its administrator.
pub async fn start_with_gateway() -> (Running, Api) {
    let options = StackOptions { ingest_workers: 1, gateway: true, ..StackOptions::default() };
    let running = start(options).await;
    let api = sign_in(&running).await;
    (running, api)
}

/// The same with an alert worker.
pub async fn start_with_every_service() -> (Running, Api) {
    let (ingest_workers, alert_workers) = (1, 1);
    let running = start(StackOptions {
        ingest_workers,
        alert_workers,
        gateway: true,
        ..StackOptions::default()
    })
    .await;
    let api = sign_in(&running).await;
    (running, api)
}

/// As the gateway's administrator.
pub async fn sign_in(running: &Running) -> Api {
    let admin = running.stack.admin();
    let api = Api::sign_in(running.stack.gateway_url(), &admin.username, &admin.password).await;
    api.expect("the administrator can sign in")
}

/// So many ingest workers and nothing else.
pub async fn start_ingest(workers: usize) -> Running {
    start(StackOptions { ingest_workers: workers, ..StackOptions::default() }).await
}
