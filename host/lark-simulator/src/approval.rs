//! The callbacks of the approval center: flat payloads to an address of their own, unsigned, with a token in the body. Here the
//! token is the app's verification token, and the key its Encrypt Key.

use std::time::Duration;

use bytes::Bytes;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use serde_json::Value;
use serde_json::json;

/// A callback of the approval center.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Somebody opens a form with a control whose options come from outside.
    ExternalOptions,
    /// An approver decides on a task of another system.
    QuickApproval,
}

impl Approval {
    /// Returns the time for an answer, as documented.
    pub(super) const fn limit(self) -> Duration {
        match self {
            Self::ExternalOptions => Duration::from_secs(3),
            Self::QuickApproval => Duration::from_secs(10),
        }
    }

    /// Returns a payload with the documented members.
    pub(super) fn sample(self) -> Value {
        match self {
            Self::ExternalOptions => json!({ "user_id": "123", "employee_id": "867" }),
            Self::QuickApproval => json!({
                "action_type": "APPROVE",
                "action_context": "12345",
                "user_id": "867",
                "approval_code": "A3895051-9B16-4ABA-B785-AD2986177BB1",
                "instance_id": "people_1234",
                "task_id": "step1",
                // Beyond the integers of a floating-point number, as in the field.
                "message_id": 7_690_275_278_685_244_603_u64,
                "reason": "ok",
            }),
        }
    }

    /// Finds the callback in a recorded payload: flat, or in the envelope in which a host hands it to its plugins. Returns it
    /// flat.
    pub(super) fn recorded(payload: &Value) -> Option<(Self, Value)> {
        let envelope = payload.pointer("/header/event_type").and_then(Value::as_str);
        let kind = match envelope {
            Some("approval.external_options") => Self::ExternalOptions,
            Some("approval.quick_approval") => Self::QuickApproval,
            Some(_) => return None,
            None if payload.get("approval_code").is_some() => Self::QuickApproval,
            None if is_for_options(payload) => Self::ExternalOptions,
            None => return None,
        };
        let mut flat = if envelope.is_some() { payload["event"].clone() } else { payload.clone() };
        if let Some(members) = flat.as_object_mut() {
            members.shift_remove("path");
        }
        Some((kind, flat))
    }
}

fn is_for_options(payload: &Value) -> bool {
    const MEMBERS: [&str; 7] =
        ["token", "employee_id", "user_id", "linkage_params", "page_token", "query", "locale"];
    let known = |name: &String| MEMBERS.contains(&name.as_str());
    payload.get("token").is_some()
        && payload.as_object().is_some_and(|members| members.keys().all(known))
}

/// Decrypts the result of options, as the approval center does where a key is configured.
pub(super) fn open_options(key: &Secret, answer: &Bytes) -> Bytes {
    let opened = || {
        let mut answer: Value = serde_json::from_slice(answer).ok()?;
        let result = answer.pointer_mut("/data/result")?;
        let plain = Cipher::new(key).decrypt(result.as_str()?).ok()?;
        *result = serde_json::from_slice(&plain).ok()?;
        Some(answer.to_string().into())
    };
    opened().unwrap_or_else(|| answer.clone())
}
