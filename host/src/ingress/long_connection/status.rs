//! The state of all connections, for `/readyz` and the metrics.

use std::sync::Arc;

use aviary_state::Mutex;

use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::telemetry::metrics;

/// The state of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// The connection is open, and messages can arrive.
    Up,
    /// The connection is being dialled; the reason says why it is not up.
    Down(String),
    /// The host gave up: somebody has to change something first.
    Fatal(String),
}

/// All connections of one app.
#[derive(Clone, Debug)]
pub struct Connections {
    app: Arc<str>,
    states: Arc<Mutex<Vec<ConnectionState>>>,
}

impl Connections {
    /// Makes `count` connections that are down.
    pub fn new(app: Arc<str>, count: u32) -> Self {
        let states = vec![ConnectionState::Down("not connected yet".to_owned()); count as usize];
        Self { app, states: Arc::new(Mutex::new(states)) }
    }

    /// Returns a handle for each connection.
    pub fn handles(&self) -> impl Iterator<Item = ConnectionStatus> {
        let count = self.states().len();
        (0..count).map(|index| ConnectionStatus { connections: self.clone(), index })
    }

    /// Returns the id of the app.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Returns the states, in the order of the connections' numbers.
    pub fn states(&self) -> Vec<ConnectionState> {
        self.states.lock().clone()
    }

    fn set(&self, index: usize, state: ConnectionState) {
        let mut states = self.states.lock();
        if let Some(slot) = states.get_mut(index) {
            *slot = state;
        }
        let up = states.iter().filter(|state| **state == ConnectionState::Up).count();
        let given_up =
            states.iter().filter(|state| matches!(state, ConnectionState::Fatal(_))).count();
        metrics::set_connections(&self.app, up, given_up);
    }
}

/// Limits the length of a reason, which may come from a server.
fn brief(reason: &str) -> String {
    clipped(reason, MAX_TEXT_BYTES).into_owned()
}

/// A handle that sets the state of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionStatus {
    connections: Connections,
    index: usize,
}

impl ConnectionStatus {
    /// Returns the connection's number, counted from 1.
    pub fn number(&self) -> usize {
        self.index + 1
    }

    pub(super) fn set_up(&self) {
        self.connections.set(self.index, ConnectionState::Up);
    }

    pub(super) fn set_down(&self, reason: &str) {
        self.connections.set(self.index, ConnectionState::Down(brief(reason)));
    }

    pub(super) fn set_fatal(&self, reason: &str) {
        self.connections.set(self.index, ConnectionState::Fatal(brief(reason)));
    }
}
