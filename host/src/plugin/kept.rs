//! Instances that are kept for the next call, where the operator of a plugin wants that.
//!
//! An instance remembers what its guest remembers. So it is kept for the tenant that it served, unless the operator says
//! that tenants may share; and only a call that ended well leaves one behind. A chat may have people of several tenants:
//! what a guest learnt of a visitor is kept for visitors of that tenant alone.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use aviary_state::Mutex;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::callback::model::TenantPair;
use crate::plugin::guest::Guest;
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
    fn group(self, tenants: TenantPair<'_>) -> Option<TenantPair<'_>> {
        match self {
            Self::Together => Some(TenantPair { addressed: "", operator: "" }),
            Self::Apart => Some(tenants).filter(|tenants| !tenants.addressed.is_empty()),
        }
    }
}

/// An instance that waits, and its place in the pool of memories.
struct Idle {
    guest: Guest,
    addressed: Box<str>,
    operator: Box<str>,
    _place: OwnedSemaphorePermit,
}

impl Idle {
    fn served(&self) -> TenantPair<'_> {
        TenantPair { addressed: &self.addressed, operator: &self.operator }
    }
}

/// The kept instances of one version of a plugin.
pub(super) struct Kept {
    reuse: Reuse,
    tenants: Tenants,
    most: usize,
    /// Of all plugins together.
    places: Arc<Semaphore>,
    idle: Mutex<IdleInstances>,
}

/// Used longest ago first. Closed while the version is not live.
#[derive(Default)]
struct IdleInstances {
    is_open: bool,
    waiting: VecDeque<Idle>,
}

impl Kept {
    /// At most `most` of them, and never more of all plugins than there are `places`.
    pub(super) fn new(reuse: Reuse, tenants: Tenants, most: u32, places: Arc<Semaphore>) -> Self {
        Self { reuse, tenants, most: most as usize, places, idle: Mutex::default() }
    }

    /// The version is live: what its calls leave behind may be kept.
    pub(super) fn open(&self) {
        self.idle.lock().is_open = true;
    }

    /// It is live no more. Calls under way finish, and nothing of them stays.
    pub(super) fn close(&self) {
        let mut idle = self.idle.lock();
        idle.is_open = false;
        let gone = mem::take(&mut idle.waiting);
        drop(idle);
        drop(gone);
    }

    /// One that served these tenants before: the one that was used last, whose memory is the warmest.
    pub(super) fn take(&self, tenants: TenantPair<'_>) -> Option<Guest> {
        let tenants = self.tenants.group(tenants)?;
        let mut idle = self.idle.lock();
        let found = idle.waiting.iter().rposition(|idle| idle.served() == tenants)?;
        idle.waiting.remove(found).map(|idle| idle.guest)
    }

    /// Keeps an instance after a call that ended well, if there is still use and room for it. One that needs several
    /// places takes them. What has to go is what was used longest ago: tenants come and go.
    pub(super) fn put(&self, mut guest: Guest, tenants: TenantPair<'_>, places: u32) {
        guest.calls += 1;
        let Some(TenantPair { addressed, operator }) = self.tenants.group(tenants) else { return };
        if guest.calls >= self.reuse.0 || !guest.store.data().limiter.has_room_to_stay() {
            return;
        }
        let mut gone = Vec::new();
        let mut idle = self.idle.lock();
        if idle.is_open {
            if idle.waiting.len() >= self.most {
                gone.extend(idle.waiting.pop_front());
            }
            let place = loop {
                match Arc::clone(&self.places).try_acquire_many_owned(places) {
                    Ok(place) => break Some(place),
                    // Another plugin's are not ours to take, and if none of ours is left, it is not kept.
                    Err(_) => match idle.waiting.pop_front() {
                        None => break None,
                        Some(oldest) => drop(oldest),
                    },
                }
            };
            if let Some(place) = place {
                let (addressed, operator) = (addressed.into(), operator.into());
                idle.waiting.push_back(Idle { guest, addressed, operator, _place: place });
            }
        }
        drop(idle);
        drop(gone);
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
