//! The long connection: Aviary dials the platform and keeps a WebSocket open, for as long as the host runs.

mod backoff;
mod endpoint;
pub mod frame;
mod reassembly;
mod respond;
mod session;
mod settings;
pub mod status;

use std::sync::Arc;

use rustls::ClientConfig;
use serde::Deserialize;

use crate::deadline::DeadlineConfig;
use crate::dispatch::Dispatcher;
use crate::ingress::long_connection::backoff::Backoff;
use crate::ingress::long_connection::endpoint::Dialer;
use crate::ingress::long_connection::endpoint::Retry;
use crate::ingress::long_connection::settings::Settings;
use crate::ingress::long_connection::status::ConnectionStatus;
use crate::open_api::domain::Domain;
use crate::secret::Secret;
use crate::shutdown::Shutdown;

/// `long_connection = { … }` of an app.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongConnectionConfig {
    /// Connections to keep open, 1 to 50. The platform gives each message to one of them.
    #[serde(default = "one")]
    pub connections: u32,
}

fn one() -> u32 {
    1
}

/// The platform's own limit for an app.
pub const MAX_CONNECTIONS: u32 = 50;

/// Everything that the connections of one app share.
#[derive(Clone, Debug)]
pub struct LongConnection {
    /// `cli_…`
    pub app_id: String,
    /// Proves to the platform who is dialling.
    pub app_secret: Secret,
    /// Where discovery is asked.
    pub domain: Domain,
    /// For discovery.
    pub http: reqwest::Client,
    /// For the WebSocket.
    pub tls: Arc<ClientConfig>,
    /// Who answers.
    pub dispatcher: Dispatcher,
    /// When.
    pub deadline: DeadlineConfig,
}

impl LongConnection {
    /// Keeps one connection up until the host stops, or until the platform says that trying again is useless.
    pub async fn run(self, status: ConnectionStatus, shutdown: Shutdown) {
        let app = self.app_id.clone();
        let connection = status.number();
        let dialer = Dialer::new(self.app_id, self.app_secret, self.domain, self.http, self.tls);
        let mut backoff = Backoff::default();
        let mut settings = Settings::default();
        while !shutdown.has_begun() {
            let dialed = tokio::select! {
                // Cancel safe: a half-open connection is dropped, and the platform notices.
                () = shutdown.begun() => break,
                dialed = dialer.dial() => dialed,
            };
            let reason = match dialed {
                Ok(dialed) => {
                    settings.update(&dialed.settings);
                    status.set_up();
                    backoff.succeeded();
                    tracing::info!(app, connection, device = dialed.device_id, "connected");
                    let ended = session::run(
                        dialed,
                        &mut settings,
                        &self.dispatcher,
                        self.deadline,
                        &shutdown,
                    )
                    .await;
                    ended.to_string()
                }
                Err(error) if error.retry() == Retry::Useless => {
                    tracing::error!(app, connection, reason = %error, "connection given up");
                    status.set_fatal(error.to_string());
                    return;
                }
                Err(error) => error.to_string(),
            };
            if shutdown.has_begun() {
                break;
            }
            status.set_down(reason.clone());
            let pause = backoff.next(&settings);
            tracing::warn!(
                app,
                connection,
                reason,
                pause_ms = pause.as_millis() as u64,
                "disconnected"
            );
            tokio::select! {
                // Cancel safe: both only wait.
                () = shutdown.begun() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        status.set_down("the host is stopping".to_owned());
    }
}
