//! A bad configuration value: exit code 64 and one line that says all.

use std::process::Command;

use muster_stack::Service;

/// Runs a service's binary with one variable and answers its exit code and what it printed.
fn run(service: Service, variable: &str, value: &str) -> (Option<i32>, String) {
    let mut command = Command::new(service.binary().expect("the binary is built"));
    let output = command.env(variable, value).output().expect("the binary starts");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), printed)
}

fn check(service: Service, variable: &str, value: &str, line: &str) {
    let (code, printed) = run(service, variable, value);
    assert_eq!(code, Some(64), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert_eq!(printed.trim_end(), line);
}

#[test]
fn a_bad_value_ends_each_service_with_64_and_one_line() {
    check(
        Service::Agent,
        "MUSTER_AGENT_SAMPLE_INTERVAL",
        "0s",
        "muster-agent: sample_interval = \"0s\" (from environment variable \
         MUSTER_AGENT_SAMPLE_INTERVAL): allowed: 1s to 3600s",
    );
    check(
        Service::Agent,
        "MUSTER_AGENT_HOST_ID",
        "Web.3",
        "muster-agent: host_id = \"Web.3\" (from environment variable MUSTER_AGENT_HOST_ID): \
         allowed: [a-z0-9][a-z0-9-]{0,62}, or empty",
    );
    check(
        Service::IngestWorker,
        "MUSTER_INGEST_WORKER_BATCH_MESSAGES",
        "lots",
        "muster-ingest-worker: batch_messages = \"lots\" (from environment variable \
         MUSTER_INGEST_WORKER_BATCH_MESSAGES): allowed: a whole number, 0 or more",
    );
    check(
        Service::Gateway,
        "MUSTER_GATEWAY_LISTEN",
        "3000",
        "muster-gateway: listen = \"3000\" (from environment variable MUSTER_GATEWAY_LISTEN): \
         allowed: host:port, such as 127.0.0.1:0 or [::]:3000",
    );
    for service in [Service::AlertWorker, Service::Gateway] {
        let variable = service.env_key("POSTGRES_URL");
        let (code, printed) = run(service, &variable, "not a url");
        assert_eq!(code, Some(64), "{printed}");
        assert!(printed.contains(&format!("environment variable {variable}")), "{printed}");
        assert!(!printed.contains("not a url"), "a URL may hold a password: {printed}");
    }
}
