//! The transport below the WebSocket: TCP to the platform, or through the proxy that the environment names.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` count in upper and lower case, as for curl and the HTTP client of
//! discovery. Credentials in a proxy's address are sent to that proxy only.

use std::sync::Arc;

use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::http::Uri;
use url::Url;

/// The largest answer to CONNECT, in bytes: a status line and a few headers.
const MAX_ANSWER_BYTES: usize = 8 * 1024;
/// The status of a proxy that wants credentials, or other ones.
const PROXY_AUTHENTICATION_REQUIRED: u16 = 407;

/// A byte stream to the platform; TLS only where the proxy itself speaks it.
pub(super) type Tunnel = MaybeTlsStream<TcpStream>;

/// Why the platform could not be reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelError {
    #[error("the address names no host")]
    NoHost,
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("cannot reach the proxy {proxy}: {error}")]
    Proxy { proxy: String, error: std::io::Error },
    #[error("the proxy {proxy} speaks {scheme}; http and https proxies are supported")]
    Scheme { proxy: String, scheme: String },
    #[error("the proxy {proxy} refused: HTTP {status}{}", hint(*status))]
    Refused { proxy: String, status: u16 },
    #[error("the proxy {proxy} does not answer as a proxy")]
    NotAProxy { proxy: String },
}

fn hint(status: u16) -> &'static str {
    match status {
        PROXY_AUTHENTICATION_REQUIRED => "; the credentials in its address are missing or wrong",
        _ => "",
    }
}

/// Chooses the proxy for an address.
pub(super) struct Proxies {
    matcher: Matcher,
    tls: Arc<ClientConfig>,
}

impl Proxies {
    pub(super) fn from_environment(tls: Arc<ClientConfig>) -> Self {
        Self { matcher: Matcher::from_system(), tls }
    }

    /// Connects to the host of a `ws` or `wss` address.
    pub(super) async fn connect(&self, url: &Url) -> Result<Tunnel, TunnelError> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(TunnelError::NoHost);
        };
        let target = format!("{host}:{port}");
        match self.proxy_for(url.scheme(), &target) {
            Some(proxy) => self.through(&proxy, &target).await,
            None => Ok(MaybeTlsStream::Plain(dial(&target).await.map_err(TunnelError::Connect)?)),
        }
    }

    fn proxy_for(&self, scheme: &str, target: &str) -> Option<Intercept> {
        let like = if scheme == "wss" { "https" } else { "http" };
        let uri: Uri = format!("{like}://{target}").parse().ok()?;
        self.matcher.intercept(&uri)
    }

    async fn through(&self, proxy: &Intercept, target: &str) -> Result<Tunnel, TunnelError> {
        let scheme = proxy.uri().scheme_str().unwrap_or("http");
        let host = proxy.uri().host().ok_or(TunnelError::NoHost)?;
        let default_port = if scheme == "https" { 443 } else { 80 };
        let name = format!("{host}:{}", proxy.uri().port_u16().unwrap_or(default_port));
        let unreachable = |error| TunnelError::Proxy { proxy: name.clone(), error };
        let mut tunnel = match scheme {
            "http" => MaybeTlsStream::Plain(dial(&name).await.map_err(unreachable)?),
            "https" => {
                let server = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                    .map_err(|_| TunnelError::NoHost)?;
                let stream = dial(&name).await.map_err(unreachable)?;
                let connector = TlsConnector::from(Arc::clone(&self.tls));
                let stream = connector.connect(server, stream).await.map_err(unreachable)?;
                MaybeTlsStream::Rustls(stream)
            }
            other => {
                return Err(TunnelError::Scheme { proxy: name, scheme: other.to_owned() });
            }
        };
        let status = ask(&mut tunnel, target, proxy).await.map_err(unreachable)?;
        match status {
            Some(200..300) => Ok(tunnel),
            Some(status) => Err(TunnelError::Refused { proxy: name, status }),
            None => Err(TunnelError::NotAProxy { proxy: name }),
        }
    }
}

async fn dial(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Frames are small, and the peer waits for each.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends CONNECT, and reads the status of the answer. It reads the head byte by byte, because the bytes behind it are the
/// platform's.
async fn ask(tunnel: &mut Tunnel, target: &str, proxy: &Intercept) -> std::io::Result<Option<u16>> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(credentials) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    tunnel.write_all(&request).await?;
    tunnel.flush().await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_ANSWER_BYTES {
            return Ok(None);
        }
        head.push(tunnel.read_u8().await?);
    }
    Ok(status(&head))
}

/// Reads the status of an HTTP status line, for example 200 from `HTTP/1.1 200 Connection established`.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_read() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\nX: y\r\n\r\n"), Some(407));
        for strange in
            [&b"SSH-2.0-x\r\n\r\n"[..], b"\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"\xff\r\n\r\n"]
        {
            assert_eq!(status(strange), None, "{strange:?}");
        }
    }

    #[test]
    fn the_environment_decides_by_scheme_and_host() {
        let matcher = Matcher::builder()
            .https("http://user:pass@secure.example:3128")
            .http("plain.example")
            .no("127.0.0.1,.internal")
            .build();
        let tls = crate::tls::client_config(&crate::tls::ExtraRoots::default());
        let proxies = Proxies { matcher, tls };
        let host =
            |scheme, target| Some(proxies.proxy_for(scheme, target)?.uri().host()?.to_owned());
        assert_eq!(host("wss", "msg.example:443").as_deref(), Some("secure.example"));
        assert_eq!(host("ws", "msg.example:80").as_deref(), Some("plain.example"));
        assert_eq!(host("wss", "127.0.0.1:443"), None);
        assert_eq!(host("wss", "msg.internal:443"), None);
        let credentials = proxies.proxy_for("wss", "msg.example:443").unwrap();
        assert_eq!(credentials.basic_auth().unwrap(), "Basic dXNlcjpwYXNz");
        assert!(!format!("{:?}", credentials.uri()).contains("pass"));
    }
}
