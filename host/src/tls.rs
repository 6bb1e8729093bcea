//! How the host dials out over TLS: one client configuration for discovery, the WebSocket and the server API.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;

/// A rustls configuration that trusts what the operating system trusts.
///
/// A machine without any root certificate can still reach a plain-HTTP domain, so that is a warning and no error.
pub fn client_config() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, unreadable) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
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
