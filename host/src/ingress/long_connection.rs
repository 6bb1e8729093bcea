//! The long connection: Aviary dials the platform and keeps a WebSocket open, for as long as the host runs.

mod backoff;
mod destination;
mod dial_error;
mod endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod reassembly;
mod respond;
mod session;
mod settings;
pub mod status;
mod tunnel;

#[cfg(test)]
mod properties;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::Deserialize;

use crate::deadline::DeadlineConfig;
use crate::dispatch::Dispatcher;
use crate::ingress::long_connection::backoff::Backoff;
use crate::ingress::long_connection::destination::HostName;
use crate::ingress::long_connection::dial_error::Retry;
use crate::ingress::long_connection::endpoint::Dialer;
use crate::ingress::long_connection::settings::ConnectionSettings;
use crate::ingress::long_connection::status::ConnectionStatus;
use crate::open_api::identity::AppIdentity;
use crate::setting::Section;
use crate::setting::SettingError;
use crate::shutdown::Shutdown;
use crate::telemetry::events::CONNECTED;
use crate::telemetry::events::CONNECTION_GIVEN_UP;
use crate::telemetry::events::DISCONNECTED;

/// `long_connection = { … }` of an app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongConnectionConfig {
    /// Connections to keep open, 1 to 50. The platform gives each message to one of them.
    #[serde(default = "one")]
    pub connections: u32,
    /// Milliseconds beyond a ping interval without a byte from the platform after which a connection counts as dead,
    /// 100 to 600000. The platform answers every ping at once.
    #[serde(default = "half_a_minute")]
    pub silence_ms: u64,
    /// Hosts that the platform may name for a connection besides those of the app's domain, with those below them. None by
    /// default: the platform's own hosts are known.
    #[serde(default)]
    pub hosts: Vec<HostName>,
}

fn one() -> u32 {
    1
}

fn half_a_minute() -> u64 {
    30_000
}

impl LongConnectionConfig {
    /// Checks that all values are in range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("long_connection");
        let limit = |error: SettingError| {
            SettingError::new(
                error.key,
                format!("{}, the platform's limit for an app", error.problem),
            )
        };
        section.in_range("connections", self.connections, 1..=MAX_CONNECTIONS).map_err(limit)?;
        section.in_range("silence_ms", self.silence_ms, 100..=600_000)
    }
}

/// The platform's own limit for an app.
const MAX_CONNECTIONS: u32 = 50;

/// Everything that the connections of one app share.
#[derive(Clone, Debug)]
pub struct LongConnection {
    /// The app that connects, with the domain that discovery asks.
    pub app: AppIdentity,
    /// Hosts besides those of the domain that discovery may name.
    pub hosts: Vec<HostName>,
    /// The clients for reaching the platform.
    pub network: Network,
    /// Answers the app's callbacks.
    pub dispatcher: Arc<Dispatcher>,
    /// Makes the deadline of each callback.
    pub deadline: DeadlineConfig,
    /// The time beyond a ping interval for which the platform may be silent.
    pub silence: Duration,
}

/// The clients for reaching the platform's servers.
#[derive(Clone, Debug)]
pub struct Network {
    /// The HTTP client for discovery.
    pub http: reqwest::Client,
    /// The TLS configuration of the WebSocket.
    pub tls: Arc<ClientConfig>,
}

/// Why the platform offers no connection.
#[derive(Debug)]
pub struct Refusal {
    /// The error as text.
    pub reason: String,
    /// The platform's error code, if it gave one.
    pub code: Option<i64>,
    /// True if somebody has to change something before another attempt can succeed.
    pub useless_to_retry: bool,
}

/// Asks the platform's discovery for an address, as every connection does first, and does not dial it.
pub async fn ask_discovery(
    app: AppIdentity,
    hosts: &[HostName],
    network: Network,
) -> Result<(), Refusal> {
    let dialer = Dialer::new(app, hosts.to_vec(), network);
    dialer.ask().await.map_err(|error| Refusal {
        reason: error.to_string(),
        code: error.code(),
        useless_to_retry: error.retry() == Retry::Useless,
    })
}

impl LongConnection {
    /// Keeps one connection up until the host stops, or until the platform says that trying again is useless.
    pub async fn run(self, status: ConnectionStatus, shutdown: Shutdown) {
        let app = self.app.id.clone();
        let connection = status.number();
        let dialer = Dialer::new(self.app, self.hosts, self.network);
        let mut backoff = Backoff::default();
        let mut settings = ConnectionSettings::default();
        while !shutdown.has_begun() {
            let dialed = tokio::select! {
                // Cancel safe: a half-open connection is dropped, and the platform notices.
                () = shutdown.begun() => break,
                dialed = dialer.dial() => dialed,
            };
            let reason = match dialed {
                Ok(dialed) => {
                    settings.update(dialed.settings);
                    status.set_up();
                    tracing::info!(app, connection, device = dialed.device_id, "{CONNECTED}");
                    let host = session::SessionHost {
                        dispatcher: &self.dispatcher,
                        deadline: self.deadline,
                        silence: self.silence,
                    };
                    let over = session::run(dialed, &mut settings, host, &shutdown).await;
                    if over.was_heard {
                        backoff.succeeded();
                    }
                    over.reason.to_string()
                }
                Err(error) if error.retry() == Retry::Useless => {
                    // The status is set first: a reader of the log line may ask for it at once.
                    status.set_fatal(&error.to_string());
                    tracing::error!(app, connection, reason = %error, "{CONNECTION_GIVEN_UP}");
                    return;
                }
                Err(error) => error.to_string(),
            };
            if shutdown.has_begun() {
                break;
            }
            status.set_down(&reason);
            let pause = backoff.next(&settings);
            tracing::warn!(
                app,
                connection,
                reason,
                pause_ms = pause.as_millis() as u64,
                "{DISCONNECTED}"
            );
            tokio::select! {
                // Cancel safe: both only wait.
                () = shutdown.begun() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        status.set_down("the host is stopping");
    }
}
