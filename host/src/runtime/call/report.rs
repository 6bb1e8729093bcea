//! How a call ended, and which export took it.

use crate::callback::model::Json;
use crate::callback::reply::RawReply;
use crate::runtime::call::error::CallError;
use crate::runtime::call::timing::CallTiming;

/// How a call ended.
#[derive(Debug)]
pub struct CallReport {
    /// What the handler returned, or why it did not.
    pub result: Result<RawReply, CallError>,
    /// Units used.
    pub fuel: u64,
    /// Cards to show once the answer is on the wire, in the form `card/update` takes.
    pub deferred: Vec<Json>,
    /// When it came how far.
    pub timing: CallTiming,
}

impl CallReport {
    /// Of a call that nothing else is known of.
    pub(in crate::runtime) fn without_end(error: CallError) -> Self {
        let timing = CallTiming::beginning(true);
        Self { result: Err(error), fuel: 0, deferred: Vec::new(), timing }
    }
}

/// Which of a plugin's exports takes a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// The one made for that type of callback.
    Typed,
    /// `callback-handler`, JSON in and JSON out.
    Json,
}
