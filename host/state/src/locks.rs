//! The standard library's locks without poisoning.
//!
//! A lock of the standard library refuses its data once a thread has panicked while it held it. Here every critical section
//! leaves its data whole at each step that may panic, and a host that refused all later callbacks because one of them
//! panicked would break what it promises to the others. `clippy.toml` keeps the standard library's own locks out of the
//! rest of the tree.
#![expect(clippy::disallowed_types, reason = "these are the locks that the others stand for")]

use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::time::Duration;

/// A lock for one holder at a time.
#[derive(Debug, Default)]
pub struct Mutex<T: ?Sized>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Blocks until the lock is free, and returns its guard. The guard is the standard library's, so that clippy notices one
    /// that is held across an `await`.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lock for one writer or many readers.
#[derive(Debug, Default)]
pub struct RwLock<T: ?Sized>(std::sync::RwLock<T>);

impl<T> RwLock<T> {
    /// Blocks until no thread writes.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until no other thread reads or writes.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes threads that wait for a change of data that a [`Mutex`] guards.
#[derive(Debug, Default)]
pub struct Condvar(std::sync::Condvar);

impl Condvar {
    /// Wakes one waiting thread.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiting threads.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Releases the lock until the thread is woken, which may happen without a reason.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits like [`wait`](Self::wait), but for no longer than `limit`.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Releases the lock while `condition` holds, for no longer than `limit`. Returns whether the condition no longer holds.
    pub fn wait_timeout_while<T>(
        &self,
        guard: MutexGuard<'_, T>,
        limit: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> bool {
        let waited = self.0.wait_timeout_while(guard, limit, condition);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_panic_leaves_the_data_to_the_others() {
        let (mutex, rw_lock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::<u32>::default()));
        let (held, written) = (Arc::clone(&mutex), Arc::clone(&rw_lock));
        let thread = std::thread::spawn(move || {
            let (mut held, mut written) = (held.lock(), written.write());
            (*held, *written) = (2, 2);
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert_eq!((*mutex.lock(), *rw_lock.read()), (2, 2));
        *rw_lock.write() = 3;
        assert_eq!(*rw_lock.read(), 3);
    }

    #[test]
    fn a_wait_ends_with_its_condition_or_its_time() {
        let (mutex, changed) = (Mutex::new(false), Condvar::default());
        let brief = Duration::from_millis(1);
        assert!(!changed.wait_timeout_while(mutex.lock(), brief, |is_done| !*is_done));
        *mutex.lock() = true;
        assert!(changed.wait_timeout_while(mutex.lock(), brief, |is_done| !*is_done));
    }
}
