//! Sealing of a channel's secrets: XChaCha20-Poly1305 with a key that is not in the database.
//!
//! A sealed text is a version byte, four bytes that tell keys apart (so that "another key" can be
//! told from "damaged"), a nonce and the ciphertext. The nonce is an argument: it has to be random,
//! and at 192 bits may be so for ever. Where the key comes from is the caller's business.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use super::secret::Secrets;

pub const KEY_BYTES: usize = 32;
pub const NONCE_BYTES: usize = 24;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Binds a sealed text to its purpose: nothing else that is sealed with this key can pass for it.
const PURPOSE: &[u8] = b"muster channel secrets";

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the stored secrets were sealed with another key")]
    OtherKey,
    #[error("the stored secrets are damaged")]
    Damaged,
}

#[derive(Clone)]
pub struct SealKey {
    cipher: XChaCha20Poly1305,
    id: [u8; KEY_ID_BYTES],
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(***)")
    }
}

impl SealKey {
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"muster key id").chain_update(key).finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Self { cipher: XChaCha20Poly1305::new(&(*key).into()), id }
    }

    /// Reads a key of 64 hexadecimal digits, as `openssl rand -hex 32` prints it.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.trim().as_bytes();
        if digits.len() != 2 * KEY_BYTES {
            return None;
        }
        let mut key = [0; KEY_BYTES];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Some(Self::new(&key))
    }

    pub fn seal(&self, nonce: [u8; NONCE_BYTES], secrets: &Secrets) -> Vec<u8> {
        let payload = Payload { msg: &secrets.to_bytes(), aad: PURPOSE };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("secrets are far shorter than the cipher's limit");
        [&[VERSION][..], &self.id, &nonce, &sealed].concat()
    }

    pub fn open(&self, sealed: &[u8]) -> Result<Secrets, SealError> {
        if sealed.len() < HEADER_BYTES || sealed[0] != VERSION {
            return Err(SealError::Damaged);
        }
        let (header, text) = sealed.split_at(HEADER_BYTES);
        let (id, nonce) = header[1..].split_at(KEY_ID_BYTES);
        if id != self.id {
            return Err(SealError::OtherKey);
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Damaged)?;
        let payload = Payload { msg: text, aad: PURPOSE };
        let opened = self.cipher.decrypt(&XNonce::from(nonce), payload);
        let bytes = opened.map_err(|_| SealError::Damaged)?;
        Secrets::from_bytes(&bytes).ok_or(SealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::SecretText;
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.insert("token", SecretText::new("a very secret token"));
        secrets
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_same_key_only() {
        let key = SealKey::new(&[7; KEY_BYTES]);
        let sealed = key.seal([1; NONCE_BYTES], &secrets());
        assert_eq!(key.open(&sealed), Ok(secrets()));
        assert_eq!(SealKey::new(&[8; KEY_BYTES]).open(&sealed), Err(SealError::OtherKey));
        let text = String::from_utf8_lossy(&sealed).into_owned();
        assert!(!text.contains("secret") && !text.contains("token"));
    }

    #[test]
    fn one_changed_byte_anywhere_is_noticed() {
        let key = SealKey::new(&[7; KEY_BYTES]);
        let sealed = key.seal([1; NONCE_BYTES], &secrets());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(&changed).is_err(), "byte {at}");
            assert!(key.open(&sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_key_is_read_from_hexadecimal_digits() {
        let key = SealKey::from_hex(&format!(" {}\n", "0f".repeat(32))).unwrap();
        let sealed = SealKey::new(&[15; KEY_BYTES]).seal([0; NONCE_BYTES], &secrets());
        assert!(key.open(&sealed).is_ok());
        for text in ["", "0f", &"zz".repeat(32), &"0f".repeat(33)] {
            assert!(SealKey::from_hex(text).is_none(), "{text}");
        }
    }
}
