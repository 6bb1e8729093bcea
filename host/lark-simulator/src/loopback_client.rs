//! The HTTP client that delivers webhooks. It reaches loopback addresses and nothing else, follows no redirect (the
//! platform forbids them) and uses no proxy.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect;
use rustls::RootCertStore;
use rustls::crypto::ring;
use url::Host;
use url::Url;

use crate::exchange::SendError;
use crate::identifier;
use crate::sealing::Sealed;

/// Time to connect: two seconds, as documented.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Time in which a late answer is still counted.
const LATE_LIMIT: Duration = Duration::from_secs(60);
/// Largest answer, in bytes. A card has 30 KB; this only bounds what a broken host can send.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Idle connections kept open, so that a load test measures the host and not TCP.
const MAX_IDLE_CONNECTIONS: usize = 64;

/// Reason why the client could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no cipher suite that both libraries know.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The HTTP library refuses its settings.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// Result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// An HTTP answer, read to its end.
    Answered { status: u16, body: Bytes },
    /// No TCP connection came about.
    Unreachable,
    /// A connection, but nothing within [`LATE_LIMIT`].
    Silent,
    /// The answer broke off, was not HTTP, or was too large.
    Broken,
}

#[derive(Clone)]
pub(super) struct LoopbackClient(Client);

impl LoopbackClient {
    pub(super) fn new() -> Result<Self, ClientError> {
        // The library wants a TLS configuration even where it speaks plain HTTP. This one trusts nobody and leaves the
        // process-wide default alone.
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(LATE_LIMIT)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .build()?;
        Ok(Self(client))
    }

    /// POSTs a callback as the platform does.
    pub(super) async fn post(&self, url: Url, sealed: Sealed) -> Response {
        match self.exchange(url, sealed).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => Response::Unreachable,
            Err(error) if error.is_timeout() => Response::Silent,
            Err(_) => Response::Broken,
        }
    }

    async fn exchange(&self, url: Url, sealed: Sealed) -> reqwest::Result<Response> {
        let mut request = self
            .0
            .post(url)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("X-Request-Id", identifier::frame_message_id())
            .header("X-Tt-Logid", identifier::hex(34))
            .body(sealed.body);
        if let Some(signature) = sealed.signature {
            request = request
                .header("X-Lark-Request-Timestamp", signature.timestamp)
                .header("X-Lark-Request-Nonce", signature.nonce)
                .header("X-Lark-Signature", signature.signature);
        }
        let mut response = request.send().await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Ok(Response::Broken);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response::Answered { status: response.status().as_u16(), body: body.freeze() })
    }
}

/// Returns the URL, if it is plain HTTP to this machine.
pub(super) fn loopback_url(text: &str) -> Result<Url, SendError> {
    let is_loopback = |url: &Url| match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "http" && is_loopback(url))
        .ok_or_else(|| SendError::NotLoopback { url: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached() {
        for good in ["http://127.0.0.1:8080/callback", "http://[::1]/x", "http://localhost:1"] {
            assert!(loopback_url(good).is_ok(), "{good}");
        }
        for bad in [
            "https://127.0.0.1/",
            "http://10.0.0.1/",
            "http://example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1@example.com/",
            "file:///etc/passwd",
            "callback",
        ] {
            assert!(loopback_url(bad).is_err(), "{bad}");
        }
    }
}
