//! Reuse of instances: for how many calls, and for which tenants.

use serde::Deserialize;

use crate::callback::model::TenantPair;
use crate::setting::SettingError;

/// The most calls of one instance: even a small leak would show by then.
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
    /// As many calls as possible.
    pub const ALWAYS: Self = Self(MOST_CALLS);

    /// Returns the number of calls that an instance answers.
    pub(super) fn calls(self) -> u32 {
        self.0
    }

    /// Checks that the number is in range.
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

/// The tenants whose calls may share an instance, and find each other's data in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// Each tenant's calls have instances of their own.
    Apart,
    /// All tenants' calls share instances, because the operator says so.
    Together,
}

impl Tenants {
    /// Returns the key of the instances that may be used for these tenants. `None` if the tenant is unknown, so that none may.
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
