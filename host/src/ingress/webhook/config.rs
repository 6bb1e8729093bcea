//! `[webhook]`: where it listens, and the limits that a stranger meets before anything is believed.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::callback::freshness::SignatureWindow;
use crate::ingress::webhook::client::ProxyHeader;
use crate::setting::Section;
use crate::setting::SettingError;
use crate::tls::ServerTlsConfig;

/// `[webhook]`
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
    /// How many connections may be open at once, 1 to 100000; the next one takes the place of the one that is idle longest.
    pub max_connections: usize,
    /// How many of them may come from one address, or one IPv6 network of 64 bits, 1 to 100000. Absent, it is half of
    /// `max_connections`, so that no address has all of them; or no limit, where `trusted_proxy_header` says that a proxy in
    /// front speaks for everybody.
    pub max_connections_per_client: Option<usize>,
    /// How many requests may be under way at once, their bodies read, 1 to 100000; the next one gets 503.
    pub max_requests: usize,
    /// Seconds that a signature is good for, in either direction and once; 1 to 86400, or `"off"`.
    pub signature_window_secs: SignatureWindow,
    /// The header in which a proxy in front says who the client is, for the log.
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
            // Half a second is left for the answer, of the default deadline.
            body_timeout_ms: 2000,
            max_connections: 1024,
            max_connections_per_client: None,
            // With bodies of the largest size, two gigabytes.
            max_requests: 512,
            signature_window_secs: SignatureWindow::default(),
            trusted_proxy_header: None,
            tls: None,
        }
    }
}

impl WebhookConfig {
    /// Checks the numbers.
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
