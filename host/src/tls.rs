//! TLS in both directions: the certificates that the host trusts when it connects, and its own certificate for the webhook.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::small_file;
use crate::small_file::ReadError;

/// The largest PEM file, in bytes. All roots of an operating system have 220 KB together.
const MAX_PEM_BYTES: u64 = 4 << 20;

/// The `[tls]` section of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file of certificates that are trusted besides those of the operating system: for discovery, the WebSocket,
    /// the server API, an https proxy and a store on a server alike. A company's own proxy needs this.
    pub extra_roots: Option<PathBuf>,
}

/// The `[webhook.tls]` section of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsConfig {
    /// A PEM file with the certificate and its chain, the listener's own first. Read once, at the start.
    pub cert: PathBuf,
    /// A PEM file with the certificate's private key.
    pub key: PathBuf,
}

/// Trusted certificates that the configuration adds.
#[derive(Clone, Debug, Default)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

/// An error in a file that the configuration names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file could not be read.
    #[error("{key}: {error}")]
    File {
        /// The key of the setting that names the file.
        key: &'static str,
        /// The path, the problem and the remedy.
        error: ReadError,
    },
    /// The file is not valid PEM.
    #[error("{key}: {}: {error}", path.display())]
    Read {
        /// The key of the setting that names the file.
        key: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The error of the PEM parser.
        error: pem::Error,
    },
    /// The file is PEM, but holds no certificate.
    #[error("{key}: {} holds no certificate", path.display())]
    Empty {
        /// The key of the setting that names the file.
        key: &'static str,
        /// The path of the file.
        path: PathBuf,
    },
    /// The certificate cannot be used, or the key belongs to another certificate.
    #[error("{key}: {}: {error}", path.display())]
    Unusable {
        /// The key of the setting that names the file.
        key: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The error of the TLS library.
        error: rustls::Error,
    },
}

impl TlsConfig {
    /// Reads the certificates. Paths are relative to `folder`.
    pub fn read(&self, folder: &Path) -> Result<ExtraRoots, TlsError> {
        const KEY: &str = "tls.extra_roots";
        let Some(path) = &self.extra_roots else { return Ok(ExtraRoots::default()) };
        let path = folder.join(path);
        let certificates = certificates(KEY, &path)?;
        let mut checked = RootCertStore::empty();
        for certificate in &certificates {
            checked.add(certificate.clone()).map_err(|error| TlsError::Unusable {
                key: KEY,
                path: path.clone(),
                error,
            })?;
        }
        Ok(ExtraRoots(certificates))
    }
}

impl ServerTlsConfig {
    /// Reads the certificate and its key. Paths are relative to `folder`.
    pub fn read(&self, folder: &Path) -> Result<Arc<ServerConfig>, TlsError> {
        const KEY: &str = "webhook.tls.key";
        let chain = certificates("webhook.tls.cert", &folder.join(&self.cert))?;
        let path = folder.join(&self.key);
        let pem = Zeroizing::new(pem(KEY, &path)?);
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| TlsError::Read {
            key: KEY,
            path: path.clone(),
            error,
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map(Arc::new)
            .map_err(|error| TlsError::Unusable { key: KEY, path, error })
    }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::Read { key, path: path.to_owned(), error };
    let pem = pem(key, path)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(failed)?;
    if found.is_empty() { Err(TlsError::Empty { key, path: path.to_owned() }) } else { Ok(found) }
}

fn pem(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    small_file::read(path, MAX_PEM_BYTES).map_err(|error| TlsError::File { key, error })
}

/// Returns all trusted certificates as PEM, for a library that makes its own TLS configuration.
pub fn trusted_pem(extra: &ExtraRoots) -> String {
    let native = rustls_native_certs::load_native_certs().certs;
    let all = native.iter().chain(&extra.0);
    let pem = |certificate: &CertificateDer<'_>| {
        // PEM readers accept lines of any length.
        let text = STANDARD.encode(certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    all.map(pem).collect()
}

/// Makes a rustls configuration that trusts the operating system's certificates, and those that the configuration adds.
///
/// A machine without root certificates can still reach a plain-HTTP domain, so that is a warning and not an error.
pub fn client_config(extra: &ExtraRoots) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (_, unreadable) = roots.add_parsable_certificates(native.certs);
    // The extra roots were checked when the configuration was read.
    roots.add_parsable_certificates(extra.0.iter().cloned());
    if roots.is_empty() {
        tracing::warn!(
            unreadable,
            errors = native.errors.len(),
            "no root certificates: TLS connections will be refused"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    // ring implements both protocol versions that rustls has, so there is always one in common.
    let builder =
        versions.unwrap_or_else(|error| unreachable!("ring without TLS versions: {error}"));
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
