//! Configuration of a simulated platform: its port, its apps, and the settings that it tells their clients.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use lark_wire::secret::Secret;
use serde::Serialize;

/// The configuration that [`Simulator::start`](crate::Simulator::start) takes.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The apps of this platform. Ids are unique.
    pub apps: Vec<SimulatedApp>,
    /// Configuration that discovery and every pong carry.
    pub client_config: ClientConfig,
    /// Certificate and key. With them everything is served over https and wss, as by the platform.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl SimulatorConfig {
    /// Returns a configuration with a free port on loopback and the platform's own client configuration.
    pub fn on_loopback(apps: Vec<SimulatedApp>) -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen, apps, client_config: ClientConfig::default(), tls: None }
    }
}

/// The way in which an app gets its tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppKind {
    /// An app that its one tenant made for itself.
    #[default]
    SelfBuilt,
    /// An app from the store: it is sent tickets, and asks for a token for each of its tenants.
    Store,
}

/// One app of the simulated platform.
#[derive(Clone, Debug)]
pub struct SimulatedApp {
    /// `cli_` and 16 hex digits; one official SDK refuses to start with anything else.
    pub id: String,
    /// The app's secret, which discovery and token requests have to show.
    pub secret: Secret,
    /// Kind of the app, self-built by default.
    pub kind: AppKind,
    /// Token that callbacks carry as `header.token` and that signs legacy cards. Every app of the platform has one; if it is
    /// absent here the simulator makes one up that the host cannot know.
    pub verification_token: Option<Secret>,
    /// Encrypt Key. With one, webhook bodies are encrypted and signed.
    pub encrypt_key: Option<Secret>,
    /// Key of the tenant that the simulated users belong to.
    pub tenant_key: String,
}

impl SimulatedApp {
    /// Creates a self-built app without an Encrypt Key.
    pub fn new(id: impl Into<String>, secret: Secret) -> Self {
        Self {
            id: id.into(),
            secret,
            kind: AppKind::default(),
            verification_token: None,
            encrypt_key: None,
            tenant_key: "2df73991750b1234".into(),
        }
    }
}

/// `ClientConfig` of the wire: four integers, three of them seconds. The field order is the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClientConfig {
    /// Attempts before a client gives up; negative is for ever.
    #[serde(rename = "ReconnectCount")]
    pub reconnect_count: i64,
    /// Seconds between two attempts.
    #[serde(rename = "ReconnectInterval")]
    pub reconnect_interval: i64,
    /// The first attempt waits a random part of this many seconds.
    #[serde(rename = "ReconnectNonce")]
    pub reconnect_nonce: i64,
    /// Seconds between two pings.
    #[serde(rename = "PingInterval")]
    pub ping_interval: i64,
}

impl Default for ClientConfig {
    /// The values that the official SDKs assume until told otherwise, which are also those that the platform sends.
    fn default() -> Self {
        Self {
            reconnect_count: -1,
            reconnect_interval: 120,
            reconnect_nonce: 30,
            ping_interval: 120,
        }
    }
}
