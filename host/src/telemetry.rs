//! The host's reports about itself: one log line for each callback, and counters. Neither contains secrets.

pub mod collector;
pub mod events;
pub mod history;
mod format;
mod lines;
mod log;
mod unclaimed;
pub mod metrics;

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::broadcast;

use crate::record::CallbackRecord;
use crate::record::Door;
use crate::telemetry::events::REJECTED;
use crate::telemetry::history::History;
use crate::telemetry::unclaimed::Unclaimed;

pub use crate::telemetry::lines::flush;
pub use crate::telemetry::log::LogConfig;
pub use crate::telemetry::log::LogError;
pub use crate::telemetry::log::LogFormat;
pub use crate::telemetry::log::init;

/// Records that a slow observer may be behind before it loses the oldest ones.
const OBSERVED: usize = 4096;

/// The receivers of every callback's record as the callback ends.
#[derive(Clone, Debug)]
pub struct Observers {
    subscribers: broadcast::Sender<Arc<CallbackRecord>>,
    history: Option<Arc<History>>,
    unclaimed: Unclaimed,
}

impl Observers {
    /// Starts without subscribers; `history` receives every record if it is there.
    pub fn new(history: Option<Arc<History>>) -> Self {
        let unclaimed = Unclaimed::default();
        Self { subscribers: broadcast::Sender::new(OBSERVED), history, unclaimed }
    }

    /// Returns a receiver of every record from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<CallbackRecord>> {
        self.subscribers.subscribe()
    }

    /// Returns whether any receiver exists.
    pub fn are_there(&self) -> bool {
        self.history.is_some() || self.subscribers.receiver_count() > 0
    }

    /// Writes the log line, updates the counters, and passes the record to the receivers.
    pub fn record(&self, record: &CallbackRecord) {
        if Unclaimed::is(record) {
            self.unclaimed.note(record);
            log::quietly(record);
        } else {
            log::callback(record);
        }
        metrics::record_callback(record);
        if let Some(history) = &self.history {
            history.note(record);
        }
        if self.subscribers.receiver_count() > 0 {
            // The last observer may have left in between.
            let _ = self.subscribers.send(Arc::new(record.clone()));
        }
    }
}

/// Logs and counts a request that is not a callback and was rejected. `client` is its sender, where a door can tell.
pub fn record_rejected(
    app: &str,
    door: Door,
    kind: &'static str,
    reason: &str,
    client: Option<IpAddr>,
) {
    let client = client.map(tracing::field::display);
    tracing::warn!(app, door = door.as_str(), kind, reason, client, "{REJECTED}");
    metrics::record_rejected(door, kind);
}
