//! Seals buttons: a sealed button works only for the people it was made for, only until a time, and, where wanted, only once. The
//! host makes the seal and checks it before the plugin sees the click. These functions ask the host, so they work in a component
//! only; called from a native unit test they panic.
//!
//! ```no_run
//! # use aviary_sdk::{Failure, sealed::Seal, serde_json::json};
//! # fn card() -> Result<(), Failure> {
//! let value = Seal::for_days(3).only("ou_approver").once().value(&json!({ "leave": 17 }))?;
//! # Ok(())
//! # }
//! ```

use core::time::Duration;

use serde_json::Value;

use crate::Failure;
use crate::bindings::lark::callback::sealed_values;

pub use crate::bindings::lark::callback::sealed_values::SealError;

/// Conditions under which a sealed button works.
#[derive(Clone, Debug)]
#[must_use]
pub struct Seal(sealed_values::Terms);

impl Seal {
    /// Makes the button work for this long from now, 30 days at most.
    pub fn for_time(time: Duration) -> Self {
        let valid_secs = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self(sealed_values::Terms { open_ids: Vec::new(), valid_secs, once: false })
    }

    /// Makes the button work for this many days from now, 30 at most.
    pub fn for_days(days: u16) -> Self {
        Self::for_time(Duration::from_secs(u64::from(days) * 24 * 60 * 60))
    }

    /// Restricts the button to this person and those named before. Anybody may click if nobody is named.
    pub fn only(mut self, open_id: impl Into<String>) -> Self {
        self.0.open_ids.push(open_id.into());
        self
    }

    /// Makes the button work for one click only.
    pub fn once(mut self) -> Self {
        self.0.once = true;
        self
    }

    /// Returns the button's value: the object with a seal in it.
    ///
    /// # Errors
    /// [`SealError`] if the value is not an object, is too large or is already sealed, or if the terms are invalid.
    pub fn value(self, value: &Value) -> Result<Value, SealError> {
        let sealed = sealed_values::seal(&value.to_string(), &self.0)?;
        serde_json::from_str(&sealed).map_err(|error| SealError::InvalidValue(error.to_string()))
    }
}

/// Checks that the current click carries a sealed value, and fails otherwise. The host has already checked what the seal says;
/// this rejects values without one.
///
/// # Errors
/// A [`Failure`] that tells the user that the button is not genuine.
pub fn require() -> Result<(), Failure> {
    if sealed_values::is_sealed() {
        Ok(())
    } else {
        Err(Failure::user("This button is not genuine."))
    }
}
