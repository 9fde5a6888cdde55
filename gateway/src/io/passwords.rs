//! Passwords: argon2id, two at once.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// A hash takes 19 MiB and some 20 ms of a core: two at once leave the machine to its work.
const HASHES_MAX: usize = 2;

#[derive(Clone)]
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    /// Verified where there is no such user, so that an answer takes as long as for one there is.
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) async fn new() -> Result<Self> {
        let nobody = tokio::task::spawn_blocking(|| hash("a password that nobody has")).await??;
        Ok(Self { permits: Arc::new(Semaphore::new(HASHES_MAX)), nobody: nobody.into() })
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String> {
        let _permit = self.permits.acquire().await.context("no more hashes are made")?;
        tokio::task::spawn_blocking(move || hash(&password)).await?
    }

    /// Whether the password belongs to the hash; `None` is a user who does not exist.
    pub(crate) async fn verify(&self, password: String, stored: Option<String>) -> Result<bool> {
        let permit =
            self.permits.clone().acquire_owned().await.context("no more hashes are made")?;
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        let right = tokio::task::spawn_blocking(move || {
            // Held until the work is done, even where the client has gone.
            let _permit = permit;
            verify(&password, &stored)
        })
        .await??;
        Ok(right && exists)
    }
}

fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow!("cannot hash a password: {error}"))?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool> {
    let stored = PasswordHash::new(stored)
        .map_err(|error| anyhow!("a stored password hash is ill: {error}"))?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_user_who_exists_is_right() {
        let passwords = Passwords::new().await.unwrap();
        let stored = passwords.hash("hunter42".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        for (password, hash, right) in [
            ("hunter42", Some(stored.clone()), true),
            ("hunter43", Some(stored), false),
            ("a password that nobody has", None, false),
        ] {
            assert_eq!(passwords.verify(password.into(), hash).await.unwrap(), right);
        }
    }
}
