//! What gets through: once, in order, at its pace, with its secrets.

use muster_alert_worker::notify::Options;
use muster_alerts::Priority;
use muster_alerts::channel::NoticeKind::{Opened, Resolved};
use muster_tests::wait::{eventually, expect};
use serde_json::json;

use super::receiver::Receiver;
use super::setup::Outbox;

#[tokio::test]
async fn three_workers_send_each_notification_once() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let mut sent = Vec::new();
    for channel in 0..5 {
        let id = outbox.add_webhook(&receiver.url).await;
        for number in 0..8 {
            let key = format!("{channel}/opened/{number}");
            outbox.add(id, &key, Opened, &[number]).await;
            sent.push(key);
        }
    }
    for _ in 0..3 {
        outbox.start_worker();
    }
    outbox.wait_for_count("state = 'sent' AND attempts = 1 AND claimed_by IS NULL", 40).await;
    let mut keys = receiver.keys();
    keys.sort_unstable();
    assert_eq!(keys, sent);
    outbox.stop().await;
}

#[tokio::test]
async fn a_server_that_answers_500_gets_it_again_under_the_same_key() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(vec![(500, "a bug")]);
    let channel = outbox.add_webhook(&receiver.url).await;
    let id = outbox.add(channel, "1/opened", Opened, &[1]).await;
    outbox.start_worker();
    eventually("the failure is shown", async || {
        expect(outbox.fate(id).await.error.as_deref(), Some("answered 500: a bug"))
    })
    .await;
    let fate = outbox.wait_for(id, "sent").await;
    assert_eq!((fate.attempts, fate.error), (2, None));
    assert_eq!(receiver.keys(), ["1/opened", "1/opened"]);
    outbox.stop().await;
}

#[tokio::test]
async fn resolved_does_not_overtake_opened() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let channel = outbox.add_webhook(&receiver.url).await;
    let opened = outbox.add(channel, "1/opened", Opened, &[1, 2]).await;
    outbox.add(channel, "1/resolved", Resolved, &[2]).await;
    // As if it had not got through just now.
    let later = "attempts = 1, next_attempt_at = now() + interval '1 hour'";
    outbox.execute(&format!("UPDATE notifications SET {later} WHERE id = {opened}")).await;
    outbox.start_worker();
    let other = outbox.add(channel, "2/opened", Opened, &[3]).await;
    outbox.wait_for(other, "sent").await;
    assert_eq!(receiver.keys(), ["2/opened"]);
    outbox.execute("UPDATE notifications SET next_attempt_at = now()").await;
    outbox.wait_for_count("state = 'sent'", 3).await;
    assert_eq!(receiver.keys(), ["2/opened", "1/opened", "1/resolved"]);
    outbox.stop().await;
}

#[tokio::test]
async fn what_is_critical_does_not_wait_behind_what_is_not() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let slow = json!({ "kind": "webhook", "url": receiver.url, "per_minute": 1 });
    let channel = outbox.add_channel(&slow).await;
    let sent = [
        ("low", Opened, Priority::Low),
        ("high/over", Resolved, Priority::High),
        ("high", Opened, Priority::High),
        ("critical", Opened, Priority::Critical),
    ];
    for (key, kind, priority) in sent {
        outbox.add_urgent(channel, key, kind, priority).await;
    }
    outbox.start_worker();
    for sent in 1..=4 {
        outbox.wait_for_count("state = 'sent'", sent).await;
        outbox.execute("UPDATE channels SET paid_until = NULL").await;
    }
    assert_eq!(receiver.keys(), ["critical", "high", "high/over", "low"]);
    outbox.stop().await;
}

#[tokio::test]
async fn the_end_of_an_incident_waits_for_its_beginning_and_a_beginning_for_no_other() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let channel = outbox.add_webhook(&receiver.url).await;
    let slow = outbox.add_to("storm", channel, "1/opened", Opened, &[1]).await;
    let later = "attempts = 1, next_attempt_at = now() + interval '1 hour'";
    outbox.execute(&format!("UPDATE notifications SET {later} WHERE id = {slow}")).await;
    let second = outbox.add_to("storm", channel, "2/opened", Opened, &[2]).await;
    outbox.add_to("storm", channel, "3/resolved", Resolved, &[3]).await;
    outbox.start_worker();
    outbox.wait_for(second, "sent").await;
    let other = outbox.add(channel, "4/resolved", Resolved, &[4]).await;
    outbox.wait_for(other, "sent").await;
    assert_eq!(receiver.keys(), ["2/opened", "4/resolved"]);
    outbox.execute("UPDATE notifications SET next_attempt_at = now()").await;
    outbox.wait_for_count("state = 'sent'", 4).await;
    assert_eq!(receiver.keys(), ["2/opened", "4/resolved", "1/opened", "3/resolved"]);
    outbox.stop().await;
}

#[tokio::test]
async fn a_channel_takes_its_rate_however_many_workers_there_are() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let slow = json!({ "kind": "webhook", "url": receiver.url, "per_minute": 1 });
    let slow = outbox.add_channel(&slow).await;
    let quick = outbox.add_webhook(&receiver.url).await;
    for number in 0..20 {
        outbox.add(slow, &format!("slow/{number}"), Opened, &[number]).await;
    }
    for _ in 0..3 {
        outbox.start_worker();
    }
    outbox.wait_for_count("state = 'sent'", 1).await;
    let last = outbox.add(quick, "quick", Opened, &[1]).await;
    outbox.wait_for(last, "sent").await;
    assert_eq!(receiver.keys(), ["slow/0", "quick"]);
    assert_eq!(outbox.count("attempts = 0 AND state = 'pending'").await, 19);
    outbox.stop().await;
}

#[tokio::test]
async fn a_sealed_secret_is_opened_where_it_is_used_and_only_with_the_key() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let definition = json!({
        "kind": "webhook",
        "url": receiver.url,
        "headers": { "Authorization": { "value": "Bearer hush-hush" } },
    });
    let channel = outbox.add_channel(&definition).await;
    let id = outbox.add(channel, "1/opened", Opened, &[1]).await;
    outbox.start_worker_with(Options::default());
    eventually("the missing key is shown", async || {
        let expected = "there is no key for the channel's secrets";
        expect(outbox.fate(id).await.error.as_deref(), Some(expected))
    })
    .await;
    assert!(receiver.keys().is_empty());
    outbox.start_worker();
    eventually("it is sent by the worker that has the key", async || {
        outbox.execute("UPDATE notifications SET next_attempt_at = now()").await;
        expect(outbox.fate(id).await.state.as_str(), "sent")
    })
    .await;
    assert_eq!(receiver.headers("authorization"), ["Bearer hush-hush"]);
    outbox.stop().await;
}
