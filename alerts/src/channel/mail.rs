//! A notice as a mail: plain text, one subject, and ids by which a second copy can be recognised.

use super::kinds::Email;
use super::notice::Notice;
use super::render::{Revealed, Unrenderable};
use super::request::{Mail, digest};
use super::secret::SecretText;
use super::text;

/// The longest subject, in bytes: what a list of mails shows, twice.
const SUBJECT_BYTES_MAX: usize = 200;

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

pub(super) fn render(
    email: &Email,
    revealed: &Revealed<'_>,
    notice: &Notice,
    now_ms: i64,
) -> Result<Mail, Unrenderable> {
    let credentials = match &email.username {
        None => None,
        Some(username) => {
            let password = SecretText::new(revealed.secret("password")?);
            Some((username.clone(), password))
        }
    };
    let domain = email.from.rsplit_once('@').map_or("muster", |(_, domain)| domain);
    let domain = domain.trim_end_matches('>');
    let headline = text::headline(notice).replace(['\r', '\n', '\t'], " ");
    Ok(Mail {
        host: email.host.clone(),
        port: email.port,
        security: email.security,
        credentials,
        from: email.from.clone(),
        to: email.to.clone(),
        subject: text::cut(&headline, SUBJECT_BYTES_MAX),
        text: format!("{}\n", text::body(notice, TEXT_BYTES_MAX)),
        message_id: format!("<{}@{domain}>", digest(&notice.key)),
        thread_id: format!("<{}.thread@{domain}>", digest(&notice.thread)),
        at: now_ms,
    })
}
