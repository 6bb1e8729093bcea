//! TLS, both ways: whom the host trusts when it dials out, and who it says it is when its webhook listens.

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

/// The largest PEM file. What operating systems trust altogether has 220 KB.
const MAX_PEM_BYTES: u64 = 4 << 20;

/// `[tls]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file of certificates that are trusted besides those of the operating system: for discovery, the WebSocket,
    /// the server API, an https proxy and a store on a server alike. A company's own proxy needs this.
    pub extra_roots: Option<PathBuf>,
}

/// `[webhook.tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsConfig {
    /// A PEM file with the certificate and its chain, the listener's own first. Read once, at the start.
    pub cert: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

/// Certificates that somebody vouched for by putting them into the configuration.
#[derive(Clone, Debug, Default)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

/// What is wrong with a file that the configuration names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Not there, or not a file that is read.
    #[error("{key}: {error}")]
    File {
        /// The setting.
        key: &'static str,
        /// Which file, why not, and what to do.
        error: ReadError,
    },
    /// Not PEM.
    #[error("{key}: {}: {error}", path.display())]
    Read {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        error: pem::Error,
    },
    /// PEM, and nothing in it that was looked for.
    #[error("{key}: {} holds no certificate", path.display())]
    Empty {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate that cannot be used, or a key of another one.
    #[error("{key}: {}: {error}", path.display())]
    Unusable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
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
    /// Reads certificate and key. Paths are relative to `folder`.
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

/// Everybody whom the configuration below trusts, as PEM: for a library that makes a configuration of its own.
pub fn trusted_pem(extra: &ExtraRoots) -> String {
    let native = rustls_native_certs::load_native_certs().certs;
    let all = native.iter().chain(&extra.0);
    let pem = |certificate: &CertificateDer<'_>| {
        // Lines of any length are read.
        let text = STANDARD.encode(certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    all.map(pem).collect()
}

/// A rustls configuration that trusts what the operating system trusts, and what the configuration adds.
///
/// A machine without any root certificate can still reach a plain-HTTP domain, so that is a warning and no error.
pub fn client_config(extra: &ExtraRoots) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (_, unreadable) = roots.add_parsable_certificates(native.certs);
    // They were readable when the configuration was checked.
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
