//! Buttons that only work as they were meant: for those they were made for, until a time, once. The host makes the seal and
//! checks it before the plugin sees the click. This asks the host, so it works in a component only; called from a native
//! unit test it panics.
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

/// The terms of a button.
#[derive(Clone, Debug)]
#[must_use]
pub struct Seal(sealed_values::Terms);

impl Seal {
    /// Good for so long from now, 30 days at most.
    pub fn for_time(time: Duration) -> Self {
        let valid_secs = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self(sealed_values::Terms { open_ids: Vec::new(), valid_secs, once: false })
    }

    /// Good for so many days from now, 30 at most.
    pub fn for_days(days: u16) -> Self {
        Self::for_time(Duration::from_secs(u64::from(days) * 24 * 60 * 60))
    }

    /// Good for this person and those named before; for anybody, if nobody is named.
    pub fn only(mut self, open_id: impl Into<String>) -> Self {
        self.0.open_ids.push(open_id.into());
        self
    }

    /// Good for one click.
    pub fn once(mut self) -> Self {
        self.0.once = true;
        self
    }

    /// The value for the button: the object, with a seal in it.
    ///
    /// # Errors
    /// [`SealError`], if the value is no object or the terms cannot be kept.
    pub fn value(self, value: &Value) -> Result<Value, SealError> {
        let sealed = sealed_values::seal(&value.to_string(), &self.0)?;
        serde_json::from_str(&sealed).map_err(|error| SealError::InvalidValue(error.to_string()))
    }
}

/// Goes on only if the click that is being answered has a sealed value. What a seal says is checked already; this is for
/// values that have none.
///
/// # Errors
/// A [`Failure`] that tells the user so.
pub fn require() -> Result<(), Failure> {
    if sealed_values::is_sealed() {
        Ok(())
    } else {
        Err(Failure::user("This button is not genuine."))
    }
}
