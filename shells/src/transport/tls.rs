//! Whom to trust: the public roots, or one certificate that a test or a simulated exchange made for itself.

use std::path::Path;
use std::sync::Arc;

use engine::error::SetupError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// A client's TLS configuration. Connections made from one share its session cache, so that a reconnect resumes.
#[derive(Clone, Debug)]
pub struct TlsTrust(Arc<ClientConfig>);

impl TlsTrust {
    /// Trusts the certificate authorities of the public internet.
    #[must_use]
    pub fn public() -> Self {
        Self::of(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// Trusts the certificates of a PEM file and nothing else.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn file(path: &Path) -> Result<Self, SetupError> {
        let refuse = |reason: String| SetupError::file(path, reason);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))? {
            let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
        if roots.is_empty() { Err(refuse("holds no certificate".to_owned())) } else { Ok(Self::of(roots)) }
    }

    fn of(roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    /// A connection to the server called `host`, not yet begun.
    ///
    /// # Errors
    /// When `host` is no name that a certificate could carry.
    pub(super) fn connect(&self, host: &str) -> Result<ClientConnection, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host:?}: {error}"))?;
        ClientConnection::new(Arc::clone(&self.0), name).map_err(|error| error.to_string())
    }
}
