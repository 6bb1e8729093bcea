//! What every capability may know of the call that it serves.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::callback::model::Callback;
use crate::capability::access::Access;
use crate::capability::access::Privileges;
use crate::deadline::Deadline;
use crate::tape::Tape;

/// Whether the grants of the plugin count in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallMode {
    /// The plugin reaches what its operator granted.
    Live,
    /// A test, a replay or a measurement: the plugin reaches nothing beyond this host and this call.
    Trial,
}

/// What a call is about, and where the host does its work. Each capability borrows it.
#[derive(Clone)]
pub struct CallContext {
    /// What the plugin's guests may reach.
    pub access: Arc<Access>,
    /// The callback that is answered.
    pub callback: Arc<Callback>,
    /// When the answer is due.
    pub deadline: Deadline,
    /// Runs the I/O of the call.
    pub io: Handle,
    /// Whether the grants count.
    pub mode: CallMode,
    /// Records what the guest is told, or plays it.
    pub tape: Tape,
}

impl CallContext {
    /// What the operator granted; nothing in a trial.
    pub fn privileges(&self) -> Option<&Privileges> {
        match self.mode {
            CallMode::Live => Some(&self.access.privileges),
            CallMode::Trial => None,
        }
    }

    /// The id of the callback's event; empty where the platform gave none.
    pub fn event_id(&self) -> &str {
        self.callback.header.event_id.as_deref().unwrap_or_default()
    }

    /// Milliseconds until the host answers without the plugin.
    pub fn remaining_ms(&self) -> u32 {
        self.tape.remaining_ms(self.deadline.remaining_ms())
    }
}
