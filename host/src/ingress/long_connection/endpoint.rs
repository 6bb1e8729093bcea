//! Dialling: ask the platform for an address, which is good once, and open a WebSocket there.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::Connector;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Url;

use crate::ingress::long_connection::reassembly::MAX_MESSAGE_BYTES;
use crate::ingress::long_connection::settings::WireSettings;
use crate::open_api::domain::Domain;
use crate::secret::Secret;

/// Discovery and handshake each take well under a second; a peer that takes this long is not there.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// A discovery answer has half a kilobyte.
const MAX_DISCOVERY_BYTES: usize = 64 * 1024;
/// Room for a frame's headers beside its payload.
const FRAME_OVERHEAD: usize = 64 * 1024;

/// Discovery codes after which trying again may help; every other one means that somebody has to change something.
const SYSTEM_BUSY: i64 = 1;
const INTERNAL_ERROR: i64 = 1_000_040_343;
/// Handshake codes.
const FORBIDDEN: i64 = 403;
const AUTH_FAILED: i64 = 514;
const TOO_MANY_CONNECTIONS: i64 = 1_000_040_350;
/// The app lives on the other domain.
const WRONG_DOMAIN: i64 = 1_000_040_351;
/// No such app, wrong secret, or long connections not enabled.
const WRONG_CREDENTIALS: i64 = 1_000_040_345;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open connection.
pub(super) struct Dialed {
    pub(super) socket: Socket,
    /// Goes into every ping.
    pub(super) service_id: i32,
    /// The platform's name for this connection.
    pub(super) device_id: String,
    pub(super) settings: WireSettings,
}

/// Whether it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Worthwhile,
    Useless,
}

/// Why there is no connection. No text in it holds the address, which carries a ticket.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("{0} took more than {limit} s", limit = STEP_TIMEOUT.as_secs())]
    Timeout(&'static str),
    #[error("discovery failed: {0}")]
    Transport(String),
    #[error("discovery answered HTTP {0}")]
    DiscoveryStatus(u16),
    #[error("discovery gave an answer that cannot be used: {0}")]
    DiscoveryBody(String),
    #[error("discovery refused: code {code}, {message}{}", hint(*code))]
    DiscoveryRefused { code: i64, message: String },
    #[error("the handshake was refused: status {status}, code {code}, {message}{}", hint(*code))]
    HandshakeRefused { status: i64, code: i64, message: String },
    #[error("the handshake failed: {0}")]
    Handshake(String),
}

fn hint(code: i64) -> &'static str {
    match code {
        WRONG_CREDENTIALS => {
            "; check app id and secret, and that the app is published with long connection as its way of delivery"
        }
        TOO_MANY_CONNECTIONS => {
            "; the app has its 50 connections already, some may belong to another host"
        }
        WRONG_DOMAIN => "; the app lives on the other domain: try domain = \"lark\" or \"feishu\"",
        FORBIDDEN => "; the app is not allowed to connect",
        _ => "",
    }
}

impl DialError {
    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::DiscoveryRefused { code: SYSTEM_BUSY | INTERNAL_ERROR, .. } => Retry::Worthwhile,
            Self::DiscoveryRefused { .. }
            | Self::HandshakeRefused { status: FORBIDDEN, .. }
            | Self::HandshakeRefused { status: AUTH_FAILED, code: TOO_MANY_CONNECTIONS, .. } => {
                Retry::Useless
            }
            _ => Retry::Worthwhile,
        }
    }
}

#[derive(Deserialize)]
struct Discovery {
    code: i64,
    #[serde(default)]
    msg: String,
    data: Option<DiscoveryData>,
}

#[derive(Deserialize)]
struct DiscoveryData {
    #[serde(rename = "URL")]
    url: Option<String>,
    #[serde(rename = "ClientConfig")]
    settings: Option<WireSettings>,
}

/// Opens connections for one app.
pub(super) struct Dialer {
    app_id: String,
    app_secret: Secret,
    domain: Domain,
    http: reqwest::Client,
    tls: Arc<ClientConfig>,
}

impl Dialer {
    pub(super) fn new(
        app_id: String,
        app_secret: Secret,
        domain: Domain,
        http: reqwest::Client,
        tls: Arc<ClientConfig>,
    ) -> Self {
        Self { app_id, app_secret, domain, http, tls }
    }

    /// One attempt: discovery, then the handshake.
    pub(super) async fn dial(&self) -> Result<Dialed, DialError> {
        let discovery = tokio::time::timeout(STEP_TIMEOUT, self.discover());
        let (url, settings) = discovery.await.map_err(|_| DialError::Timeout("discovery"))??;
        let parameter = |name| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let service_id = parameter("service_id").and_then(|text| text.parse().ok()).unwrap_or(0);
        let device_id = parameter("device_id").unwrap_or_default();
        let handshake = tokio::time::timeout(STEP_TIMEOUT, self.handshake(&url));
        let socket = handshake.await.map_err(|_| DialError::Timeout("the handshake"))??;
        Ok(Dialed { socket, service_id, device_id, settings })
    }

    async fn discover(&self) -> Result<(Url, WireSettings), DialError> {
        let transport =
            |error: reqwest::Error| DialError::Transport(error.without_url().to_string());
        let mut response = self
            .http
            .post(self.domain.endpoint("/callback/ws/endpoint"))
            .header("locale", "zh")
            .json(&json!({ "AppID": self.app_id, "AppSecret": self.app_secret.expose() }))
            .send()
            .await
            .map_err(transport)?;
        if !response.status().is_success() {
            return Err(DialError::DiscoveryStatus(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > MAX_DISCOVERY_BYTES {
                return Err(DialError::DiscoveryBody(format!(
                    "more than {MAX_DISCOVERY_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let unusable = |reason: String| DialError::DiscoveryBody(reason);
        let discovery: Discovery =
            serde_json::from_slice(&body).map_err(|error| unusable(error.to_string()))?;
        if discovery.code != 0 {
            return Err(DialError::DiscoveryRefused {
                code: discovery.code,
                message: discovery.msg,
            });
        }
        let data = discovery.data.ok_or_else(|| unusable("`data` is missing".to_owned()))?;
        let url = data.url.ok_or_else(|| unusable("`data.URL` is missing".to_owned()))?;
        let url = Url::parse(&url).map_err(|error| unusable(format!("`data.URL`: {error}")))?;
        Ok((url, data.settings.unwrap_or_default()))
    }

    async fn handshake(&self, url: &Url) -> Result<Socket, DialError> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES + FRAME_OVERHEAD))
            .max_frame_size(Some(MAX_MESSAGE_BYTES + FRAME_OVERHEAD));
        let connector = Connector::Rustls(Arc::clone(&self.tls));
        let nodelay = true;
        let dialed = tokio_tungstenite::connect_async_tls_with_config(
            url.as_str(),
            Some(config),
            nodelay,
            Some(connector),
        )
        .await;
        match dialed {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) => {
                Err(refusal(response.status().as_u16(), response.headers()))
            }
            Err(error) => Err(DialError::Handshake(error.to_string())),
        }
    }
}

/// The platform says in headers of its own why it does not open a WebSocket. Without them it was somebody in between.
fn refusal(http_status: u16, headers: &HeaderMap) -> DialError {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let number = |name: &str| text(name).and_then(|text| text.parse::<i64>().ok());
    match number("Handshake-Status") {
        Some(status) => DialError::HandshakeRefused {
            status,
            code: number("Handshake-Autherrcode").unwrap_or(status),
            message: text("Handshake-Msg").unwrap_or_default().to_owned(),
        },
        None => DialError::Handshake(format!("HTTP {http_status}")),
    }
}
