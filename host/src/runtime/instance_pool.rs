//! Instances that are kept for the next call, where the operator of a plugin wants that.
//!
//! An instance remembers what its guest remembers. So it is kept for the tenant that it served, unless the operator says
//! that tenants may share; and only a call that ended well leaves one behind. A chat may have people of several tenants:
//! what a guest learnt of a visitor is kept for visitors of that tenant alone.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use aviary_state::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::callback::model::TenantPair;
use crate::runtime::reuse::Reuse;
use crate::runtime::reuse::Tenants;

/// An instance that waits, and its place in the pool of memories.
struct Idle<T> {
    instance: T,
    addressed: Box<str>,
    operator: Box<str>,
    _place: OwnedSemaphorePermit,
}

impl<T> Idle<T> {
    fn served(&self) -> TenantPair<'_> {
        TenantPair { addressed: &self.addressed, operator: &self.operator }
    }
}

/// The kept instances of one version of a plugin.
pub(super) struct InstancePool<T> {
    reuse: Reuse,
    tenants: Tenants,
    most: usize,
    /// Of all plugins together.
    places: Arc<Semaphore>,
    idle: Mutex<IdleInstances<T>>,
}

/// Used longest ago first. Closed while the version is not live.
struct IdleInstances<T> {
    is_open: bool,
    waiting: VecDeque<Idle<T>>,
}

impl<T> Default for IdleInstances<T> {
    fn default() -> Self {
        Self { is_open: false, waiting: VecDeque::new() }
    }
}

impl<T> InstancePool<T> {
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
    pub(super) fn take(&self, tenants: TenantPair<'_>) -> Option<T> {
        let tenants = self.tenants.group(tenants)?;
        let mut idle = self.idle.lock();
        let found = idle.waiting.iter().rposition(|idle| idle.served() == tenants)?;
        idle.waiting.remove(found).map(|idle| idle.instance)
    }

    /// Keeps an instance that has answered so many calls, if there is still use and room for it. One that needs several
    /// places takes them. What has to go is what was used longest ago: tenants come and go.
    pub(super) fn put(&self, instance: T, calls: u32, tenants: TenantPair<'_>, places: u32) {
        let Some(TenantPair { addressed, operator }) = self.tenants.group(tenants) else { return };
        if calls >= self.reuse.calls() {
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
                idle.waiting.push_back(Idle { instance, addressed, operator, _place: place });
            }
        }
        drop(idle);
        drop(gone);
    }
}
