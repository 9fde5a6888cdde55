//! Mail servers that take a mail, refuse it, want it later, or say nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::super::smtp::{self, Delivery};
use super::super::tls::Roots;
use super::mail_server::{MailServer, Script};
use super::{LONG, SHORT, identity};
use muster_alerts::channel::kinds::Security;
use muster_alerts::channel::retry::Failure;
use muster_alerts::channel::{Mail, SecretText};

fn mail(server: &MailServer) -> Mail {
    Mail {
        host: "localhost".into(),
        port: server.port,
        security: Security::None,
        credentials: None,
        from: "Muster <muster@example.org>".into(),
        to: vec!["ops@example.org".into(), "Boss <boss@example.org>".into()],
        subject: "[CRITICAL] Größe of /var".into(),
        text: "Zeile\n.\nmore\n".into(),
        message_id: "<42@example.org>".into(),
        thread_id: "<7.thread@example.org>".into(),
        at: 1_767_225_600_000,
    }
}

async fn send_within(limit: Duration, mail: &Mail, roots: &Roots) -> Result<Delivery, Failure> {
    smtp::send_within(limit, mail, &[], roots).await
}

async fn outcome(script: Script) -> Result<Delivery, Failure> {
    let server = MailServer::start(script, None).await;
    send_within(LONG, &mail(&server), &Roots::default()).await
}

fn times(server: &MailServer, wanted: &str) -> usize {
    server.said().iter().filter(|line| line.as_str() == wanted).count()
}

#[tokio::test]
async fn a_mail_arrives_with_its_ids_and_its_recipients() {
    let server = MailServer::start(Script::default(), None).await;
    send_within(LONG, &mail(&server), &Roots::default()).await.unwrap();
    let said = server.said();
    for line in [
        "MAIL FROM:<muster@example.org>",
        "RCPT TO:<ops@example.org>",
        "RCPT TO:<boss@example.org>",
        "Message-ID: <42@example.org>",
        "References: <7.thread@example.org>",
        "Auto-Submitted: auto-generated",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000",
        "Zeile",
        "more",
    ] {
        let is_there = said.iter().any(|known| known.starts_with(line));
        assert!(is_there, "no {line} in\n{}", said.join("\n"));
    }
    assert!(said.iter().any(|line| line.starts_with("Subject: [CRITICAL] =?utf-8?")));
}

#[tokio::test]
async fn a_server_that_wants_it_later_is_asked_again_and_one_that_refuses_is_not() {
    for (script, is_passing, expected) in [
        (Script { recipient: Some("451 greylisted"), ..Script::default() }, true, "451"),
        (Script { end: Some("452 no room"), ..Script::default() }, true, "452"),
        (Script { recipient: Some("550 who is that"), ..Script::default() }, false, "who is that"),
        (Script { end: Some("554 spam"), ..Script::default() }, false, "554"),
        (Script { closes_at_data: true, ..Script::default() }, true, ""),
    ] {
        let failure = outcome(script).await.unwrap_err();
        assert_eq!(matches!(failure, Failure::Passing { .. }), is_passing, "{failure:?}");
        assert!(failure.reason().contains(expected), "{failure:?}");
    }
}

#[tokio::test]
async fn one_recipient_who_is_refused_keeps_the_mail_from_nobody_else() {
    let some: &[_] = &[("boss", "550 no such user"), ("away", "452 mailbox full")];
    let server = MailServer::start(Script { some, ..Script::default() }, None).await;
    let mut mail = mail(&server);
    mail.to.extend(["away@example.org".into(), "not an address".into()]);
    let delivery = send_within(LONG, &mail, &Roots::default()).await.unwrap();
    assert_eq!(delivery.told, ["ops@example.org"]);
    assert_eq!((delivery.refused.len(), delivery.later.len()), (2, 1));
    assert!(delivery.refused[0].starts_with("not an address: "), "{delivery:?}");
    assert!(delivery.refused[1].starts_with("boss@example.org: "), "{delivery:?}");
    assert!(delivery.refused[1].contains("no such user"), "{delivery:?}");
    assert!(delivery.later[0].starts_with("away@example.org: "), "{delivery:?}");
    assert_eq!((times(&server, "DATA"), times(&server, "RCPT TO:<ops@example.org>")), (1, 1));

    // The next attempt is for the others.
    let failure = smtp::send_within(LONG, &mail, &delivery.told, &Roots::default()).await;
    assert!(matches!(failure, Err(Failure::Passing { .. })), "{failure:?}");
    assert_eq!((times(&server, "DATA"), times(&server, "RCPT TO:<ops@example.org>")), (1, 1));
    let all: Vec<String> = ["ops", "boss", "away"].map(|name| format!("{name}@example.org")).into();
    let delivery = smtp::send_within(LONG, &mail, &all, &Roots::default()).await.unwrap();
    assert_eq!((delivery.told.len(), delivery.refused.len()), (0, 1));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_for_now() {
    let server = MailServer::start(Script { is_silent: true, ..Script::default() }, None).await;
    let failure = send_within(SHORT, &mail(&server), &Roots::default()).await.unwrap_err();
    assert_eq!(failure, Failure::passing("not taken within 300ms"));
}

#[tokio::test]
async fn a_server_without_encryption_gets_neither_password_nor_mail() {
    let server = MailServer::start(Script::default(), None).await;
    let credentials = Some(("muster".to_owned(), SecretText::new("hush-hush")));
    let mail = Mail { security: Security::Starttls, credentials, ..mail(&server) };
    let failure = send_within(LONG, &mail, &Roots::default()).await.unwrap_err();
    assert!(!failure.reason().contains("hush"), "{failure:?}");
    let said = server.said();
    let told = said.iter().find(|line| line.starts_with("AUTH") || line.starts_with("MAIL"));
    assert_eq!(told, None);
}

#[tokio::test]
async fn a_password_goes_over_tls_to_a_server_that_is_believed() {
    let (config, roots) = identity();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = MailServer::start(Script::default(), Some(acceptor.clone())).await;
    let credentials = Some(("muster".to_owned(), SecretText::new("hush-hush")));
    let mail = Mail { security: Security::Tls, credentials, ..mail(&server) };
    let failure = send_within(LONG, &mail, &Roots::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Passing { .. }), "{failure:?}");
    assert!(server.said().is_empty());
    send_within(LONG, &mail, &roots).await.unwrap();
    assert!(server.said().iter().any(|line| line.starts_with("AUTH PLAIN ")));
    let strict = Script { password: Some("535 wrong"), ..Script::default() };
    let server = MailServer::start(strict, Some(acceptor)).await;
    let mail = Mail { port: server.port, ..mail };
    let failure = send_within(LONG, &mail, &roots).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused { .. }), "{failure:?}");
    assert!(!failure.reason().contains("hush"), "{failure:?}");
}
