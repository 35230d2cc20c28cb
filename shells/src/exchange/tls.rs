//! TLS on the exchange's port: with the certificate that is given, or one made at the start.

use std::path::Path;
use std::sync::Arc;

use engine::error::SetupError;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The first byte of a TLS connection: a handshake record.
pub const HANDSHAKE: u8 = 0x16;

/// The certificate that clients have to trust, as PEM, and what accepts connections with it.
///
/// # Errors
/// When the files are no certificate and key that fit, or none can be made.
pub fn acceptor(files: Option<(&Path, &Path)>) -> Result<(String, TlsAcceptor), SetupError> {
    let (pem, chain, key) = match files {
        Some((cert, key)) => read(cert, key)?,
        None => make()?,
    };
    let unfit = |error: rustls::Error| SetupError::Invalid(format!("TLS: certificate and key: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((pem, TlsAcceptor::from(Arc::new(config))))
}

type Identity = (String, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(cert: &Path, key: &Path) -> Result<Identity, SetupError> {
    let pem = std::fs::read_to_string(cert).map_err(|error| SetupError::io(cert, "reading it", error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(|error| SetupError::file(cert, format!("no certificates: {error}")))?;
    let key_der = PrivateKeyDer::from_pem_file(key);
    let key_der = key_der.map_err(|error| SetupError::file(key, format!("no private key: {error}")))?;
    Ok((pem, chain, key_der))
}

fn make() -> Result<Identity, SetupError> {
    let failed = |error: rcgen::Error| SetupError::Invalid(format!("TLS: making a certificate: {error}"));
    let names = ["localhost", "127.0.0.1", "::1", "simulated_exchange"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(failed)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(|error| SetupError::Invalid(format!("TLS: making a key: {error}")))?;
    Ok((made.cert.pem(), vec![made.cert.der().clone()], key))
}
