//! Mails to several, of whom one cannot get them.

use muster_alerts::channel::NoticeKind::{Opened, Resolved};
use muster_tests::wait::{eventually, expect};
use serde_json::json;

use super::mailbox::Mailbox;
use super::setup::Outbox;

const TO: [&str; 3] = ["ops@example.org", "gone@example.org", "full@example.org"];

async fn channel(outbox: &Outbox, mailbox: &Mailbox) -> i64 {
    let definition = json!({
        "kind": "email", "host": "127.0.0.1", "port": mailbox.port, "security": "none",
        "from": "muster@example.org", "to": TO,
    });
    outbox.add_channel(&definition).await
}

#[tokio::test]
async fn a_recipient_who_is_refused_is_shown_and_the_others_are_told_once() {
    let mut outbox = Outbox::start().await;
    let mailbox = Mailbox::start().await;
    mailbox.answer("gone@example.org", "550 no such user");
    let channel = channel(&outbox, &mailbox).await;
    let id = outbox.add(channel, "1/opened", Opened, &[1]).await;
    outbox.start_worker();
    let fate = outbox.wait_for(id, "sent").await;
    assert_eq!(mailbox.got(), ["ops@example.org", "full@example.org"]);
    let error = fate.error.unwrap();
    assert!(error.starts_with("gone@example.org: ") && error.contains("no such user"), "{error}");
    assert_eq!(fate.attempts, 1);
    outbox.stop().await;
}

#[tokio::test]
async fn a_recipient_who_cannot_get_it_yet_gets_it_later_and_the_others_do_not_get_it_again() {
    let mut outbox = Outbox::start().await;
    let mailbox = Mailbox::start().await;
    mailbox.answer("full@example.org", "452 mailbox full");
    let channel = channel(&outbox, &mailbox).await;
    let id = outbox.add(channel, "1/opened", Opened, &[1]).await;
    outbox.start_worker();
    eventually("the one who is missing is shown", async || {
        let error = outbox.fate(id).await.error.unwrap_or_default();
        expect(error.starts_with("full@example.org: "), true)
    })
    .await;
    outbox.execute("UPDATE notifications SET next_attempt_at = now() + interval '1 hour'").await;
    mailbox.answer("full@example.org", "550 no such user");
    let end = outbox.add(channel, "1/resolved", Resolved, &[1]).await;
    outbox.wait_for(end, "sent").await;
    mailbox.accept("full@example.org");
    outbox.execute("UPDATE notifications SET next_attempt_at = now()").await;
    let fate = outbox.wait_for(id, "sent").await;
    assert_eq!(fate.error, None);
    let [ops, gone, full] = TO;
    assert_eq!(mailbox.got(), [ops, gone, ops, gone, full]);
    assert_eq!(outbox.count("cardinality(told_to) = 2").await, 1);
    outbox.stop().await;
}
