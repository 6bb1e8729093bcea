//! A certificate authority that lives as long as a test, and its certificate for this machine.

use std::sync::Arc;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;

/// Subjects of the certificate: this machine, by address and by name.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// A certificate authority that only the test trusts.
pub struct TestAuthority {
    root_pem: String,
    root: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
    server: Arc<ServerConfig>,
}

impl TestAuthority {
    /// Creates an authority with one certificate.
    pub fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate()?;
        let root = params.self_signed(&root_key)?;
        let issuer = Issuer::from_params(&params, &root_key);
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
        let certificate = params.signed_by(&key, &issuer)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        Ok(Self {
            root_pem: root.pem(),
            root: root.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            server: Arc::new(server),
        })
    }

    /// Returns the root certificate, which a client has to trust.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The certificate of this machine.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Returns the private key of the machine's certificate.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Returns the certificate and its key as a server's configuration.
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// A client that trusts this authority and no other.
    pub fn client(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(client))
    }
}
