//! The simulated platform as the tests use it: users who click, and what they see.

use std::sync::Arc;

use anyhow::Context as _;
use lark_simulator::Simulator;
use lark_simulator::config::AppKind;
use lark_simulator::config::ClientConfig;
use lark_simulator::config::SimulatedApp;
use lark_simulator::config::SimulatorConfig;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use lark_simulator::exchange::Exchange;
use lark_simulator::user_error::UserError;
use lark_wire::secret::Secret;
use rustls::ServerConfig;
use serde_json::Value;

use crate::APP_SECRET;
use crate::ENCRYPT_KEY;
use crate::PATIENCE;
use crate::TENANT_KEY;
use crate::VERIFICATION_TOKEN;
use crate::sender;
use crate::setup::App;
use crate::setup::Keys;

/// Settings that the platform sends to its clients, in seconds: tests do not wait two minutes for a reconnect or a ping.
const CLIENT_CONFIG: ClientConfig = ClientConfig {
    reconnect_count: -1,
    reconnect_interval: 1,
    reconnect_nonce: 0,
    ping_interval: 120,
};

/// A running simulated platform.
pub struct Platform {
    simulator: Simulator,
    first_app: String,
}

impl Platform {
    /// Starts a platform with these apps, their secrets and keys; it speaks TLS if there is a certificate.
    pub async fn start(apps: &[App], tls: Option<Arc<ServerConfig>>) -> anyhow::Result<Self> {
        let simulated = apps.iter().map(|app| SimulatedApp {
            verification_token: Some(Secret::new(VERIFICATION_TOKEN)),
            encrypt_key: (app.keys() != Keys::Token).then(|| Secret::new(ENCRYPT_KEY)),
            tenant_key: TENANT_KEY.to_owned(),
            kind: if app.is_from_the_store() { AppKind::Store } else { AppKind::SelfBuilt },
            ..SimulatedApp::new(app.id(), Secret::new(APP_SECRET))
        });
        let mut config = SimulatorConfig::on_loopback(simulated.collect());
        config.client_config = CLIENT_CONFIG;
        config.tls = tls;
        let first_app = apps.first().map(|app| app.id().to_owned()).unwrap_or_default();
        Ok(Self { simulator: Simulator::start(config).await?, first_app })
    }

    /// Returns the value for the host's `domain`.
    pub fn domain(&self) -> String {
        self.simulator.domain()
    }

    /// Returns the underlying simulator.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Returns the id of the first app.
    pub fn app(&self) -> &str {
        &self.first_app
    }

    /// Clicks a button of that name as a user of the first app; the click comes over the long connection.
    pub async fn click(&self, button: &str) -> anyhow::Result<Seen> {
        self.send(&click(button)).await
    }

    /// Delivers over the first app's long connection.
    pub async fn send(&self, delivery: &Delivery) -> anyhow::Result<Seen> {
        self.send_by(&Door::LongConnection, delivery).await
    }

    /// Delivers to the first app by that door.
    pub async fn send_by(&self, door: &Door, delivery: &Delivery) -> anyhow::Result<Seen> {
        Ok(Seen(self.simulator.send(&self.first_app, door, delivery).await?))
    }

    /// Waits until the condition is true of the simulator.
    pub async fn wait_until(&self, condition: impl Fn(&Simulator) -> bool) -> anyhow::Result<()> {
        self.simulator
            .wait_until(PATIENCE, condition)
            .await
            .context("what the platform should have seen")
    }
}

/// A click on a button of that name, as the platform delivers it.
pub fn click(button: &str) -> Delivery {
    Delivery::json(DeliveryKind::CardAction, sender::click(button))
}

/// The result of one delivery.
#[derive(Debug)]
pub struct Seen(Exchange);

impl Seen {
    /// Returns the complete exchange.
    pub fn exchange(&self) -> &Exchange {
        &self.0
    }

    /// Returns the text of the toast, empty if there is none.
    pub fn toast(&self) -> &str {
        self.0.verdict.toast.as_ref().map(|toast| toast.text.as_str()).unwrap_or_default()
    }

    /// Returns the kind of the toast: `info`, `success`, `warning` or `error`; empty if there is none.
    pub fn toast_kind(&self) -> String {
        let kind =
            self.0.verdict.toast.as_ref().and_then(|toast| serde_json::to_value(toast.kind).ok());
        kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Returns the error that the user sees in place of a reply.
    pub fn error(&self) -> Option<&UserError> {
        self.0.verdict.error.as_ref()
    }

    /// Returns the reply as JSON, null if there is none.
    pub fn reply(&self) -> Value {
        self.0
            .received
            .as_ref()
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .unwrap_or(Value::Null)
    }
}
