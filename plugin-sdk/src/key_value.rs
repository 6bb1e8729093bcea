//! Stores values beyond a call: in a bucket of the plugin's own, which a new version of the plugin finds again, and in buckets
//! shared with other plugins. These functions ask the host, so they work in a component only; called from a native unit test they
//! panic. The operator has to grant each bucket.

use crate::bindings::wasi::keyvalue::atomics;
use crate::bindings::wasi::keyvalue::store;

pub use crate::bindings::wasi::keyvalue::store::Error as KeyValueError;

/// A bucket of keys and values. An acknowledged write survives a crash of the host.
#[derive(Debug)]
pub struct Bucket(store::Bucket);

impl Bucket {
    /// Opens the plugin's own bucket.
    ///
    /// # Errors
    /// [`KeyValueError::AccessDenied`] unless the operator granted it.
    pub fn open() -> Result<Self, KeyValueError> {
        store::open("default").map(Self)
    }

    /// Opens a bucket that other plugins of the app may also open.
    ///
    /// # Errors
    /// [`KeyValueError::AccessDenied`] unless the operator granted that name.
    pub fn open_shared(name: &str) -> Result<Self, KeyValueError> {
        store::open(name).map(Self)
    }

    /// Reads a value. `None` means that there is no such key.
    ///
    /// # Errors
    /// [`KeyValueError::Other`] with the reason, if the store does not work or does not answer in time.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        self.0.get(key)
    }

    /// Reads a value as text.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if it is not UTF-8.
    pub fn get_text(&self, key: &str) -> Result<Option<String>, KeyValueError> {
        let text = self.get(key)?.map(String::from_utf8).transpose();
        text.map_err(|error| KeyValueError::Other(format!("{key}: {error}")))
    }

    /// Stores the value, replacing an earlier one.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the bucket would exceed the operator's grant.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), KeyValueError> {
        self.0.set(key, value.as_ref())
    }

    /// Deletes the key, if it exists.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.0.delete(key)
    }

    /// Checks for the key without reading its value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        self.0.exists(key)
    }

    /// Adds to a counter, which starts at zero, and returns the sum. Concurrent callbacks each get a different number. The value
    /// reads as decimal digits.
    ///
    /// # Errors
    /// As [`set`](Self::set), and if the value is not a number.
    pub fn increment(&self, key: &str, by: u64) -> Result<u64, KeyValueError> {
        atomics::increment(&self.0, key, by)
    }

    /// Lists all keys, in no particular order.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn keys(&self) -> Result<Vec<String>, KeyValueError> {
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.0.list_keys(cursor)?;
            keys.extend(page.keys);
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        // A Redis server may list a key on two pages.
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}
