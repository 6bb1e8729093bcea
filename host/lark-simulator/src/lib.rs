//! The platform's side of the wire, on one loopback port: discovery, the long connection, the server API that handlers
//! use, and a user's client that sends callbacks and judges the answers. For people without a tenant, and for tests.
//!
//! It imitates; it is not the platform. What it does is documented behaviour where there is documentation. Where there is
//! none, it takes the strictest reading that the official clients survive.
//!
//! ```
//! use lark_simulator::Simulator;
//! use lark_simulator::config::SimulatedApp;
//! use lark_simulator::config::SimulatorConfig;
//! use lark_simulator::delivery::Delivery;
//! use lark_simulator::delivery::Door;
//! use lark_wire::secret::Secret;
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = SimulatedApp::new("cli_0123456789abcdef", Secret::new("the app secret"));
//! let platform = Simulator::start(SimulatorConfig::on_loopback(vec![app])).await?;
//! // The domain for the bot's SDK. Its webhook, or its long connection, then answers deliveries.
//! assert!(platform.domain().starts_with("http://127.0.0.1:"));
//! let click = Delivery::card_action(json!({ "action": "approve" }));
//! let exchange = platform.send("cli_0123456789abcdef", &Door::LongConnection, &click).await?;
//! // No bot is connected yet: the user sees an error of the platform.
//! assert!(exchange.verdict.error.is_some());
//! platform.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Errors and limits
//!
//! [`SimulatorError`] says why the port did not open, [`SendError`] why nothing
//! was sent; everything else that goes wrong is what a user would see, in [`Verdict`](verdict::Verdict). The simulator listens on
//! loopback, delivers to loopback only, and answers a bot on this machine or a page of its own, never a page of another site. A
//! request has at most 1 MiB, and 1024 HTTP connections are open at once. Times are milliseconds where a name ends in `_ms`.
//!
//! With the feature `cli`, on by default, there are the program `lark-simulator` and its options ([`command`]).
//!
//! Modules are listed lowest layer first; a module uses only those above it in this list.

mod identifier;
mod changes;
pub mod fragment;
pub mod user_error;
pub mod sample;
pub mod approval;
pub mod config;
mod settings;
pub mod delivery;
mod card;
pub mod verdict;
pub mod exchange;
mod sealing;
mod loopback_client;
mod connections;
mod ticket;
mod update_token;
pub mod script;
mod app_ticket;
mod answers;
pub mod record;
mod tally;
mod access_token;
mod app;
pub mod host_words;
mod state;
mod call;
mod discovery;
mod open_api;
mod socket;
mod handshake;
mod control;
mod playground;
mod server;
#[cfg(feature = "cli")]
pub mod command;

#[cfg(test)]
mod test_client;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lark_wire::frame::Frame;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::access_token::APP_TOKEN_INVALID;
use crate::access_token::Holder;
use crate::app_ticket::TICKET_INVALID;
use crate::config::ClientConfig;
use crate::config::SimulatorConfig;
use crate::connections::Sent;
use crate::delivery::Delivery;
use crate::delivery::Door;
use crate::exchange::Exchange;
use crate::exchange::SendError;
use crate::fragment::Envelope;
use crate::host_words::Build;
use crate::host_words::Surroundings;
use crate::record::ApiCall;
use crate::record::CardUpdate;
use crate::record::Counters;
use crate::record::SentMessage;
use crate::script::ApplicationScript;
use crate::script::CardUpdateScript;
use crate::script::DiscoveryScript;
use crate::script::HandshakeScript;
use crate::script::PongScript;
use crate::script::TicketScript;
use crate::state::State;

/// Reason why the simulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The address is taken, or may not be used.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address of the configuration.
        address: SocketAddr,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// Two apps have one id: no request could tell them apart.
    #[error("the app {id} is configured twice")]
    DuplicateApp {
        /// The id that occurs twice.
        id: String,
    },
    /// The client that delivers webhooks could not be built.
    #[error("cannot build the HTTP client: {0}")]
    Client(#[from] loopback_client::ClientError),
}

/// A condition that did not become true in the time allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated platform did not see it within {0:?}")]
pub struct NotInTime(pub Duration);

/// A running simulated platform. Dropping it stops it.
pub struct Simulator {
    state: Arc<State>,
}

impl Simulator {
    /// Opens the port and serves until [`Simulator::shutdown`] or drop.
    pub async fn start(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        let address = config.listen;
        let listen_error = |source| SimulatorError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let bound = listener.local_addr().map_err(listen_error)?;
        let state = Arc::new(State::new(config, bound)?);
        state.tasks.spawn(server::serve(listener, Arc::clone(&state)));
        Ok(Self { state })
    }

    /// Returns the address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.state.address
    }

    /// Returns the `domain` with which an app's host finds this platform: `http://127.0.0.1:PORT`, or https.
    pub fn domain(&self) -> String {
        format!("{}://{}", self.state.scheme("http"), self.state.address)
    }

    /// Stops everything and waits until every task has ended. Connections are cut, not closed politely.
    pub async fn shutdown(self) {
        self.state.stop.cancel();
        self.state.tasks.close();
        self.state.tasks.wait().await;
    }

    /// Delivers one callback or event and judges the answer as a user's client would.
    pub async fn send(
        &self,
        app_id: &str,
        door: &Door,
        delivery: &Delivery,
    ) -> Result<Exchange, SendError> {
        call::send(&self.state, app_id, door, delivery).await
    }
}

/// Reports for the page at `/`, from a host in the same process.
impl Simulator {
    /// Lets somebody on the page, or at the control endpoints, have deliveries sent to this webhook on this machine, and to no
    /// other that was not opened. [`Simulator::send`], which only this program can call, needs no permission.
    pub fn open_webhook(&self, url: &str) -> Result<(), SendError> {
        self.state.open_webhook(url)
    }

    /// Reports a host's webhook and plugins. Before the first report the page knows of no host.
    pub fn tell_surroundings(&self, surroundings: Surroundings) {
        self.state.host_words.tell_surroundings(surroundings);
    }

    /// Reports the host's record of one callback.
    pub fn tell_of_callback(&self, event_id: String, words: Value) {
        self.state.host_words.tell_of_callback(event_id, words);
    }

    /// Reports the progress of the plugin whose source is followed.
    pub fn tell_build(&self, build: Build) {
        self.state.host_words.tell_build(build);
    }

    /// Shows callbacks on the page that a program has sent under these names, and not somebody on the page.
    pub async fn show(&self, callbacks: &[(String, Exchange)]) {
        let mut described = Vec::new();
        for (name, exchange) in callbacks {
            let exchange = control::describe(&self.state, exchange).await;
            described.push(json!({ "name": name, "exchange": exchange }));
        }
        self.state.host_words.show(described);
    }
}

/// Scripted faults, for tests and experiments.
impl Simulator {
    /// Sets the answer of discovery from now on.
    pub fn set_discovery(&self, app_id: &str, script: DiscoveryScript) -> Result<(), SendError> {
        self.state.app(app_id)?.scripts().discovery = script;
        Ok(())
    }

    /// Sets the answer of the WebSocket handshake from now on.
    pub fn set_handshake(&self, app_id: &str, script: HandshakeScript) -> Result<(), SendError> {
        self.state.app(app_id)?.scripts().handshake = script;
        Ok(())
    }

    /// Sets the answer to updates of a card from now on.
    pub fn set_card_update(&self, app_id: &str, script: CardUpdateScript) -> Result<(), SendError> {
        self.state.app(app_id)?.scripts().card_update = script;
        Ok(())
    }

    /// Sets the answer to requests for the app's own settings from now on.
    pub fn set_application(
        &self,
        app_id: &str,
        script: ApplicationScript,
    ) -> Result<(), SendError> {
        self.state.app(app_id)?.scripts().application = script;
        Ok(())
    }

    /// Sets the payload of pongs from now on.
    pub fn set_pong(&self, app_id: &str, script: PongScript) -> Result<(), SendError> {
        self.state.app(app_id)?.scripts().pong = script;
        Ok(())
    }

    /// Sets the configuration that discovery and pongs carry from now on.
    pub fn set_client_config(&self, app_id: &str, config: ClientConfig) -> Result<(), SendError> {
        self.state.app(app_id)?.scripts().client_config = config;
        Ok(())
    }

    /// Cuts every connection of the app without a Close frame.
    pub fn drop_connections(&self, app_id: &str) -> Result<(), SendError> {
        self.state.app(app_id)?.connections.cut();
        Ok(())
    }

    /// Cuts one connection of the app without a Close frame: the one at this number, modulo the number of connections.
    pub fn drop_connection(&self, app_id: &str, number: usize) -> Result<(), SendError> {
        self.state.app(app_id)?.connections.cut_one(number);
        Ok(())
    }

    /// Sends a Close frame with `code` on every connection of the app, then drops TCP as the platform does.
    pub fn close_connections(&self, app_id: &str, code: u16) -> Result<(), SendError> {
        self.state.app(app_id)?.connections.close(code);
        Ok(())
    }

    /// Leaves the connections that are open now half open: nothing is read and no ping is answered, but TCP stays up.
    /// Connections made later are not affected, and are preferred for delivery.
    pub fn silence(&self, app_id: &str) -> Result<(), SendError> {
        self.state.app(app_id)?.connections.silence();
        Ok(())
    }

    /// Makes the app's access tokens for its tenants invalid, as a rotated secret would: the next call with one gets
    /// 99991663.
    pub fn revoke_access_tokens(&self, app_id: &str) -> Result<(), SendError> {
        self.make_tokens_stale(app_id, 99_991_663)
    }

    /// Makes tokens invalid with any code. 99991664 says that the app's own token is invalid too, and 10012 that even its ticket
    /// is.
    pub fn make_tokens_stale(&self, app_id: &str, code: i64) -> Result<(), SendError> {
        let app = self.state.app(app_id)?;
        let with_own = matches!(code, APP_TOKEN_INVALID | TICKET_INVALID);
        app.access_tokens.revoke(code, |holder| with_own || *holder != Holder::App);
        if code == TICKET_INVALID {
            app.app_tickets.revoke();
        }
        Ok(())
    }

    /// Sets the reaction to a store app's requests for a ticket from now on.
    pub fn set_app_ticket(&self, app_id: &str, script: TicketScript) -> Result<(), SendError> {
        self.state.app(app_id)?.scripts().ticket = script;
        Ok(())
    }

    /// Sends a store app a new ticket, as the platform does once an hour. The one before becomes invalid.
    pub async fn push_app_ticket(&self, app_id: &str, door: &Door) -> Result<Exchange, SendError> {
        let delivery = self.state.app(app_id)?.app_tickets.push();
        self.send(app_id, door, &delivery).await
    }

    /// Ends the thirty minutes of a card's update token now.
    pub fn expire_update_token(&self, token: &str) {
        self.state.update_tokens.expire(token, Instant::now());
    }

    /// Sends one frame as it stands on a random connection. Its answer, if any, is in [`Simulator::stray_answers`].
    pub async fn send_frame(&self, app_id: &str, frame: &Frame) -> Result<(), SendError> {
        self.send_bytes(app_id, frame.to_bytes()).await
    }

    /// Sends one binary WebSocket message on a random connection, whatever its bytes mean.
    pub async fn send_bytes(&self, app_id: &str, bytes: Bytes) -> Result<(), SendError> {
        self.send_message(app_id, Message::Binary(bytes)).await
    }

    /// Sends one text WebSocket message on a random connection; the platform never does.
    pub async fn send_text(&self, app_id: &str, text: &str) -> Result<(), SendError> {
        self.send_message(app_id, Message::text(text)).await
    }

    async fn send_message(&self, app_id: &str, message: Message) -> Result<(), SendError> {
        let app = self.state.app(app_id)?;
        let connection = app.connections.pick().ok_or(SendError::NotOnline)?;
        // A connection that ends because of the message is a finding, not a failure to send.
        let _: Sent = connection.send(message).await;
        Ok(())
    }

    /// Returns a fresh envelope for frames made by hand, as the platform would address them to this app.
    pub fn envelope(&self, app_id: &str) -> Result<Envelope, SendError> {
        Ok(Envelope::new(self.state.app(app_id)?.service_id))
    }
}

/// Observations, and waiting for them.
impl Simulator {
    /// Returns the counts of one app; all zero for an app that is not configured.
    pub fn counters(&self, app_id: &str) -> Counters {
        self.state.app(app_id).map(|app| app.tally.counters()).unwrap_or_default()
    }

    /// Returns the number of the app's open connections, silenced ones included.
    pub fn connected(&self, app_id: &str) -> usize {
        self.state.app(app_id).map(|app| app.connections.count()).unwrap_or_default()
    }

    /// Returns the last delivery that somebody sent to this app through `POST /simulator/send`, and its door.
    pub fn last_by_hand(&self, app_id: &str) -> Option<(Door, Delivery)> {
        self.state.app(app_id).ok()?.last_by_hand().clone()
    }

    /// Returns the bytes of the last ping frame of the app.
    pub fn last_ping(&self, app_id: &str) -> Option<Bytes> {
        self.state.app(app_id).ok()?.tally.last_ping()
    }

    /// Returns the number of answers that came after their user had been told that there was none, over all apps and both doors.
    pub fn late_answers(&self) -> u64 {
        self.state.apps().map(|app| app.tally.counters().late_answers).sum()
    }

    /// Returns the reply frames to no callback of [`Simulator::send`], oldest first: the answers to frames that were sent by
    /// hand.
    pub fn stray_answers(&self, app_id: &str) -> Vec<Frame> {
        self.state.app(app_id).map(|app| app.tally.stray_answers()).unwrap_or_default()
    }

    /// Returns every request for a card update, oldest first, refused ones included.
    pub fn card_updates(&self) -> Vec<CardUpdate> {
        self.state.records.card_updates()
    }

    /// Returns the accepted card updates that came before the answer to their own callback: on the platform they fail or are
    /// reverted.
    pub fn early_card_updates(&self) -> Vec<CardUpdate> {
        self.card_updates().into_iter().filter(CardUpdate::is_early).collect()
    }

    /// Returns every message that was sent, oldest first; a repeated `uuid` is one message.
    pub fn messages(&self) -> Vec<SentMessage> {
        self.state.records.messages()
    }

    /// Returns every call of the server API, oldest first, refused ones included.
    pub fn api_calls(&self) -> Vec<ApiCall> {
        self.state.records.api_calls()
    }

    /// Waits until `condition` holds. It is checked now and after everything that the simulator sees.
    pub async fn wait_until(
        &self,
        limit: Duration,
        condition: impl Fn(&Self) -> bool,
    ) -> Result<(), NotInTime> {
        let mut changes = self.state.changes.subscribe();
        let wait = async {
            while !condition(self) {
                changes.seen().await;
            }
        };
        tokio::time::timeout(limit, wait).await.map_err(|_| NotInTime(limit))
    }

    /// Waits until the app has at least `connections` open.
    pub async fn wait_connected(
        &self,
        app_id: &str,
        connections: usize,
        limit: Duration,
    ) -> Result<(), NotInTime> {
        self.wait_until(limit, |simulator| simulator.connected(app_id) >= connections).await
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.state.stop.cancel();
    }
}
