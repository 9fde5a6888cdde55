//! Whom we believe: the system's certificate authorities, and an operator's own.
//!
//! A machine without any is no reason not to start: what needs one fails, and says so.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tracing::warn;

/// Certificate authorities beside the system's.
#[derive(Clone, Default)]
pub(crate) struct Roots {
    own: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// Reads a file of PEM certificates.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = || format!("cannot read the certificates of {}", path.display());
        let own: Vec<_> = CertificateDer::pem_file_iter(path)
            .with_context(file)?
            .collect::<Result<_, _>>()
            .with_context(file)?;
        ensure!(!own.is_empty(), "{} holds no certificate", path.display());
        Ok(Self { own })
    }

    #[cfg(test)]
    pub(crate) fn of(own: Vec<CertificateDer<'static>>) -> Self {
        Self { own }
    }

    /// For HTTP.
    pub(crate) fn client_config(&self) -> Result<ClientConfig> {
        let mut store = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        for certificate in &self.own {
            store.add(certificate.clone()).context("a certificate authority cannot be used")?;
        }
        if store.is_empty() {
            warn!("no certificate authorities were found: nothing can be sent over TLS");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS is not available")?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(config)
    }

    /// For SMTP, whose client looks for the system's itself.
    pub(crate) fn own(&self) -> &[CertificateDer<'static>] {
        &self.own
    }
}
