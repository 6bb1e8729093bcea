//! Connects to the platform: asks discovery for an address, which is good once, and opens a WebSocket there.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use tokio_tungstenite::Connector;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async_tls_with_config;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Url;

use crate::ingress::long_connection::Network;
use crate::ingress::long_connection::destination::AllowedHosts;
use crate::ingress::long_connection::destination::HostName;
use crate::ingress::long_connection::dial_error::DialError;
use crate::ingress::long_connection::dial_error::STEP_TIMEOUT;
use crate::ingress::long_connection::dial_error::clip;
use crate::ingress::long_connection::reassembly::MAX_MESSAGE_BYTES;
use crate::ingress::long_connection::settings::WireSettings;
use crate::ingress::long_connection::tunnel::Proxies;
use crate::ingress::long_connection::tunnel::Tunnel;
use crate::open_api::identity::AppIdentity;

/// The largest discovery answer, in bytes. Usual ones have half a kilobyte.
const MAX_DISCOVERY_BYTES: usize = 64 * 1024;
/// Bytes read from the socket at once. The library fills its buffer with zeros for every read; its default of 128 KiB costs more
/// than the rest of a callback's way in, and a callback takes one or two reads.
const READ_BYTES: usize = 8 * 1024;
/// Bytes for a frame's headers beside its payload.
const FRAME_OVERHEAD: usize = 64 * 1024;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<Tunnel>>;

/// An open connection with the platform's settings for it.
pub(super) struct Dialed {
    pub(super) socket: Socket,
    /// The id that every ping carries.
    pub(super) service_id: i32,
    /// The platform's id for this connection.
    pub(super) device_id: String,
    pub(super) settings: WireSettings,
}

/// The answer of discovery. Only `code` must have the right type: its meaning must not depend on the shape of the rest.
#[derive(Deserialize)]
struct Discovery {
    code: i64,
    #[serde(default)]
    msg: Value,
    #[serde(default)]
    data: Value,
}

/// Opens connections for one app.
pub(super) struct Dialer {
    app: AppIdentity,
    destinations: AllowedHosts,
    network: Network,
    proxies: Proxies,
}

impl Dialer {
    /// `named` are hosts that discovery may name besides those of the app's domain.
    pub(super) fn new(app: AppIdentity, named: Vec<HostName>, network: Network) -> Self {
        let proxies = Proxies::from_environment(Arc::clone(&network.tls));
        let destinations = AllowedHosts::new(app.domain.clone(), named);
        Self { app, destinations, network, proxies }
    }

    /// Asks discovery without dialling.
    pub(super) async fn ask(&self) -> Result<(), DialError> {
        self.address().await.map(drop)
    }

    async fn address(&self) -> Result<(Url, WireSettings), DialError> {
        let discovery = tokio::time::timeout(STEP_TIMEOUT, self.discover());
        discovery.await.map_err(|_| DialError::Timeout("discovery"))?
    }

    /// Makes one attempt: discovery, then the handshake.
    pub(super) async fn dial(&self) -> Result<Dialed, DialError> {
        let (url, settings) = self.address().await?;
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
        let mut response = self
            .network
            .http
            .post(self.app.domain.endpoint("/callback/ws/endpoint"))
            .header("locale", "zh")
            .json(&json!({ "AppID": self.app.id, "AppSecret": self.app.secret.expose() }))
            .send()
            .await
            .map_err(DialError::transport)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(DialError::transport)? {
            if body.len() + chunk.len() > MAX_DISCOVERY_BYTES {
                return Err(DialError::DiscoveryBody(format!(
                    "more than {MAX_DISCOVERY_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let (url, settings) = read_discovery(response.status().as_u16(), &body)?;
        self.destinations.check(&url)?;
        Ok((url, settings))
    }

    async fn handshake(&self, url: &Url) -> Result<Socket, DialError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .max_message_size(Some(MAX_MESSAGE_BYTES + FRAME_OVERHEAD))
            .max_frame_size(Some(MAX_MESSAGE_BYTES + FRAME_OVERHEAD));
        let connector = Connector::Rustls(Arc::clone(&self.network.tls));
        let tunnel = self.proxies.connect(url).await?;
        let opened =
            client_async_tls_with_config(url.as_str(), tunnel, Some(config), Some(connector)).await;
        match opened {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) => {
                Err(DialError::handshake(response.status().as_u16(), response.headers()))
            }
            Err(error) => Err(DialError::Handshake(error.to_string())),
        }
    }
}

fn read_discovery(status: u16, body: &[u8]) -> Result<(Url, WireSettings), DialError> {
    let unusable = |reason: String| DialError::DiscoveryBody(reason);
    let discovery: Result<Discovery, _> = named_fields::from_slice(body);
    if status != 200 {
        let message = discovery.map_or_else(|_| String::new(), |discovery| words(&discovery.msg));
        return Err(DialError::DiscoveryStatus { status, message });
    }
    let Discovery { code, msg, data } = discovery.map_err(|error| unusable(error.to_string()))?;
    if code != 0 {
        return Err(DialError::DiscoveryRefused { code, message: words(&msg) });
    }
    let url = data.get("URL").and_then(Value::as_str);
    let url = url.ok_or_else(|| unusable("`data.URL` is missing".to_owned()))?;
    let url = Url::parse(url).map_err(|error| unusable(format!("`data.URL`: {error}")))?;
    Ok((url, WireSettings::read(data.get("ClientConfig").unwrap_or(&Value::Null))))
}

fn words(message: &Value) -> String {
    match message {
        Value::Null => String::new(),
        Value::String(text) => clip(text),
        other => clip(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::long_connection::dial_error::Retry;

    fn retry(status: u16, body: &str) -> Retry {
        read_discovery(status, body.as_bytes()).expect_err(body).retry()
    }

    /// One official SDK decides whether the same code is final by whether `data` is an object; this host must not.
    #[test]
    fn the_code_decides_whatever_surrounds_it() {
        for data in ["", r#","data":null"#, r#","data":{}"#, r#","data":[]"#, r#","data":"x""#] {
            for msg in ["", r#","msg":null"#, r#","msg":"words""#, r#","msg":{"a":1}"#] {
                let body = |code: i64| format!(r#"{{"code":{code}{msg}{data}}}"#);
                assert_eq!(retry(200, &body(1_000_040_345)), Retry::Useless);
                assert_eq!(retry(200, &body(1)), Retry::Worthwhile);
                assert_eq!(retry(200, &body(0)), Retry::Worthwhile);
                assert_eq!(retry(502, &body(1_000_040_345)), Retry::Worthwhile);
            }
        }
        for broken in ["", "<html>", "[]", "{}", r#"{"code":"1000040345"}"#] {
            assert_eq!(retry(200, broken), Retry::Worthwhile, "{broken}");
        }
    }

    #[test]
    fn what_the_answer_says_beside_the_address_does_not_matter() {
        let answer = |url: &str| json!({ "code": 0, "data": { "URL": url } }).to_string();
        for url in ["h", ""] {
            assert_eq!(retry(200, &answer(url)), Retry::Worthwhile, "{url}");
        }
        for config in ["null", "{}", "[]", "7", r#"{"PingInterval":"x"}"#] {
            let body = format!(
                r#"{{"code":0,"data":{{"URL":"wss://h/ws?ticket=t","ClientConfig":{config}}}}}"#
            );
            let (url, _) = read_discovery(200, body.as_bytes()).unwrap();
            assert_eq!(url.as_str(), "wss://h/ws?ticket=t");
        }
    }
}
