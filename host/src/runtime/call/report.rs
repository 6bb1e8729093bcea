//! The report of a call, and the handlers that a call may go to.

use crate::callback::model::Json;
use crate::callback::reply::RawReply;
use crate::runtime::call::error::CallError;
use crate::runtime::call::timing::CallTiming;

/// The report of a call that has ended.
#[derive(Debug)]
pub struct CallReport {
    /// The handler's reply, or why there is none.
    pub result: Result<RawReply, CallError>,
    /// Fuel that the call used.
    pub fuel: u64,
    /// Cards to show once the answer has been sent, in the form that `card/update` takes.
    pub deferred: Vec<Json>,
    /// When the call reached each of its stages.
    pub timing: CallTiming,
}

impl CallReport {
    /// Makes the report of a call about which nothing but the error is known.
    pub(in crate::runtime) fn without_end(error: CallError) -> Self {
        let timing = CallTiming::beginning(true);
        Self { result: Err(error), fuel: 0, deferred: Vec::new(), timing }
    }
}

/// The handler of a plugin that takes a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// The handler for that kind of callback.
    Typed,
    /// `callback-handler`, JSON in and JSON out.
    Json,
}
