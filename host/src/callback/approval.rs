//! The callbacks of the approval center: the options of a form's control, and a decision on a task of another system. It sends
//! them to an address of their own, flat, without a header or a signature: a token in the body vouches for them.
//!
//! Plugins get them in the envelope of every other callback, as [`EXTERNAL_OPTIONS`] and [`QUICK_APPROVAL`].

pub mod answer;
mod flat;
pub mod keys;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::callback::model::Operator;

pub(super) use crate::callback::approval::flat::in_envelope;
pub(super) use crate::callback::approval::flat::kind_of;

/// The host's name for a request for the options of a form's control.
pub const EXTERNAL_OPTIONS: &str = "approval.external_options";
/// The host's name for an approver's decision on a task of another system.
pub const QUICK_APPROVAL: &str = "approval.quick_approval";

/// The kind of a callback of the approval center.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// The options of a control whose options come from outside.
    ExternalOptions,
    /// An approver has approved or rejected a task of another system.
    QuickApproval,
}

impl ApprovalKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::ExternalOptions, Self::QuickApproval];

    /// Returns the callback's type, which routes name.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::ExternalOptions => EXTERNAL_OPTIONS,
            Self::QuickApproval => QUICK_APPROVAL,
        }
    }

    /// Finds the kind of that type.
    pub fn of_type(event_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.event_type() == event_type)
    }
}

/// A callback of the approval center.
#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// The kind of the callback.
    pub kind: ApprovalKind,
    /// The person who fills in the form or decides, by the `user_id` alone.
    pub operator: Operator,
    /// The members of the body, without the token.
    pub event: String,
}

impl ApprovalRequest {
    /// Reads the `event` of the envelope. A person who is not named as text counts as absent.
    pub(super) fn of(kind: ApprovalKind, event: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Event<'a> {
            #[serde(borrow)]
            user_id: Option<&'a RawValue>,
            #[serde(borrow)]
            employee_id: Option<&'a RawValue>,
        }
        let Event { user_id, employee_id } = named_fields::from_str(event)?;
        let person = match kind {
            // The `user_id` of this callback is a number inside the platform; `employee_id` is what is called user id elsewhere.
            ApprovalKind::ExternalOptions => employee_id.or(user_id),
            ApprovalKind::QuickApproval => user_id,
        };
        let user_id = person.and_then(|person| serde_json::from_str(person.get()).ok());
        let operator = Operator { user_id, ..Operator::default() };
        Ok(Self { kind, operator, event: event.to_owned() })
    }
}
