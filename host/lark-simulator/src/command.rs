//! The command line: the options that the program `lark-simulator` and `aviary simulate` share, and the run that follows them.

use std::net::SocketAddr;

use clap::Args;
use lark_wire::secret::Secret;

use crate::Simulator;
use crate::SimulatorError;
use crate::config::SimulatedApp;
use crate::config::SimulatorConfig;
use crate::exchange::SendError;

/// Secrets of the simulated app. They are public: the help text prints them.
const APP_SECRET: &str = "simulated-secret";
const VERIFICATION_TOKEN: &str = "simulated-token";
const ENCRYPT_KEY: &str = "simulated-key";

/// Simulate the platform on this machine, to try things without a tenant.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Listen on this loopback address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
    /// Id of the simulated app.
    #[arg(long, default_value = "cli_0123456789abcdef")]
    app_id: String,
    /// Allow callbacks to this webhook too, like http://127.0.0.1:8080/callback; may be repeated.
    #[arg(long, value_name = "URL")]
    webhook: Vec<String>,
}

/// Reason why the command ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The option `--listen` is wrong.
    #[error("--listen: the simulator knows no secrets worth the name, so it stays on loopback")]
    NotLoopback,
    /// An option `--webhook` is wrong.
    #[error("--webhook: {0}")]
    Webhook(#[source] SendError),
    /// The options are right, but this machine does not allow it.
    #[error(transparent)]
    Start(#[from] SimulatorError),
}

impl CommandError {
    /// Returns true if the person who wrote the options has to change them.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NotLoopback | Self::Webhook(_) => true,
            Self::Start(_) => false,
        }
    }
}

impl SimulateArgs {
    /// Runs the simulated platform until `stop`, and logs the address once it listens.
    ///
    /// # Errors
    ///
    /// [`CommandError`], with the option that is wrong or what the system refused.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), CommandError> {
        if !self.listen.ip().is_loopback() {
            return Err(CommandError::NotLoopback);
        }
        let app = SimulatedApp {
            verification_token: Some(Secret::new(VERIFICATION_TOKEN)),
            encrypt_key: Some(Secret::new(ENCRYPT_KEY)),
            ..SimulatedApp::new(self.app_id, Secret::new(APP_SECRET))
        };
        let config =
            SimulatorConfig { listen: self.listen, ..SimulatorConfig::on_loopback(vec![app]) };
        let simulator = Simulator::start(config).await?;
        for webhook in &self.webhook {
            simulator.open_webhook(webhook).map_err(CommandError::Webhook)?;
        }
        tracing::info!(what = "simulator", address = %simulator.address(), "simulator: listening");
        stop.await;
        simulator.shutdown().await;
        Ok(())
    }
}
