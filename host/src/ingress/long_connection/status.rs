//! Which connections are up, for `/readyz` and the metrics.

use std::sync::Arc;

use aviary_state::Mutex;

use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::telemetry::metrics;

/// How one connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Messages can arrive.
    Up,
    /// Being dialled, and why it is not up yet.
    Down(String),
    /// Given up: somebody has to change something first.
    Fatal(String),
}

/// All connections of one app.
#[derive(Clone, Debug)]
pub struct Connections {
    app: Arc<str>,
    states: Arc<Mutex<Vec<State>>>,
}

impl Connections {
    /// None is up yet.
    pub fn new(app: Arc<str>, count: u32) -> Self {
        let states = vec![State::Down("not connected yet".to_owned()); count as usize];
        Self { app, states: Arc::new(Mutex::new(states)) }
    }

    /// One handle for each connection.
    pub fn handles(&self) -> impl Iterator<Item = ConnectionStatus> {
        let count = self.states().len();
        (0..count).map(|index| ConnectionStatus { connections: self.clone(), index })
    }

    /// The app they belong to.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// How they are, in the order of their numbers.
    pub fn states(&self) -> Vec<State> {
        self.states.lock().clone()
    }

    fn set(&self, index: usize, state: State) {
        let mut states = self.states.lock();
        if let Some(slot) = states.get_mut(index) {
            *slot = state;
        }
        let up = states.iter().filter(|state| **state == State::Up).count();
        let given_up = states.iter().filter(|state| matches!(state, State::Fatal(_))).count();
        metrics::set_connections(&self.app, up, given_up);
    }
}

/// Some of the words are those of a server.
fn brief(reason: &str) -> String {
    clipped(reason, MAX_TEXT_BYTES).into_owned()
}

/// One connection's own.
#[derive(Clone, Debug)]
pub struct ConnectionStatus {
    connections: Connections,
    index: usize,
}

impl ConnectionStatus {
    /// Counted from 1.
    pub fn number(&self) -> usize {
        self.index + 1
    }

    pub(super) fn set_up(&self) {
        self.connections.set(self.index, State::Up);
    }

    pub(super) fn set_down(&self, reason: &str) {
        self.connections.set(self.index, State::Down(brief(reason)));
    }

    pub(super) fn set_fatal(&self, reason: &str) {
        self.connections.set(self.index, State::Fatal(brief(reason)));
    }
}
