//! From what a host suspects to a ticket and to whoever is told, once, whoever dies meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_alerts::Rule;
use muster_alerts::channel::{Notice, NoticeKind};
use muster_nats::Stream;
use muster_runtime::now_ms;
use muster_schemas::Partition;
use muster_schemas::codec::{ContentType, decode};
use muster_schemas::conditions::CandidateState::{Breached, Cleared, StillBreached};
use muster_schemas::conditions::{Context, Directory};
use muster_schemas::events::Event;
use muster_stack::StackOptions;
use muster_tests::bus::TestHost;
use muster_tests::wait::{eventually, expect};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::time::sleep;

use crate::desk::{Desk, cpu_rule};
use crate::hook::Hook;

/// Hosts of the test in which workers die.
const HOSTS: usize = 200;

/// Episodes of each of them: fewer than are called flapping.
const ROUNDS: i64 = 4;

async fn event_kinds(desk: &Desk) -> Vec<String> {
    let stored = desk.running.bus.read_all(Stream::Events).await.unwrap();
    let kind = |payload: &[u8]| {
        let event: Event = decode(ContentType::Msgpack, payload).unwrap();
        event.kind.as_str().to_owned()
    };
    stored.iter().map(|message| kind(&message.payload)).collect()
}

#[tokio::test]
async fn a_breach_is_a_ticket_and_a_notification_and_so_is_its_end() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let rule = desk.rule(&cpu_rule()).await;
    desk.start_workers(1);
    let (host, since) = (TestHost::new("web-1"), now_ms());
    desk.say(&host, &rule, Breached, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened"]).await;
    desk.say(&host, &rule, StillBreached, since).await;
    desk.say(&host, &rule, Cleared, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened", "resolved"]).await;

    let sql = "
        SELECT count(*) FROM alerts
        WHERE status = 'resolved' AND resolution = 'recovered' AND host_id = 'web-1'
          AND title = 'CPU of web-1 at 95 %' AND resolved_at >= opened_at AND thread IS NOT NULL";
    assert_eq!(desk.number(sql).await, 1);
    assert_eq!(desk.running.database.count("alerts").await.unwrap(), 1);
    assert_eq!(desk.running.database.count("pages").await.unwrap(), 0);
    let notices: Vec<_> = desk.hook.notices().into_values().collect();
    let thread = &notices[0].thread;
    assert!(notices.iter().all(|notice| notice.thread == *thread && notice.count == 1));
    let ended = notices.iter().find(|notice| notice.kind == NoticeKind::Resolved).unwrap();
    assert_eq!(ended.open, 0);
    eventually("the events are published", async || {
        expect(event_kinds(&desk).await, vec!["alert_opened".into(), "alert_resolved".into()])
    })
    .await;
}

#[tokio::test]
async fn a_ticket_takes_the_largest_directories_when_its_host_has_found_them() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let mut definition = cpu_rule();
    definition["description"] = "Largest: {{top_directories}}.".into();
    let rule = desk.rule(&definition).await;
    desk.start_workers(1);
    let (host, since) = (TestHost::new("web-1"), now_ms());
    desk.say(&host, &rule, Breached, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened"]).await;
    let directories = vec![Directory { path: "/var/log".into(), bytes: 1 << 30 }];
    desk.context = Context { directories, directories_partial: true, ..Context::default() };
    desk.say(&host, &rule, StillBreached, since).await;
    let sql = "
        SELECT count(*) FROM alerts
        WHERE context -> 'directories' -> 0 ->> 'path' = '/var/log'
          AND (context ->> 'directories_partial')::boolean";
    desk.wait_for("the ticket has the directories", sql, 1).await;
    desk.say(&host, &rule, Cleared, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened", "resolved"]).await;
    let notices = desk.hook.notices();
    let described = |kind| {
        let notice = notices.values().find(|notice| notice.kind == kind).unwrap();
        notice.tickets[0].description.as_str()
    };
    assert_eq!(described(NoticeKind::Opened), "Largest: not known yet.");
    let found = "Largest: /var/log (1 GiB); not all was looked at.";
    assert_eq!(described(NoticeKind::Resolved), found);
}

#[tokio::test]
async fn default_rules_are_made_once_and_not_again_after_they_were_deleted() {
    let mut desk = Desk::new(StackOptions::default()).await;
    desk.start_workers(2);
    let count = muster_alerts::defaults::default_rules().len() as i64;
    let sql = "SELECT count(*) FROM rules WHERE is_default AND deleted_at IS NULL";
    desk.wait_for("the default rules are there", sql, count).await;
    desk.execute("UPDATE rules SET deleted_at = now()").await;
    desk.running.stack.stop("alert-worker-1").await.unwrap();
    desk.running.stack.restart("alert-worker-1").await.unwrap();
    desk.wait_for("both are at work again", OWNERS, 2).await;
    assert_eq!(desk.number(sql).await, 0);
    assert_eq!(desk.number("SELECT count(*) FROM rule_versions").await, count);
}

#[tokio::test]
async fn nobody_is_told_of_what_is_silenced_until_the_silence_ends() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let rule = desk.rule(&cpu_rule()).await;
    desk.execute(
        "INSERT INTO silences (selector, reason, author, starts_at, ends_at)
         VALUES ('id=quiet', 'maintenance', 'ann', now() - interval '1 hour',
                 now() + interval '1 hour')",
    )
    .await;
    desk.start_workers(1);
    let (quiet, loud) = (TestHost::new("quiet"), TestHost::new("loud"));
    let since = now_ms();
    desk.say(&quiet, &rule, Breached, since).await;
    let sql = "SELECT count(*) FROM alerts WHERE is_silenced AND host_id = 'quiet'";
    desk.wait_for("the ticket is opened, marked", sql, 1).await;
    desk.say(&loud, &rule, Breached, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened"]).await;
    assert_eq!(desk.hook.notices().into_values().next().unwrap().hosts, ["loud"]);

    desk.execute("UPDATE silences SET ended_at = now(), ended_by = 'ann'").await;
    desk.wait_for_kinds(&desk.hook, &["opened", "opened"]).await;
    let sql = "SELECT count(*) FROM alerts WHERE NOT is_silenced AND host_id = 'quiet'";
    assert_eq!(desk.number(sql).await, 1);
}

#[tokio::test]
async fn a_ticket_escalates_unless_somebody_has_acknowledged_it() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let boss = Hook::start().await;
    let channel = desk.channel("boss", &boss.url, false).await;
    let mut definition = cpu_rule();
    definition["escalation"] = json!([{ "after_s": 20, "channels": [channel] }]);
    // What is resolved by hand and still holds would be a new ticket at once.
    definition["cooldown_s"] = json!(3600);
    let rule = desk.rule(&definition).await;
    desk.start_workers(1);
    let (host, since) = (TestHost::new("web-1"), now_ms());
    desk.say(&host, &rule, Breached, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened"]).await;
    command(&desk, "acknowledged").await;
    desk.wait_for("the owner has heard of it", COMMANDS, 0).await;
    let told = "SELECT count(*) FROM events WHERE kind = 'alert_changed'";
    assert_eq!(desk.number(told).await, 1);

    // Long after it was due, it is taken back.
    desk.wait_for("it would have escalated", OLD_ENOUGH, 1).await;
    assert_eq!(boss.kinds(), Vec::<&str>::new());
    command(&desk, "unacknowledged").await;
    desk.wait_for_kinds(&boss, &["escalated"]).await;
    command(&desk, "resolved").await;
    desk.wait_for_kinds(&boss, &["escalated", "resolved"]).await;
    desk.wait_for_kinds(&desk.hook, &["opened", "resolved"]).await;
    let sql = "SELECT count(*) FROM alerts WHERE resolution = 'by_hand'";
    desk.wait_for("it stays resolved by hand", sql, 1).await;
}

const COMMANDS: &str = "SELECT count(*) FROM alert_commands";
const OLD_ENOUGH: &str = "SELECT count(*) FROM alerts WHERE opened_at < now() - interval '23 s'";

/// As the gateway writes it, the ticket left out.
async fn command(desk: &Desk, kind: &str) {
    let sql = "INSERT INTO alert_commands (alert_key, kind, by) SELECT key, $1, 'ann' FROM alerts";
    desk.running.database.client.execute(sql, &[&kind]).await.unwrap();
}

#[tokio::test]
async fn what_is_told_late_is_a_ticket_that_says_so_and_pages_nobody() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let rule = desk.rule(&cpu_rule()).await;
    desk.start_workers(1);
    let host = TestHost::new("web-1");
    let hour_ago = now_ms() - 3_600_000;
    desk.say_at(&host, &rule, Breached, hour_ago, hour_ago).await;
    desk.say_at(&host, &rule, Cleared, hour_ago, hour_ago + 60_000).await;
    let sql = "
        SELECT count(*) FROM alerts
        WHERE is_late AND status = 'resolved' AND opened_at < now() - interval '50 minutes'";
    desk.wait_for("the late ticket is there", sql, 1).await;
    let other = TestHost::new("web-2");
    desk.say(&other, &rule, Breached, now_ms()).await;
    desk.wait_for_kinds(&desk.hook, &["opened"]).await;
    assert_eq!(desk.hook.notices().into_values().next().unwrap().hosts, ["web-2"]);
}

#[tokio::test]
async fn what_the_database_refuses_costs_none_of_its_neighbours() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let rule = desk.rule(&cpu_rule()).await;
    desk.execute("ALTER TABLE alerts ADD CHECK (host_id <> 'web-5')").await;
    let since = now_ms();
    for n in 0..200 {
        desk.say(&TestHost::new(&format!("web-{n}")), &rule, Breached, since).await;
    }
    desk.start_workers(1);
    desk.wait_for("all others have their ticket", "SELECT count(*) FROM alerts", 199).await;
    desk.say(&TestHost::new("web-5"), &rule, Cleared, since).await;
    desk.say(&TestHost::new("web-6"), &rule, Cleared, since).await;
    let sql = "SELECT count(*) FROM alerts WHERE status = 'resolved'";
    desk.wait_for("it goes on afterwards", sql, 1).await;
}

#[tokio::test]
async fn what_the_database_refuses_when_it_is_due_costs_none_of_its_neighbours() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let boss = Hook::start().await;
    let channel = desk.channel("boss", &boss.url, false).await;
    let mut definition = cpu_rule();
    definition["escalation"] = json!([{ "after_s": 1, "channels": [channel] }]);
    let rule = desk.rule(&definition).await;
    desk.execute(
        "ALTER TABLE pages ADD CHECK (kind <> 'escalated' OR alert_key NOT LIKE '%/bad/%')",
    )
    .await;
    desk.start_workers(1);
    let bad = TestHost::new("bad");
    let partition = Partition::of(&bad.id);
    let mut neighbours = (0..).map(|n| TestHost::new(&format!("web-{n}")));
    let good = neighbours.find(|host| Partition::of(&host.id) == partition).unwrap();
    let since = now_ms();
    desk.say(&bad, &rule, Breached, since).await;
    desk.say(&good, &rule, Breached, since).await;
    desk.wait_for_kinds(&boss, &["escalated"]).await;
    assert_eq!(boss.notices().into_values().next().unwrap().hosts, [good.id.to_string()]);
}

/// Hosts that lose their network together: their heartbeats were due at other times.
const LOST_HOSTS: usize = 60;

#[tokio::test]
async fn hosts_that_are_missed_one_after_the_other_are_told_in_two_or_three_notices() {
    let mut desk = Desk::new(StackOptions::default()).await;
    // The default rules have one about it.
    desk.start_workers(2);
    desk.wait_for("somebody decides", OWNED, 33).await;
    for n in 0..LOST_HOSTS {
        lose(&desk, &TestHost::new(&format!("web-{n}"))).await;
        sleep(Duration::from_millis(200)).await;
    }
    let sql = "SELECT count(*) FROM alerts WHERE metric = 'host.offline'";
    desk.wait_for("each has its ticket", sql, LOST_HOSTS as i64).await;
    desk.wait_for("all are told", WAITING, 0).await;
    let is_offline = |notice: &Notice| notice.tickets[0].metric.as_deref() == Some("host.offline");
    let notices: Vec<_> = desk.hook.notices().into_values().filter(is_offline).collect();
    let told: u32 = notices.iter().map(|notice| notice.count).sum();
    assert_eq!(told as usize, LOST_HOSTS);
    assert!((2..=3).contains(&notices.len()), "{} notices", notices.len());
    assert!(notices.iter().all(|notice| notice.thread == notices[0].thread));
}

const OWNED: &str = "SELECT count(*) FROM alert_partitions WHERE owner IS NOT NULL";

const WAITING: &str = "
    SELECT (SELECT count(*) FROM pages)
         + (SELECT count(*) FROM notifications WHERE state = 'pending')";

/// As the worker writes it that has missed a host.
async fn lose(desk: &Desk, host: &TestHost) {
    let sql = "
        WITH gone AS (
            INSERT INTO host_presence (host_id, status, status_since, heartbeat_at,
                heartbeat_interval_ms)
            VALUES ($1, 'offline', now(), now(), 3600000)
        )
        INSERT INTO presence_changes (partition, host_id, status, at, was, was_since)
        SELECT partition, $1, 'offline', now(), 'online', now() - interval '1 hour'
        FROM unnest($2::integer[]) AS owner (partition)";
    let partitions = vec![Partition::of(&host.id).number(), Partition::FLEET.number()];
    let client = &desk.running.database.client;
    client.execute(sql, &[&host.id.as_str(), &partitions]).await.unwrap();
}

#[tokio::test]
async fn what_was_over_while_nobody_could_be_told_is_told_to_nobody() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let rule = desk.rule(&cpu_rule()).await;
    desk.start_workers(1);
    let since = now_ms();
    desk.say(&TestHost::new("over"), &rule, Breached, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened"]).await;
    // As if it had been decided by a worker that comes back after an hour.
    desk.running.stack.stop("alert-worker-1").await.unwrap();
    desk.execute(
        "UPDATE alerts SET thread = NULL, status = 'resolved', resolved_at = now();
        INSERT INTO pages (key, alert_key, rule_id, kind, channels, request)
        SELECT key || '/' || kind || '/9', key, rule_id, kind, '{}', jsonb_build_object(
            'ticket', key, 'kind', kind, 'number', 9, 'channels', '[]'::jsonb,
            'at', (extract(epoch FROM now() - interval '1 hour') * 1000)::bigint)
        FROM alerts CROSS JOIN unnest(ARRAY['opened', 'escalated', 'resolved']) AS of (kind);
        UPDATE pages SET created_at = created_at - interval '50 minutes'",
    )
    .await;
    desk.running.stack.restart("alert-worker-1").await.unwrap();
    desk.wait_for("nothing waits", WAITING, 0).await;
    // That it began, and that nobody answered.
    let sql = "SELECT count(*) FROM alert_history WHERE kind = 'told_nobody'";
    assert_eq!(desk.number(sql).await, 2);
    assert_eq!(desk.number("SELECT count(*) FROM alerts WHERE is_late").await, 1);
    assert_eq!(desk.hook.kinds(), ["opened"]);
}

#[tokio::test]
async fn a_page_to_a_channel_that_is_off_is_seen_and_an_end_is_told_once_with_a_link() {
    let options = StackOptions::default()
        .env("MUSTER_ALERT_WORKER_PUBLIC_URL", "https://muster.example.org/");
    let mut desk = Desk::new(options.clone()).await;
    let off = desk.channel("off", &desk.hook.url, false).await;
    desk.execute(&format!("UPDATE channels SET enabled = false WHERE id = {off}")).await;
    let on = desk.channel("on", &desk.hook.url, false).await;
    let mut definition = cpu_rule();
    definition["channels"] = json!([off]);
    definition["escalation"] = json!([
        { "after_s": 1, "channels": [on] },
        { "after_s": 2, "channels": [on, off] },
    ]);
    let rule = desk.rule(&definition).await;
    desk.running.stack.add("alert-worker-1", &options).unwrap();
    let (host, since) = (TestHost::new("web-1"), now_ms());
    desk.say(&host, &rule, Breached, since).await;
    desk.wait_for_kinds(&desk.hook, &["escalated", "escalated"]).await;
    desk.say(&host, &rule, Cleared, since).await;
    desk.wait_for_kinds(&desk.hook, &["escalated", "escalated", "resolved"]).await;
    desk.wait_for("all is told", WAITING, 0).await;
    assert_eq!(desk.hook.kinds(), ["escalated", "escalated", "resolved"]);
    let dead = format!(
        "SELECT count(*) FROM notifications WHERE channel_id = {off} AND state = 'dead'
            AND kind = 'opened' AND error = 'its channel is switched off'"
    );
    assert_eq!(desk.number(&dead).await, 1);
    let sql = "SELECT count(*) FROM alert_history WHERE kind = 'told_nobody'";
    assert_eq!(desk.number(sql).await, 1);
    let id = desk.number("SELECT id FROM alerts").await;
    let expected = format!("https://muster.example.org/alerts/{id}");
    for notice in desk.hook.notices().into_values() {
        assert_eq!(notice.tickets[0].url.as_deref(), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn an_agent_judges_by_the_rules_and_a_host_that_is_gone_is_a_ticket() {
    let options = StackOptions {
        ingest_workers: 1,
        alert_workers: 2,
        gateway: true,
        agent: true,
        ..StackOptions::default()
    }
    .env("MUSTER_AGENT_HOST_ID", "watched")
    .env("MUSTER_AGENT_LABELS", "role=web")
    .env("MUSTER_AGENT_SAMPLE_INTERVAL", "1s")
    .env("MUSTER_AGENT_PUBLISH_INTERVAL", "2s")
    .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "3s");
    let mut desk = Desk::new(options).await;
    let rule = |name: &str, selector: &str| {
        json!({
            "name": name, "priority": "low", "title": "{{value}} processes on {{host}}",
            "selector": selector,
            "condition": { "kind": "metric", "metric": "processes.total", "op": "above",
                           "threshold": 0.0 },
        })
    };
    let mine = desk.rule(&rule("mine", "role=web")).await;
    let other = desk.rule(&rule("other", "role=db")).await;
    let of = |rule: &Rule| format!("SELECT count(*) FROM alerts WHERE rule_id = {}", rule.id);
    desk.wait_for("the agent has said that it is breached", &of(&mine), 1).await;
    assert_eq!(desk.number(&of(&other)).await, 0);

    desk.running.stack.kill9("agent").await.unwrap();
    let offline = "
        SELECT count(*) FROM alerts
        WHERE metric = 'host.offline' AND host_id = 'watched' AND status = ";
    desk.wait_for("the host is offline", &format!("{offline} 'open'"), 1).await;
    desk.running.stack.restart("agent").await.unwrap();
    desk.wait_for("the host is back", &format!("{offline} 'resolved'"), 1).await;
    assert_eq!(desk.number(&format!("{offline} 'open'")).await, 0);
    eventually("somebody was told of both", async || {
        let kinds = desk.hook.kinds();
        if kinds.contains(&"opened") && kinds.contains(&"resolved") {
            return Ok(());
        }
        Err(format!("{kinds:?}"))
    })
    .await;
}

/// Kills, pauses or wakes one of two workers, such that one is at work in the end.
async fn trouble(desk: &mut Desk, dice: &mut StdRng) {
    let stack = &mut desk.running.stack;
    let part = if dice.random_bool(0.5) { "alert-worker-1" } else { "alert-worker-2" };
    match dice.random_range(0..3) {
        0 => {
            stack.kill9(part).await.unwrap();
            stack.restart(part).await.unwrap();
        }
        1 => {
            // Others take over what it has, while it sleeps in the middle of whatever it does.
            stack.pause(part).unwrap();
            desk.wait_for("one worker has everything", OWNERS, 1).await;
            desk.running.stack.resume(part).unwrap();
        }
        _ => {
            stack.stop(part).await.unwrap();
            stack.restart(part).await.unwrap();
        }
    }
}

/// The same each time, unless somebody wants to see others: `MUSTER_ALERTS_SEED`.
fn seed() -> u64 {
    std::env::var("MUSTER_ALERTS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(5)
}

const OWNERS: &str = "SELECT count(DISTINCT coalesce(owner, '')) FROM alert_partitions";

#[tokio::test]
async fn each_episode_is_one_ticket_and_is_told_whoever_is_killed_or_paused() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let rule = desk.rule(&cpu_rule()).await;
    desk.start_workers(2);
    let mut dice = StdRng::seed_from_u64(seed());
    let hosts: Vec<TestHost> = (0..HOSTS).map(|n| TestHost::new(&format!("web-{n}"))).collect();
    for round in 1..=ROUNDS {
        let since = now_ms();
        for (n, host) in hosts.iter().enumerate() {
            desk.say(host, &rule, Breached, since).await;
            if n == HOSTS / 2 {
                trouble(&mut desk, &mut dice).await;
            }
        }
        let expected = round * HOSTS as i64;
        let sql = "SELECT count(*) FROM alerts";
        desk.wait_for("each host has its ticket", sql, expected).await;
        trouble(&mut desk, &mut dice).await;
        // What is over before a storm is told would be told to nobody.
        let sql = "SELECT count(*) FROM pages WHERE kind = 'opened'";
        desk.wait_for("somebody is told of each", sql, 0).await;
        for host in &hosts {
            desk.say(host, &rule, Cleared, since).await;
        }
        let sql = "SELECT count(*) FROM alerts WHERE status = 'resolved'";
        desk.wait_for("all of them are over", sql, expected).await;
    }
    check_episodes(&desk, ROUNDS * HOSTS as i64).await;
}

async fn check_episodes(desk: &Desk, episodes: i64) {
    desk.wait_for("everything is told", WAITING, 0).await;
    let sql = "SELECT count(DISTINCT (host_id, begun_at)) FROM alerts";
    assert_eq!(desk.number(sql).await, episodes);
    for kind in ["opened", "resolved"] {
        let history = format!(
            "SELECT count(*) FROM (SELECT alert_id FROM alert_history WHERE kind = '{kind}'
                GROUP BY alert_id HAVING count(*) = 1) AS once"
        );
        assert_eq!(desk.number(&history).await, episodes, "{kind} in the history");
        let told = format!(
            "SELECT count(*) FROM (SELECT unnest(alert_ids) AS id FROM notifications
                WHERE kind = '{kind}' AND state = 'sent') AS told"
        );
        assert_eq!(desk.number(&told).await, episodes, "{kind} in notifications");
    }
    let sql = "SELECT count(*) FROM alerts WHERE is_flapping OR is_late OR is_silenced";
    assert_eq!(desk.number(sql).await, 0);
    // What came at the channel names every host, whatever came twice.
    let notices = desk.hook.notices();
    let opened = notices.values().filter(|notice| notice.kind == NoticeKind::Opened);
    let count: u32 = opened.clone().map(|notice| notice.count).sum();
    assert_eq!(i64::from(count), episodes);
    let named: BTreeSet<&String> = opened.flat_map(|notice| &notice.hosts).collect();
    assert_eq!(named.len(), HOSTS);
}
