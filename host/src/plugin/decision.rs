//! Turns the result of a call into the answer, and its outcome and reason for the log.

use crate::callback::approval::answer;
use crate::callback::fallback::Reason;
use crate::callback::fallback::fallback;
use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply_check::check;
use crate::record::Outcome;
use crate::runtime::call::error::CallError;

/// The answer to a callback.
#[derive(Debug)]
pub struct Decision {
    pub reply: Reply,
    pub outcome: Outcome,
    /// The error or the faults of the reply; `None` if all went well.
    pub reason: Option<String>,
}

impl Decision {
    /// Makes the host's own answer, for a callback that no plugin was asked or has replied to.
    pub fn by_host(callback: &Callback, why: Reason, reason: Option<String>) -> Self {
        Self { reply: fallback(callback, why), outcome: why.into(), reason }
    }

    /// Makes the host's own answer to a call that failed with this outcome.
    pub fn failed(callback: &Callback, outcome: Outcome, reason: Option<String>) -> Self {
        Self { outcome, ..Self::by_host(callback, Reason::Failed, reason) }
    }
}

impl From<Reason> for Outcome {
    fn from(why: Reason) -> Self {
        match why {
            Reason::StillWorking => Self::Deadline,
            Reason::Failed => Self::PluginFailure,
            Reason::NoHandler => Self::NoHandler,
            Reason::Busy => Self::Overload,
            Reason::NotAllowed | Reason::Forged | Reason::Expired | Reason::UsedUp => Self::Refused,
        }
    }
}

/// Turns the result of a call into the answer.
pub fn decide(callback: &Callback, result: Result<RawReply, CallError>) -> Decision {
    let error = match result {
        Ok(raw) => return checked(callback, raw, Outcome::Answered),
        Err(error) => error,
    };
    let reason = Some(error.to_string());
    let failed = |outcome| Decision::failed(callback, outcome, reason.clone());
    match error {
        CallError::User(toast) if let Kind::Approval(kind) = callback.kind() => {
            let reply = answer::failed(kind, &toast.content);
            Decision { reply, outcome: Outcome::PluginFailure, reason }
        }
        CallError::User(toast) => match RawReply::from_toast(callback.kind(), toast) {
            Some(raw) => checked(callback, raw, Outcome::PluginFailure),
            None => failed(Outcome::PluginFailure),
        },
        CallError::Internal(_) | CallError::Exit { .. } => failed(Outcome::PluginFailure),
        CallError::OutOfFuel { .. } => failed(Outcome::OutOfFuel),
        CallError::OutOfMemory { .. } => failed(Outcome::OutOfMemory),
        CallError::Trap { .. } => failed(Outcome::Trap),
        CallError::ReplyTooLarge { .. } | CallError::Unreadable(_) => failed(Outcome::InvalidReply),
        CallError::Stopped => failed(Outcome::Deadline),
        CallError::HostMemory | CallError::NoRoom(_) => {
            Decision::by_host(callback, Reason::Busy, reason)
        }
    }
}

/// Keeps the parts of a reply that obey the platform's rules, and names the others in the reason.
fn checked(callback: &Callback, raw: RawReply, outcome: Outcome) -> Decision {
    // The platform does not say which schema version the card on screen has.
    let checked = check(callback.kind(), raw, None);
    if checked.faults.is_empty()
        && let Some(reply) = checked.reply
    {
        return Decision { reply, outcome, reason: None };
    }
    let reason = Some(checked.faults.to_string());
    match checked.reply {
        Some(reply) => Decision { reply, outcome: Outcome::InvalidReply, reason },
        None => Decision::failed(callback, Outcome::InvalidReply, reason),
    }
}
