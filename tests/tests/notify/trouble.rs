//! What does not get through: shown, bounded, and in nobody else's way.

use muster_alerts::channel::NoticeKind::{Opened, Test};
use muster_tests::wait::{eventually, expect};
use serde_json::json;

use super::receiver::Receiver;
use super::setup::{Fate, Outbox};

#[tokio::test]
async fn channels_that_hang_or_refuse_delay_no_other() {
    let mut outbox = Outbox::start().await;
    let (hung, well) = (Receiver::start().await, Receiver::start().await);
    hung.hold(true);
    let hung_channel = outbox.add_webhook(&hung.url).await;
    let mail = json!({
        "kind": "email", "host": "127.0.0.1", "port": 1, "security": "none",
        "from": "muster@example.org", "to": ["ops@example.org"],
    });
    let mail_channel = outbox.add_channel(&mail).await;
    let well_channel = outbox.add_webhook(&well.url).await;
    for number in 0..10 {
        outbox.add(hung_channel, &format!("hung/{number}"), Opened, &[number]).await;
    }
    let mail = outbox.add(mail_channel, "mail", Opened, &[1]).await;
    for number in 0..10 {
        outbox.add(well_channel, &format!("well/{number}"), Opened, &[number]).await;
    }
    outbox.start_worker();
    outbox.wait_for_count("state = 'sent'", 10).await;
    assert_eq!(well.keys().len(), 10);
    assert_eq!(
        outbox.count(&format!("claimed_by IS NOT NULL AND channel_id = {hung_channel}")).await,
        4
    );
    eventually("the mail server's absence is shown", async || {
        expect(outbox.fate(mail).await.error.is_some_and(|said| said.contains("refused")), true)
    })
    .await;
    hung.hold(false);
    outbox.wait_for_count("state = 'sent'", 20).await;
    outbox.stop().await;
}

#[tokio::test]
async fn what_a_killed_worker_had_is_sent_by_another_when_its_time_is_over() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let channel = outbox.add_webhook(&receiver.url).await;
    let left = outbox.add(channel, "left", Opened, &[1]).await;
    let held = outbox.add(channel, "held", Opened, &[2]).await;
    outbox
        .execute(&format!(
            "UPDATE notifications SET claimed_by = 'gone', attempts = 1,
            claimed_until = now() + CASE id WHEN {left} THEN interval '1 second'
                ELSE interval '1 hour' END"
        ))
        .await;
    outbox.start_worker();
    assert_eq!(outbox.wait_for(left, "sent").await.attempts, 2);
    let Fate { state, claimed_by, attempts, .. } = outbox.fate(held).await;
    assert_eq!((state.as_str(), claimed_by.as_deref(), attempts), ("pending", Some("gone"), 1));
    assert_eq!(receiver.keys(), ["left"]);
    outbox.stop().await;
}

#[tokio::test]
async fn a_worker_that_lost_its_row_writes_nothing_to_it() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    receiver.hold(true);
    let channel = outbox.add_webhook(&receiver.url).await;
    let lost = outbox.add(channel, "lost", Opened, &[1]).await;
    outbox.start_worker();
    eventually("it is under way", async || expect(receiver.keys().len(), 1)).await;
    outbox
        .execute(
            "UPDATE notifications SET claimed_by = 'another', attempts = 2,
            claimed_until = now() + interval '1 hour'",
        )
        .await;
    receiver.hold(false);
    let next = outbox.add(channel, "next", Opened, &[2]).await;
    outbox.wait_for(next, "sent").await;
    let expected = Fate {
        state: "pending".into(),
        attempts: 2,
        error: None,
        claimed_by: Some("another".into()),
    };
    assert_eq!(outbox.fate(lost).await, expected);
    outbox.stop().await;
}

#[tokio::test]
async fn a_refusal_becomes_a_dead_letter_that_says_why_without_the_secret() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(vec![(401, "wrong token: hush-hush")]);
    let definition = json!({ "kind": "webhook", "url": receiver.url, "secret": "hush-hush" });
    let channel = outbox.add_channel(&definition).await;
    let id = outbox.add(channel, "refused", Opened, &[1]).await;
    // As if it had been refused three times.
    outbox.execute("UPDATE notifications SET attempts = 3").await;
    outbox.start_worker();
    let fate = outbox.wait_for(id, "dead").await;
    assert_eq!(fate.error.as_deref(), Some("answered 401: wrong token: ***"));
    assert_eq!(fate.attempts, 4);
    outbox.stop().await;
}

#[tokio::test]
async fn a_test_that_fails_says_so_at_once() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(vec![(502, "no")]);
    let channel = outbox.add_webhook(&receiver.url).await;
    outbox.start_worker();
    let failed = outbox.add(channel, "test/1", Test, &[]).await;
    let fate = outbox.wait_for(failed, "dead").await;
    assert_eq!((fate.attempts, fate.error.as_deref()), (1, Some("answered 502: no")));
    let sent = outbox.add(channel, "test/2", Test, &[]).await;
    outbox.wait_for(sent, "sent").await;
    outbox.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_asked_too_often_is_left_alone() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(vec![(429, "slow down")]);
    let busy = outbox.add_webhook(&receiver.url).await;
    let first = outbox.add(busy, "first", Opened, &[1]).await;
    outbox.start_worker();
    eventually("the pause is remembered", async || {
        let sql = "SELECT paid_until > now() + interval '10 minutes' FROM channels";
        let row = outbox.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap();
        expect(row.get(0), Some(true))
    })
    .await;
    let second = outbox.add(busy, "second", Opened, &[2]).await;
    let other = outbox.add_webhook(&receiver.url).await;
    let third = outbox.add(other, "third", Opened, &[3]).await;
    outbox.wait_for(third, "sent").await;
    assert_eq!(outbox.fate(second).await.attempts, 0);
    assert_eq!(outbox.fate(first).await.state, "pending");
    assert_eq!(receiver.keys(), ["first", "third"]);
    outbox.stop().await;
}

#[tokio::test]
async fn what_is_a_day_old_or_of_a_channel_that_is_off_or_deleted_is_given_up() {
    let mut outbox = Outbox::start().await;
    let receiver = Receiver::start().await;
    let channel = outbox.add_webhook(&receiver.url).await;
    let off = outbox.add_webhook(&receiver.url).await;
    let old = outbox.add(channel, "old", Opened, &[1]).await;
    let mute = outbox.add(off, "mute", Opened, &[2]).await;
    let deleted = outbox.add_webhook(&receiver.url).await;
    let gone = outbox.add(deleted, "gone", Opened, &[3]).await;
    outbox
        .execute(&format!(
            "UPDATE notifications SET created_at = now() - interval '25 hours', error = 'away'
            WHERE id = {old};
        UPDATE channels SET enabled = false WHERE id = {off};
        UPDATE channels SET enabled = false, deleted_at = now() WHERE id = {deleted}"
        ))
        .await;
    outbox.start_worker();
    let fate = outbox.wait_for(old, "dead").await;
    assert_eq!(fate.error.as_deref(), Some("not sent within a day: away"));
    let fate = outbox.wait_for(mute, "dead").await;
    assert_eq!(fate.error.as_deref(), Some("its channel is switched off"));
    let fate = outbox.wait_for(gone, "dead").await;
    assert_eq!(fate.error.as_deref(), Some("its channel was deleted"));
    assert!(receiver.keys().is_empty());
    outbox.stop().await;
}
