//! Passwords made by the machine.

use rand::RngExt;
use rand::distr::Alphanumeric;

/// 24 letters and digits carry 142 bits, and need no escaping in an address or a shell.
const PASSWORD_CHARS: usize = 24;

pub fn password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect()
}
