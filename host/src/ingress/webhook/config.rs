//! The `[webhook]` section: the address to listen at, and the limits that apply before a request is trusted.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::callback::freshness::SignatureWindow;
use crate::ingress::webhook::client::ProxyHeader;
use crate::setting::Section;
use crate::setting::SettingError;
use crate::tls::ServerTlsConfig;

/// The `[webhook]` section of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// Address and port; port 0 takes a free one. Absent where another server mounts the webhook.
    pub listen: Option<SocketAddr>,
    /// The largest body that is read, 1024 to 67108864 bytes. The platform's callbacks are a few kilobytes.
    pub max_body_bytes: usize,
    /// The largest head, 1024 to 1048576 bytes. The platform's have a few hundred.
    pub max_header_bytes: usize,
    /// Milliseconds that a sender may take for its head, TLS included, 100 to 60000.
    pub header_timeout_ms: u64,
    /// Milliseconds from the first byte to the last of the body, 100 to 60000; never longer than `deadline.soft_ms`.
    pub body_timeout_ms: u64,
    /// The most open connections, 1 to 100000; the next one replaces the one that is idle longest.
    pub max_connections: usize,
    /// The most connections from one address, or one IPv6 network of 64 bits, 1 to 100000. Absent, it is half of
    /// `max_connections`, so that one address cannot take all; or unlimited if `trusted_proxy_header` says that a proxy in front
    /// speaks for all clients.
    pub max_connections_per_client: Option<usize>,
    /// The most requests under way with complete bodies, 1 to 100000; the next one gets 503.
    pub max_requests: usize,
    /// Seconds for which a signature is good, in either direction and once; 1 to 86400, or `"off"`.
    pub signature_window_secs: SignatureWindow,
    /// The header in which a proxy in front names the client, for the log and the limit on unsigned requests.
    pub trusted_proxy_header: Option<ProxyHeader>,
    /// With a certificate, the listener speaks https and nothing else.
    pub tls: Option<ServerTlsConfig>,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            listen: None,
            max_body_bytes: 4 << 20,
            max_header_bytes: 16 << 10,
            header_timeout_ms: 5000,
            // Leaves half a second of the default deadline for the answer.
            body_timeout_ms: 2000,
            max_connections: 1024,
            max_connections_per_client: None,
            // At most two gigabytes with bodies of the largest size.
            max_requests: 512,
            signature_window_secs: SignatureWindow::default(),
            trusted_proxy_header: None,
            tls: None,
        }
    }
}

impl WebhookConfig {
    /// Checks that all values are in range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("webhook");
        section.in_range("max_body_bytes", self.max_body_bytes, 1024..=64 << 20)?;
        section.in_range("max_header_bytes", self.max_header_bytes, 1024..=1 << 20)?;
        section.in_range("header_timeout_ms", self.header_timeout_ms, 100..=60_000)?;
        section.in_range("body_timeout_ms", self.body_timeout_ms, 100..=60_000)?;
        section.in_range("max_connections", self.max_connections, 1..=100_000)?;
        if let Some(most) = self.max_connections_per_client {
            section.in_range("max_connections_per_client", most, 1..=100_000)?;
        }
        section.in_range("max_requests", self.max_requests, 1..=100_000)
    }

    pub(super) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    pub(super) fn connections_per_client(&self) -> Option<usize> {
        let half =
            || self.trusted_proxy_header.is_none().then_some(self.max_connections.div_ceil(2));
        self.max_connections_per_client.or_else(half)
    }

    pub(super) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }
}
