//! A channel's secrets in the clear: opened with the key, or looked up in the environment.

use std::env;

use muster_alerts::channel::retry::Failure;
use muster_alerts::channel::{Definition, SealKey, Secret, SecretText, Secrets};

/// Whatever is missing can be put right by an operator while the notification waits.
pub(crate) fn reveal(
    definition: &Definition,
    sealed: Option<&[u8]>,
    key: Option<&SealKey>,
) -> Result<Secrets, Failure> {
    let stored = match (sealed, key) {
        (None, _) => Secrets::default(),
        (Some(_), None) => {
            return Err(Failure::passing("there is no key for the channel's secrets"));
        }
        (Some(sealed), Some(key)) => {
            key.open(sealed).map_err(|error| Failure::passing(error.to_string()))?
        }
    };
    let mut revealed = Secrets::default();
    for (field, secret) in definition.secrets() {
        match secret {
            Secret::Given(text) => revealed.insert(field, text),
            Secret::Stored => match stored.get(&field) {
                Some(text) => revealed.insert(field, text.clone()),
                None => return Err(Failure::passing(format!("no secret is stored for {field}"))),
            },
            Secret::Env(name) => match env::var(&name) {
                Ok(text) => revealed.insert(field, SecretText::new(text.trim_end())),
                Err(_) => {
                    return Err(Failure::passing(format!("{name} is not in the environment")));
                }
            },
        }
    }
    Ok(revealed)
}
