//! From a notice to what is sent, by the kind of channel.

use muster_schemas::Rejection;

use super::definition::{Definition, Kind};
use super::notice::Notice;
use super::request::{Message, Request, portable};
use super::secret::{MaybeSecret, Secrets};
use super::{chat, check, mail, paging, push, webhook};

/// Why nothing can be sent: somebody has to change the channel or the environment.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unrenderable {
    #[error("the secret of {0} is not there")]
    NoSecret(String),
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// What a notice becomes on this channel. `None`: this channel says nothing about it (a paging
/// service whose incident goes on while some of its tickets are closed). `secrets` has those that
/// were sealed and those of the environment.
pub fn render(
    definition: &Definition,
    secrets: &Secrets,
    notice: &Notice,
    now_ms: i64,
) -> Result<Option<Message>, Unrenderable> {
    let revealed = Revealed { secrets };
    let request = match &definition.kind {
        Kind::Webhook(webhook) => webhook::render(webhook, &revealed, notice, now_ms)?,
        Kind::Slack(chat) => chat::slack(chat, &revealed, notice)?,
        Kind::Mattermost(chat) => chat::mattermost(chat, &revealed, notice)?,
        Kind::Discord(_) => chat::discord(&revealed, notice)?,
        Kind::Teams(_) => chat::teams(&revealed, notice)?,
        Kind::PagerDuty(_) | Kind::Opsgenie(_) if paging::is_silent(notice) => return Ok(None),
        Kind::PagerDuty(events) => paging::pagerduty(events, &revealed, notice)?,
        Kind::Opsgenie(events) => paging::opsgenie(events, &revealed, notice)?,
        Kind::Ntfy(ntfy) => push::ntfy(ntfy, &revealed, notice)?,
        Kind::Gotify(gotify) => push::gotify(gotify, &revealed, notice)?,
        Kind::Telegram(telegram) => push::telegram(telegram, &revealed, notice)?,
        Kind::Email(email) => {
            return Ok(Some(Message::Mail(mail::render(email, &revealed, notice, now_ms)?)));
        }
    };
    Ok(Some(Message::Http(finish(request, notice))))
}

/// What every receiver is told: by whom, and which notification it is.
fn finish(request: Request, notice: &Notice) -> Request {
    request
        .with_header("User-Agent", concat!("Muster/", env!("CARGO_PKG_VERSION")))
        .with_header("Idempotency-Key", portable(&notice.key))
}

/// The secrets of a channel, as renderers ask for them.
pub(super) struct Revealed<'a> {
    secrets: &'a Secrets,
}

impl Revealed<'_> {
    pub(super) fn secret(&self, field: &str) -> Result<&str, Unrenderable> {
        let text = self.secrets.get(field).map(super::secret::SecretText::expose);
        text.ok_or_else(|| Unrenderable::NoSecret(field.to_owned()))
    }

    pub(super) fn open(&self, field: &str, value: &MaybeSecret) -> Result<String, Unrenderable> {
        match value {
            MaybeSecret::Open(text) => Ok(text.clone()),
            MaybeSecret::Secret(_) => self.secret(field).map(str::to_owned),
        }
    }

    pub(super) fn url(&self, field: &str, value: &MaybeSecret) -> Result<String, Unrenderable> {
        match value {
            MaybeSecret::Open(text) => Ok(text.clone()),
            MaybeSecret::Secret(_) => self.secret_url(field),
        }
    }

    /// One of the environment was not checked before.
    pub(super) fn secret_url(&self, field: &str) -> Result<String, Unrenderable> {
        let text = self.secret(field)?;
        check::secret_url(field, text)?;
        Ok(text.to_owned())
    }
}
