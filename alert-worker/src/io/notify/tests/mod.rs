//! Sending, against real servers on this machine.

mod http;
mod mail_server;
mod smtp;

use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::tls::Roots;

/// How long an attempt may take where it is going to be cut off.
const SHORT: Duration = Duration::from_millis(300);

/// Where it is not.
const LONG: Duration = Duration::from_secs(60);

/// A server's identity for `localhost`, and the roots that believe it.
fn identity() -> (ServerConfig, Roots) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (config, Roots::of(vec![cert.der().clone()]))
}
