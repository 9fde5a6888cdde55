//! Pages that become notifications: what is told at once, what is gathered in a storm, which
//! incident it belongs to, and what is told to nobody. Time passes in the database only.

use muster_alert_worker::notify;
use muster_runtime::database;
use muster_tests::wait::{eventually, expect};
use serde_json::json;

use super::setup::Outbox;

/// A database with a default channel, a rule, and nobody who sends.
struct Desk {
    outbox: Outbox,
    rule: i64,
}

/// A notification as it waits to be sent.
#[derive(Debug, PartialEq)]
struct Told {
    kind: String,
    thread: String,
    open: i64,
    hosts: Vec<String>,
}

impl Desk {
    async fn start() -> Self {
        let outbox = Outbox::start().await;
        let channel = outbox.add_webhook("http://127.0.0.1:1/").await;
        outbox
            .execute(&format!("UPDATE channels SET is_default = true WHERE id = {channel}"))
            .await;
        let sql = "INSERT INTO rules (definition) VALUES ($1) RETURNING id";
        let definition = json!({ "condition": { "kind": "metric" } });
        let client = outbox.pool.get().await.unwrap();
        let rule = client.query_one(sql, &[&definition]).await.unwrap().get(0);
        Self { outbox, rule }
    }

    fn key(&self, host: &str) -> String {
        format!("{}/{host}//0", self.rule)
    }

    /// Tickets that are open, each with its page, as the engine writes them.
    async fn open(&self, hosts: &[&str]) {
        for host in hosts {
            let sql = "
                INSERT INTO alerts (key, rule_id, rule_version, host_id, metric, priority, status,
                    title, description, begun_at, opened_at)
                VALUES ($1, $2, 1, $3, 'filesystem.used_percent', 'critical', 'open', 'Disk', '',
                    now(), now())";
            let client = self.outbox.pool.get().await.unwrap();
            client.execute(sql, &[&self.key(host), &self.rule, host]).await.unwrap();
            self.page(host, "opened", 0).await;
        }
    }

    async fn end(&self, hosts: &[&str]) {
        for host in hosts {
            let sql = "
                UPDATE alerts SET status = 'resolved', resolved_at = now() WHERE key = $1";
            let client = self.outbox.pool.get().await.unwrap();
            client.execute(sql, &[&self.key(host)]).await.unwrap();
            self.page(host, "resolved", 0).await;
        }
    }

    /// A page that was due some seconds before it was written.
    async fn page(&self, host: &str, kind: &str, due_before_s: i64) {
        let sql = "
            INSERT INTO pages (key, alert_key, rule_id, kind, channels, request)
            SELECT $1::text || '/' || $2::text || '/0', $1, $3, $2, '{}', jsonb_build_object(
                'ticket', $1::text, 'kind', $2::text, 'number', 0, 'channels', '[]'::jsonb,
                'at', (extract(epoch FROM now()) * 1000)::bigint - $4::bigint * 1000)";
        let client = self.outbox.pool.get().await.unwrap();
        let columns = (self.key(host), kind, self.rule, due_before_s);
        client.execute(sql, &[&columns.0, &columns.1, &columns.2, &columns.3]).await.unwrap();
    }

    /// What is stored becomes so many seconds older.
    async fn pass(&self, seconds: u32) {
        self.outbox
            .execute(&format!(
                "UPDATE pages SET created_at = created_at - interval '{seconds} s';
                UPDATE notice_causes
                SET thread_began_at = thread_began_at - interval '{seconds} s',
                    came_at = ARRAY(
                        SELECT came - interval '{seconds} s' FROM unnest(came_at) AS came)"
            ))
            .await;
    }

    /// How many notifications are written when it is looked so many seconds later.
    async fn gather_after(&self, seconds: u32) -> u64 {
        self.pass(seconds).await;
        notify::gather(&self.outbox.pool).await.unwrap()
    }

    async fn told(&self) -> Vec<Told> {
        let sql = "SELECT kind, thread, (payload ->> 'open')::bigint, payload -> 'hosts'
            FROM notifications ORDER BY id";
        let client = self.outbox.pool.get().await.unwrap();
        let told = |row: &tokio_postgres::Row| Told {
            kind: row.get(0),
            thread: row.get(1),
            open: row.get(2),
            hosts: serde_json::from_value(row.get(3)).unwrap(),
        };
        client.query(sql, &[]).await.unwrap().iter().map(told).collect()
    }

    /// Of whom nobody was told, of what, and why.
    async fn untold(&self) -> Vec<(String, String, String)> {
        let sql = "
            SELECT host_id, detail ->> 'kind', detail ->> 'reason'
            FROM alert_history JOIN alerts ON alerts.id = alert_id
            WHERE alert_history.kind = 'told_nobody' ORDER BY alert_history.id";
        let client = self.outbox.pool.get().await.unwrap();
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    async fn number(&self, sql: &str) -> i64 {
        self.outbox.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn wait_for_somebody_who_waits(&self) {
        let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        eventually("somebody waits for a lock", async || expect(self.number(sql).await, 1)).await;
    }
}

const WAITING: &str = "SELECT count(*) FROM pages";

#[tokio::test]
async fn a_second_alert_of_a_rule_is_told_at_once_as_an_incident_of_its_own() {
    let desk = Desk::start().await;
    desk.open(&["db-1"]).await;
    assert_eq!(desk.gather_after(2).await, 1);
    desk.pass(38).await;
    desk.open(&["web-9"]).await;
    assert_eq!(desk.gather_after(2).await, 1);
    let told = desk.told().await;
    assert_eq!(told[0].hosts, ["db-1"]);
    assert_eq!(told[1].hosts, ["web-9"]);
    assert_ne!(told[0].thread, told[1].thread);
}

#[tokio::test]
async fn many_hosts_at_once_are_told_at_once_even_after_a_single_one() {
    let desk = Desk::start().await;
    desk.open(&["db-1"]).await;
    assert_eq!(desk.gather_after(2).await, 1);
    let hosts: Vec<String> = (0..200).map(|n| format!("web-{n:03}")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    desk.open(&hosts).await;
    assert_eq!(desk.gather_after(2).await, 1);
    assert_eq!(desk.told().await[1].hosts, hosts);
}

#[tokio::test]
async fn a_storm_is_one_incident_until_that_is_two_minutes_old() {
    let desk = Desk::start().await;
    desk.open(&["a1", "a2", "a3", "a4", "a5"]).await;
    assert_eq!(desk.gather_after(2).await, 1);
    for hosts in [
        ["b1", "b2", "b3", "b4", "b5"],
        ["c1", "c2", "c3", "c4", "c5"],
        ["d1", "d2", "d3", "d4", "d5"],
        ["e1", "e2", "e3", "e4", "e5"],
    ] {
        desk.open(&hosts).await;
        assert_eq!(desk.gather_after(2).await, 0);
        assert_eq!(desk.gather_after(29).await, 1);
    }
    let told = desk.told().await;
    assert_eq!(told[4].hosts, ["e1", "e2", "e3", "e4", "e5"]);
    assert!(told[..4].iter().all(|told_now| told_now.thread == told[0].thread), "{told:?}");
    assert_ne!(told[4].thread, told[0].thread);
}

#[tokio::test]
async fn hosts_that_are_offline_belong_together_from_the_second_on() {
    let desk = Desk::start().await;
    desk.outbox
        .execute("UPDATE rules SET definition = '{\"condition\": {\"kind\": \"offline\"}}'")
        .await;
    desk.open(&["a"]).await;
    assert_eq!(desk.gather_after(2).await, 1);
    desk.open(&["b"]).await;
    assert_eq!(desk.gather_after(2).await, 0);
    assert_eq!(desk.gather_after(29).await, 1);
    let told = desk.told().await;
    assert_eq!(told[0].thread, told[1].thread);
}

#[tokio::test]
async fn an_incident_that_is_closed_takes_no_other_ticket() {
    let desk = Desk::start().await;
    let first = ["a1", "a2", "a3", "a4", "a5"];
    desk.open(&first).await;
    assert_eq!(desk.gather_after(2).await, 1);
    desk.open(&["b1", "b2"]).await;
    desk.end(&first).await;
    assert_eq!(desk.gather_after(2).await, 1);
    assert_eq!(desk.gather_after(29).await, 1);
    let told = desk.told().await;
    assert_eq!((told[1].kind.as_str(), told[1].open), ("resolved", 0));
    assert_eq!(told[1].thread, told[0].thread);
    assert_eq!((told[2].kind.as_str(), told[2].hosts.len()), ("opened", 2));
    assert_ne!(told[2].thread, told[0].thread);
}

#[tokio::test]
async fn what_is_over_before_a_storm_is_told_is_told_to_nobody_and_its_history_says_so() {
    let desk = Desk::start().await;
    desk.open(&["a1", "a2", "a3", "a4", "a5"]).await;
    assert_eq!(desk.gather_after(2).await, 1);
    desk.open(&["b1", "b2"]).await;
    desk.end(&["b1"]).await;
    assert_eq!(desk.gather_after(31).await, 1);
    assert_eq!(desk.told().await[1].hosts, ["b2"]);
    let reason = "it was over while the tickets of a storm were gathered";
    assert_eq!(desk.untold().await, [("b1".into(), "opened".into(), reason.into())]);
    assert_eq!(desk.gather_after(0).await, 0);
    assert_eq!(desk.number(WAITING).await, 0);
    assert_eq!(desk.number("SELECT count(*) FROM alerts WHERE is_late").await, 0);
}

#[tokio::test]
async fn what_ends_while_it_is_gathered_is_waited_for_and_seen() {
    let desk = Desk::start().await;
    desk.open(&["a1", "a2", "a3", "a4", "a5"]).await;
    assert_eq!(desk.gather_after(2).await, 1);
    desk.open(&["b1"]).await;
    desk.pass(31).await;
    let mut client = desk.outbox.pool.get().await.unwrap();
    let decision = client.transaction().await.unwrap();
    let sql = "
        UPDATE alerts SET status = 'resolved', resolved_at = now() WHERE host_id = 'b1'";
    decision.execute(sql, &[]).await.unwrap();
    let pool = desk.outbox.pool.clone();
    let gathering = tokio::spawn(async move { notify::gather(&pool).await.unwrap() });
    desk.wait_for_somebody_who_waits().await;
    decision.commit().await.unwrap();
    assert_eq!(gathering.await.unwrap(), 0);
    assert_eq!(desk.untold().await.len(), 1);
}

#[tokio::test]
async fn a_worker_that_looked_before_another_told_takes_nothing_that_came_since() {
    let desk = Desk::start().await;
    desk.open(&["a1", "a2", "a3", "a4", "a5"]).await;
    desk.pass(2).await;
    let mut client = desk.outbox.pool.get().await.unwrap();
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE pages").await.unwrap();
    // Its one connection is ours between its look and its gathering.
    let slow = database::pool(&desk.outbox.url, "slow", 1).unwrap();
    let pool = slow.clone();
    let gathering = tokio::spawn(async move { notify::gather(&pool).await.unwrap() });
    desk.wait_for_somebody_who_waits().await;
    let pool = slow.clone();
    let next = tokio::spawn(async move { pool.get().await.unwrap() });
    eventually("its connection is ours next", async || expect(slow.status().waiting, 1)).await;
    lock.commit().await.unwrap();
    let held = next.await.unwrap();
    assert_eq!(notify::gather(&desk.outbox.pool).await.unwrap(), 1);
    desk.open(&["b1", "b2"]).await;
    desk.pass(2).await;
    drop(held);
    assert_eq!(gathering.await.unwrap(), 0);
    assert_eq!(desk.number(WAITING).await, 2);
    assert_eq!(desk.gather_after(29).await, 1);
    let told = desk.told().await;
    assert_eq!(told[0].thread, told[1].thread);
}

#[tokio::test]
async fn workers_that_gather_at_once_tell_one_notice() {
    let desk = Desk::start().await;
    let hosts: Vec<String> = (0..50).map(|n| format!("web-{n}")).collect();
    desk.open(&hosts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    desk.pass(2).await;
    let gathering = (0..6).map(|_| {
        let pool = desk.outbox.pool.clone();
        tokio::spawn(async move { notify::gather(&pool).await.unwrap() })
    });
    let mut written = 0;
    for gathering in gathering.collect::<Vec<_>>() {
        written += gathering.await.unwrap();
    }
    assert_eq!(written, 1);
    assert_eq!(desk.told().await[0].hosts.len(), 50);
}

#[tokio::test]
async fn a_page_without_a_ticket_holds_up_no_other() {
    let desk = Desk::start().await;
    desk.open(&["a"]).await;
    desk.page("ghost", "opened", 0).await;
    assert_eq!(desk.gather_after(2).await, 1);
    assert_eq!(desk.told().await[0].hosts, ["a"]);
    assert_eq!(desk.number(WAITING).await, 0);
}

#[tokio::test]
async fn escalations_that_are_told_to_nobody_are_in_the_history() {
    let desk = Desk::start().await;
    desk.open(&["unanswerable", "over"]).await;
    desk.page("unanswerable", "escalated", 300).await;
    assert_eq!(desk.gather_after(2).await, 1);
    desk.page("over", "escalated", 0).await;
    desk.end(&["over"]).await;
    assert_eq!(desk.gather_after(2).await, 0);
    let expected = [
        ("unanswerable", "escalated", "nobody had been told of the ticket yet"),
        ("over", "escalated", "it was over before it could be told"),
    ];
    let expected = expected.map(|(host, kind, why)| (host.into(), kind.into(), why.into()));
    assert_eq!(desk.untold().await, expected);
    assert_eq!(desk.gather_after(2).await, 1);
    assert_eq!(desk.told().await[1].kind, "resolved");
}
