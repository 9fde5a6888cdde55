//! Channels: where notifications go, and what a notice becomes on its way there.
//!
//! - A channel is a [`Definition`]. What is wrong with one is said with the field's name. Its
//!   secrets come in with it and are taken out of it: they are sealed beside it or looked up in the
//!   environment, and never written out again.
//! - A [`Notice`] is rendered anew at each attempt, by the channel as it is then: a wrong address
//!   that was put right is right for what waits, too.
//! - An attempt that failed in passing (a server that is away, slow or busy) is made again with
//!   growing pauses for a day. One that was refused is made a few times more, because a proxy in
//!   between may have spoken, and is then a dead letter. See [`retry`].
//! - A channel takes so many notifications a minute, whoever sends them; the rest waits. See
//!   [`pace`].
//!
//! Nothing here sends, waits, looks anything up or tells the time.

pub mod answer;
mod chat;
mod check;
mod definition;
pub mod kinds;
mod mail;
pub mod notice;
pub mod pace;
mod paging;
mod push;
mod render;
mod request;
pub mod retry;
pub mod seal;
pub mod secret;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod webhook;

pub use check::is_secret_header;
pub use definition::{Definition, KINDS, Kind, PER_MINUTE_DEFAULT, PER_MINUTE_MAX};
pub use notice::{Notice, NoticeKind, Ticket};
pub use render::{Unrenderable, render};
pub use request::{Mail, Message, Request};
pub use seal::{SealError, SealKey};
pub use secret::{MaybeSecret, Secret, SecretText, Secrets};
pub use template::FIELDS as TEMPLATE_FIELDS;
pub use text::cut;
pub use webhook::{EVENT_HEADER, SIGNATURE_HEADER, signature};
