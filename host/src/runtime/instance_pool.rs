//! Instances that are kept for further calls, if the operator of a plugin allows reuse.
//!
//! An instance keeps its guest's data. So it is reused only for the tenants that it served, unless the operator says that
//! tenants may share; and it is kept only if its call ended well. A chat may have members of several tenants: data about a
//! visitor is kept for visitors of the same tenant only.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use aviary_state::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::callback::model::TenantPair;
use crate::runtime::reuse::Reuse;
use crate::runtime::reuse::Tenants;

/// A kept instance with its place in the memory pool.
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
    /// The places for kept instances of all plugins together.
    places: Arc<Semaphore>,
    idle: Mutex<IdleInstances<T>>,
}

/// The least recently used first. Closed while the version is not live.
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
    /// Keeps at most `most` instances, and over all plugins no more than there are `places`.
    pub(super) fn new(reuse: Reuse, tenants: Tenants, most: u32, places: Arc<Semaphore>) -> Self {
        Self { reuse, tenants, most: most as usize, places, idle: Mutex::default() }
    }

    /// Starts keeping instances: the version is live.
    pub(super) fn open(&self) {
        self.idle.lock().is_open = true;
    }

    /// Stops keeping instances: the version is not live any more. Calls under way finish, and their instances are dropped.
    pub(super) fn close(&self) {
        let mut idle = self.idle.lock();
        idle.is_open = false;
        let gone = mem::take(&mut idle.waiting);
        drop(idle);
        drop(gone);
    }

    /// Takes an instance that served these tenants before: the most recently used one, whose memory is the warmest.
    pub(super) fn take(&self, tenants: TenantPair<'_>) -> Option<T> {
        let tenants = self.tenants.group(tenants)?;
        let mut idle = self.idle.lock();
        let found = idle.waiting.iter().rposition(|idle| idle.served() == tenants)?;
        idle.waiting.remove(found).map(|idle| idle.instance)
    }

    /// Keeps an instance that has answered so many calls, if it may answer more and there is room. An instance that needs
    /// several places takes them. The least recently used instances make room, because tenants come and go.
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
                    // Places of other plugins cannot be taken. If this plugin has none left either, the instance is not kept.
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
