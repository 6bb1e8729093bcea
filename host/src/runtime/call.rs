//! One call: the services for its guest, and its use of a thread.

pub mod run;
pub mod running_call;
pub mod describe;
pub mod report;
pub mod error;
mod last_words;
pub mod timing;
pub(in crate::runtime) mod guest;
pub(in crate::runtime) mod state;
pub(in crate::runtime) mod taped;
pub(in crate::runtime) mod command;
pub(in crate::runtime) mod command_input;
pub mod lift;
pub(in crate::runtime) mod lower;
pub mod host_call_hook;
pub(in crate::runtime) mod time_slice;
pub(in crate::runtime) mod thread_sharing;
pub(in crate::runtime) mod inline_hint;

use crate::callback::model::Json;
use crate::capability::Services;
use crate::capability::context::CallContext;
use crate::runtime::call::time_slice::TimeSlice;

/// A call that is running.
pub(super) struct CallData {
    pub(super) slice: TimeSlice,
    pub(super) services: Services,
}

impl CallData {
    pub(super) fn begin(context: CallContext) -> Self {
        Self { slice: TimeSlice::begin(), services: Services::new(context) }
    }

    /// Gives up the call so that it can begin again elsewhere; its guest has not run.
    pub(super) fn into_context(self) -> CallContext {
        self.services.context
    }

    /// Ends the call. Logs the guest's output, and returns the cards to show once the answer has been sent.
    pub(super) fn end(self, printed: &[u8], printed_beyond: u64) -> Vec<Json> {
        self.services.finish(printed, printed_beyond)
    }
}
