//! Mails to a mail server.
//!
//! One attempt has thirty seconds for all of it and ten to connect. A server that says "later" (4xx:
//! busy, greylisting) is asked again; one that says "no" (5xx) has refused. What it says to one
//! recipient concerns nobody else: the mail goes to those it takes, and the answer says who they
//! are, so that nobody gets it twice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{self, Data, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::{Address, Message};
use muster_runtime::time::system_time;
use tokio::time::timeout;

use super::http::chain;
use super::tls::Roots;
use muster_alerts::channel::Mail;
use muster_alerts::channel::kinds::Security;
use muster_alerts::channel::retry::Failure;

/// A dozen answers in a row, of which a few are slow: servers look senders up.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// To connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// To take leave, which is only polite: what became of the mail is known by then.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// Who has got a mail and who has not: addresses, and those with the reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) told: Vec<String>,
    /// Refused for good.
    pub(crate) refused: Vec<String>,
    pub(crate) later: Vec<String>,
}

/// A mail as it goes out.
struct Prepared {
    message: Message,
    recipients: Vec<Address>,
    /// Addresses that are none.
    refused: Vec<String>,
    tls: Option<TlsParameters>,
}

/// One attempt, for those who are not among `told_to`. After a failure none of them has got it.
pub(crate) async fn send(
    mail: &Mail,
    told_to: &[String],
    roots: &Roots,
) -> Result<Delivery, Failure> {
    send_within(TIMEOUT, mail, told_to, roots).await
}

pub(super) async fn send_within(
    limit: Duration,
    mail: &Mail,
    told_to: &[String],
    roots: &Roots,
) -> Result<Delivery, Failure> {
    let mut prepared =
        prepare(mail, roots).map_err(|error| Failure::Refused { reason: format!("{error:#}") })?;
    prepared.recipients.retain(|to| !told_to.contains(&to.to_string()));
    if prepared.recipients.is_empty() {
        return Ok(Delivery { refused: prepared.refused, ..Delivery::default() });
    }
    let deliver = async {
        let mut connection =
            connect(mail, prepared.tls.clone()).await.map_err(|error| judge(&error))?;
        let outcome = hand_over(&mut connection, &prepared).await;
        let _ = timeout(LEAVE_TIMEOUT, connection.abort()).await;
        outcome
    };
    let passed = |_| Err(Failure::passing(format!("not taken within {limit:?}")));
    timeout(limit, deliver).await.unwrap_or_else(passed)
}

fn judge(error: &smtp::Error) -> Failure {
    let reason = chain(error);
    if error.is_permanent() || error.is_client() {
        return Failure::Refused { reason };
    }
    Failure::passing(reason)
}

fn prepare(mail: &Mail, roots: &Roots) -> Result<Prepared> {
    let (mut mailboxes, mut refused) = (Vec::new(), Vec::new());
    for to in &mail.to {
        match to.parse::<Mailbox>() {
            Ok(mailbox) => mailboxes.push(mailbox),
            Err(reason) => refused.push(format!("{to}: {reason}")),
        }
    }
    ensure!(!mailboxes.is_empty(), "no recipient's address can be used: {}", refused.join("; "));
    let recipients = mailboxes.iter().map(|mailbox| mailbox.email.clone()).collect();
    Ok(Prepared { message: message(mail, mailboxes)?, recipients, refused, tls: tls(mail, roots)? })
}

fn message(mail: &Mail, to: Vec<Mailbox>) -> Result<Message> {
    let mut builder = Message::builder()
        .from(mail.from.parse().context("the sender's address cannot be used")?)
        .subject(mail.subject.clone())
        .date(system_time(mail.at))
        .message_id(Some(mail.message_id.clone()))
        .in_reply_to(mail.thread_id.clone())
        .references(mail.thread_id.clone())
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    for mailbox in to {
        builder = builder.to(mailbox);
    }
    builder.body(mail.text.clone()).context("the mail cannot be written")
}

fn tls(mail: &Mail, roots: &Roots) -> Result<Option<TlsParameters>> {
    if mail.security == Security::None {
        return Ok(None);
    }
    let mut builder = TlsParameters::builder(mail.host.clone());
    for root in roots.own() {
        let certificate = Certificate::from_der(root.to_vec());
        builder = builder.add_root_certificate(certificate.context("no certificate authority")?);
    }
    builder.build_rustls().context("TLS is not available").map(Some)
}

async fn connect(
    mail: &Mail,
    tls: Option<TlsParameters>,
) -> Result<AsyncSmtpConnection, smtp::Error> {
    let (server, hello) = ((mail.host.as_str(), mail.port), ClientId::default());
    let (at_once, later) = match mail.security {
        Security::Starttls => (None, tls),
        Security::None | Security::Tls => (tls, None),
    };
    let limit = Some(CONNECT_TIMEOUT);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(server, limit, &hello, at_once, None).await?;
    if let Some(tls) = later {
        connection.starttls(tls, &hello).await?;
    }
    if let Some((username, password)) = &mail.credentials {
        let credentials = Credentials::new(username.clone(), password.expose().to_owned());
        connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
    }
    Ok(connection)
}

/// One mail to all that the server takes.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    prepared: &Prepared,
) -> Result<Delivery, Failure> {
    let text = prepared.message.formatted();
    let from = prepared.message.envelope().from().cloned();
    let parameters = parameters(connection, prepared, &text)?;
    connection
        .command(commands::Mail::new(from, parameters))
        .await
        .map_err(|error| judge(&error))?;
    let mut delivery = Delivery { refused: prepared.refused.clone(), ..Delivery::default() };
    for to in &prepared.recipients {
        match connection.command(Rcpt::new(to.clone(), Vec::new())).await {
            Ok(_) => delivery.told.push(to.to_string()),
            Err(error) => {
                let reason = format!("{to}: {}", chain(&error));
                match (error.is_permanent(), error.is_transient()) {
                    (true, _) => delivery.refused.push(reason),
                    (_, true) => delivery.later.push(reason),
                    _ => return Err(judge(&error)),
                }
            }
        }
    }
    if delivery.told.is_empty() {
        let is_final = delivery.later.is_empty();
        let reason = [delivery.later, delivery.refused].concat().join("; ");
        let refused = Failure::Refused { reason: reason.clone() };
        return Err(if is_final { refused } else { Failure::passing(reason) });
    }
    connection.command(Data).await.map_err(|error| judge(&error))?;
    connection.message(&text).await.map_err(|error| judge(&error))?;
    Ok(delivery)
}

/// What of the mail is beyond ASCII, which a server has to know beforehand.
fn parameters(
    connection: &AsyncSmtpConnection,
    prepared: &Prepared,
    text: &[u8],
) -> Result<Vec<MailParameter>, Failure> {
    let envelope = prepared.message.envelope();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let is_beyond = addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii());
    let mut parameters = Vec::new();
    for (is_needed, extension, parameter) in [
        (is_beyond, Extension::SmtpUtfEight, MailParameter::SmtpUtfEight),
        (
            !text.is_ascii(),
            Extension::EightBitMime,
            MailParameter::Body(MailBodyParameter::EightBitMime),
        ),
    ] {
        if is_needed && !connection.server_info().supports_feature(extension) {
            let reason = "the mail server takes nothing but ASCII".to_owned();
            return Err(Failure::Refused { reason });
        }
        if is_needed {
            parameters.push(parameter);
        }
    }
    Ok(parameters)
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
