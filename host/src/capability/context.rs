//! The context of a call, which every capability may use.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::callback::model::Callback;
use crate::capability::access::Access;
use crate::capability::access::Privileges;
use crate::capability::prepared::Prepared;
use crate::deadline::Deadline;
use crate::tape::Tape;

/// The effect of the plugin's grants in a call.
#[derive(Clone, Debug)]
pub enum CallMode {
    /// The plugin reaches what its operator granted.
    Live,
    /// A replay or a measurement: the plugin reaches nothing beyond this host and this call.
    Trial,
    /// A self-test: what was granted is answered from the test's own surroundings.
    SelfTest(Arc<Prepared>),
}

/// The subject of a call, and the means of the host to serve it. Each capability borrows it.
#[derive(Clone)]
pub struct CallContext {
    /// Everything that the plugin's guests may reach.
    pub access: Arc<Access>,
    /// The callback to answer.
    pub callback: Arc<Callback>,
    /// The deadline of the answer.
    pub deadline: Deadline,
    /// Runs the I/O of the call.
    pub io: Handle,
    /// The mode of the call, which decides where its requests go.
    pub mode: CallMode,
    /// Records what the guest is told, or plays it.
    pub tape: Tape,
}

impl CallContext {
    /// Returns the plugin's privileges; `None` in a trial.
    pub fn privileges(&self) -> Option<&Privileges> {
        match self.mode {
            CallMode::Live | CallMode::SelfTest(_) => Some(&self.access.privileges),
            CallMode::Trial => None,
        }
    }

    /// Returns the surroundings of a self-test, which answer in place of everything outside; `None` in any other call.
    pub fn prepared(&self) -> Option<&Prepared> {
        match &self.mode {
            CallMode::SelfTest(prepared) => Some(prepared),
            CallMode::Live | CallMode::Trial => None,
        }
    }

    /// Returns the id of the callback's event; empty if the platform gave none.
    pub fn event_id(&self) -> &str {
        self.callback.header.event_id.as_deref().unwrap_or_default()
    }

    /// Returns the milliseconds until the host answers without the plugin.
    pub fn remaining_ms(&self) -> u32 {
        self.tape.remaining_ms(self.deadline.remaining_ms())
    }
}
