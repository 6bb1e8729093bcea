//! From how a call ended to what is said, and what is known about how it came to that.

use crate::callback::fallback::Reason;
use crate::callback::fallback::fallback;
use crate::callback::model::Callback;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply_check::check;
use crate::record::Outcome;
use crate::runtime::call::error::CallError;

/// What is said.
#[derive(Debug)]
pub struct Decision {
    /// The answer.
    pub reply: Reply,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it did not end well.
    pub reason: Option<String>,
}

/// From how a call ended to what is said.
pub fn decide(callback: &Callback, result: Result<RawReply, CallError>) -> Decision {
    let error = match result {
        Ok(raw) => return checked(callback, raw, Outcome::Answered),
        Err(error) => error,
    };
    let reason = Some(error.to_string());
    let failed = |outcome| host_words(callback, Reason::Failed, outcome, reason.clone());
    match error {
        CallError::User(toast) => match RawReply::from_toast(callback.kind(), toast) {
            Some(raw) => checked(callback, raw, Outcome::PluginFailure),
            None => failed(Outcome::PluginFailure),
        },
        CallError::Internal(_) | CallError::Exit { .. } => failed(Outcome::PluginFailure),
        CallError::OutOfFuel { .. } => failed(Outcome::OutOfFuel),
        CallError::OutOfMemory { .. } => failed(Outcome::OutOfMemory),
        CallError::Trap(_) => failed(Outcome::Trap),
        CallError::ReplyTooLarge { .. } | CallError::Unreadable(_) => failed(Outcome::InvalidReply),
        CallError::Stopped => failed(Outcome::Deadline),
        CallError::HostMemory | CallError::NoRoom(_) => {
            host_words(callback, Reason::Busy, Outcome::Overload, reason)
        }
    }
}

/// Only what keeps to the platform's rules goes out; the rest is named in the log.
fn checked(callback: &Callback, raw: RawReply, outcome: Outcome) -> Decision {
    // The platform does not say which version of card JSON is on screen.
    let checked = check(callback.kind(), raw, None);
    if checked.faults.is_empty()
        && let Some(reply) = checked.reply
    {
        return Decision { reply, outcome, reason: None };
    }
    let reason = Some(checked.faults.to_string());
    match checked.reply {
        Some(reply) => Decision { reply, outcome: Outcome::InvalidReply, reason },
        None => host_words(callback, Reason::Failed, Outcome::InvalidReply, reason),
    }
}

/// What the host says by itself.
pub fn host_words(
    callback: &Callback,
    why: Reason,
    outcome: Outcome,
    reason: Option<String>,
) -> Decision {
    Decision { reply: fallback(callback, why), outcome, reason }
}
