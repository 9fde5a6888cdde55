//! Mails to a mail server.
//!
//! One attempt has thirty seconds for all of it and ten for each answer. A server that says "later"
//! (4xx: busy, greylisting) is asked again; one that says "no" (5xx) has refused. A mail to several
//! goes to all of them or to none.

use std::time::Duration;

use anyhow::{Context, Result};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use muster_runtime::time::system_time;
use tokio::time::timeout;

use super::http::chain;
use super::tls::Roots;
use muster_alerts::channel::Mail;
use muster_alerts::channel::kinds::Security;
use muster_alerts::channel::retry::Failure;

/// A dozen answers in a row, of which a few are slow: servers look senders up.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// One answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// One attempt.
pub(crate) async fn send(mail: &Mail, roots: &Roots) -> Result<(), Failure> {
    send_within(TIMEOUT, mail, roots).await
}

pub(super) async fn send_within(
    limit: Duration,
    mail: &Mail,
    roots: &Roots,
) -> Result<(), Failure> {
    let prepared = message(mail).and_then(|message| Ok((message, transport(mail, roots)?)));
    let (message, transport) =
        prepared.map_err(|error| Failure::Refused { reason: format!("{error:#}") })?;
    match timeout(limit, transport.send(message)).await {
        Err(_) => Err(Failure::passing(format!("not taken within {limit:?}"))),
        Ok(Err(error)) => Err(judge(&error)),
        Ok(Ok(_)) => Ok(()),
    }
}

fn judge(error: &smtp::Error) -> Failure {
    let reason = chain(error);
    if error.is_permanent() || error.is_client() {
        return Failure::Refused { reason };
    }
    Failure::passing(reason)
}

fn message(mail: &Mail) -> Result<Message> {
    let mut builder = Message::builder()
        .from(mail.from.parse().context("the sender's address cannot be used")?)
        .subject(mail.subject.clone())
        .date(system_time(mail.at))
        .message_id(Some(mail.message_id.clone()))
        .in_reply_to(mail.thread_id.clone())
        .references(mail.thread_id.clone())
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    for to in &mail.to {
        builder = builder.to(to.parse().context("a recipient's address cannot be used")?);
    }
    builder.body(mail.text.clone()).context("the mail cannot be written")
}

fn transport(mail: &Mail, roots: &Roots) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
    let tls = match mail.security {
        Security::None => Tls::None,
        Security::Starttls => Tls::Required(parameters(mail, roots)?),
        Security::Tls => Tls::Wrapper(parameters(mail, roots)?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
        .port(mail.port)
        .timeout(Some(ANSWER_TIMEOUT))
        .tls(tls);
    if let Some((username, password)) = &mail.credentials {
        let password = password.expose().to_owned();
        builder = builder.credentials(Credentials::new(username.clone(), password));
    }
    Ok(builder.build())
}

fn parameters(mail: &Mail, roots: &Roots) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(mail.host.clone());
    for root in roots.own() {
        let certificate = Certificate::from_der(root.to_vec());
        builder = builder.add_root_certificate(certificate.context("no certificate authority")?);
    }
    builder.build_rustls().context("TLS is not available")
}

/// Tells programs that answer mails while their owner is away not to answer this one.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}
