//! Access tokens (JWT, HS256) and refresh tokens (random, kept as a hash).

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A stolen token is of use this long; the dashboard renews its own before.
pub(crate) const ACCESS_TOKEN_S: i64 = 900;

/// 256 bits, as many as the hash that signs with it or is made of it.
const SECRET_BYTES: usize = 32;

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The username.
    pub(crate) sub: String,
    pub(crate) role: String,
    pub(crate) iat: i64,
    /// Seconds since the Unix epoch.
    pub(crate) exp: i64,
}

pub(crate) struct Tokens {
    sign: EncodingKey,
    check: DecodingKey,
    rules: Validation,
}

impl Tokens {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        // All gateways and the database tell about the same time.
        rules.leeway = 0;
        Self {
            sign: EncodingKey::from_secret(secret),
            check: DecodingKey::from_secret(secret),
            rules,
        }
    }

    pub(crate) fn issue(&self, username: &str, role: &str, now_ms: i64) -> Result<String> {
        let iat = now_ms / 1_000;
        let (sub, role) = (username.to_owned(), role.to_owned());
        let claims = Claims { sub, role, iat, exp: iat + ACCESS_TOKEN_S };
        encode(&Header::default(), &claims, &self.sign).context("cannot sign a token")
    }

    /// The claims of a token that is ours and has not expired.
    pub(crate) fn check(&self, token: &str) -> Option<Claims> {
        decode(token, &self.check, &self.rules).map(|data| data.claims).ok()
    }
}

pub(crate) fn random_secret() -> [u8; SECRET_BYTES] {
    let mut secret = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    secret
}

/// A token for a cookie, and the hash of it for the database.
pub(crate) fn refresh_token() -> (String, Vec<u8>) {
    let token = BASE64_URL_SAFE_NO_PAD.encode(random_secret());
    let hash = hash_of(&token);
    (token, hash)
}

pub(crate) fn hash_of(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> i64 {
        muster_runtime::now_ms()
    }

    #[test]
    fn a_token_says_who_it_was_issued_for() {
        let tokens = Tokens::new(&[1; 32]);
        let claims = tokens.check(&tokens.issue("ada", "viewer", now()).unwrap()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.role.as_str()), ("ada", "viewer"));
    }

    #[test]
    fn expired_foreign_and_unsigned_tokens_are_refused() {
        let tokens = Tokens::new(&[1; 32]);
        let expired = tokens.issue("ada", "admin", now() - 901_000).unwrap();
        let foreign = Tokens::new(&[2; 32]).issue("ada", "admin", now()).unwrap();
        let good = tokens.issue("ada", "admin", now()).unwrap();
        let claims = good.split('.').nth(1).unwrap();
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let unsigned = format!("{header}.{claims}.");
        for bad in [expired.as_str(), &foreign, &unsigned, "", "a.b.c"] {
            assert_eq!(tokens.check(bad), None, "{bad}");
        }
    }
}
