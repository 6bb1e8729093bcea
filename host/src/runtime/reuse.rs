//! How often, and for whom, an instance is used again.

use serde::Deserialize;

use crate::callback::model::TenantPair;
use crate::setting::SettingError;

/// More calls than any leak is worth.
const MOST_CALLS: u32 = 1_000_000;

/// `reuse` and `reuse_between_tenants` of a sidecar file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "u32")]
pub struct Reuse(u32);

impl Default for Reuse {
    fn default() -> Self {
        Self::NEVER
    }
}

impl From<u32> for Reuse {
    fn from(calls: u32) -> Self {
        Self(calls)
    }
}

impl Reuse {
    /// A fresh instance for every call.
    pub const NEVER: Self = Self(1);
    /// As often as may be.
    pub const ALWAYS: Self = Self(MOST_CALLS);

    /// How many calls an instance answers.
    pub(super) fn calls(self) -> u32 {
        self.0
    }

    /// Checks the number.
    pub fn validate(self) -> Result<(), SettingError> {
        if (1..=MOST_CALLS).contains(&self.0) {
            return Ok(());
        }
        let problem = format!(
            "{} is not between 1, a fresh instance for every call, and {MOST_CALLS}",
            self.0
        );
        Err(SettingError::new("reuse", problem))
    }
}

/// Whose calls may find what another's left in a guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// Nobody else's.
    Apart,
    /// Everybody's, because the operator says so.
    Together,
}

impl Tenants {
    /// Whom an instance that served this one may serve next. None where that cannot be known.
    pub(super) fn group(self, tenants: TenantPair<'_>) -> Option<TenantPair<'_>> {
        match self {
            Self::Together => Some(TenantPair { addressed: "", operator: "" }),
            Self::Apart => Some(tenants).filter(|tenants| !tenants.addressed.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_share_only_where_the_operator_says_so() {
        let pair = |addressed, operator| TenantPair { addressed, operator };
        let visitor = pair("a", "b");
        assert_eq!(Tenants::Apart.group(visitor), Some(visitor));
        assert_ne!(Tenants::Apart.group(visitor), Tenants::Apart.group(pair("a", "a")));
        assert_eq!(Tenants::Apart.group(pair("", "")), None, "nobody knows whose it was");
        assert_eq!(Tenants::Together.group(visitor), Tenants::Together.group(pair("", "")));
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        for calls in [0, MOST_CALLS + 1] {
            assert_eq!(Reuse(calls).validate().unwrap_err().key, "reuse");
        }
        assert_eq!(Reuse::default().validate(), Ok(()));
        assert_eq!(Reuse(MOST_CALLS).validate(), Ok(()));
    }
}
