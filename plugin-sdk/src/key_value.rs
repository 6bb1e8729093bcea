//! Keeping things beyond a call: a bucket of the plugin's own, which a new version of it finds again, and buckets that it
//! has in common with others. It asks the host, so it works in a component only; called from a native unit test it
//! panics. The operator has to grant it.

use crate::bindings::wasi::keyvalue::atomics;
use crate::bindings::wasi::keyvalue::store;

pub use crate::bindings::wasi::keyvalue::store::Error as KeyValueError;

/// Keys and values. What a write has acknowledged survives the end of the host.
#[derive(Debug)]
pub struct Bucket(store::Bucket);

impl Bucket {
    /// The plugin's own.
    ///
    /// # Errors
    /// [`KeyValueError::AccessDenied`] unless the operator granted it.
    pub fn open() -> Result<Self, KeyValueError> {
        store::open("default").map(Self)
    }

    /// One that other plugins of the app may have open too.
    ///
    /// # Errors
    /// [`KeyValueError::AccessDenied`] unless the operator granted that name.
    pub fn open_shared(name: &str) -> Result<Self, KeyValueError> {
        store::open(name).map(Self)
    }

    /// The value, or `None` if there is no such key.
    ///
    /// # Errors
    /// [`KeyValueError::Other`] with the reason, if the store does not work or does not answer in time.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        self.0.get(key)
    }

    /// The value as text, which it is unless it was set as something else.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if it is not UTF-8.
    pub fn get_text(&self, key: &str) -> Result<Option<String>, KeyValueError> {
        let text = self.get(key)?.map(String::from_utf8).transpose();
        text.map_err(|error| KeyValueError::Other(format!("{key}: {error}")))
    }

    /// Keeps the value, in place of the one before.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if that were more than the operator granted.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), KeyValueError> {
        self.0.set(key, value.as_ref())
    }

    /// Forgets the key, if it is there.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.0.delete(key)
    }

    /// Whether there is such a key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        self.0.exists(key)
    }

    /// Adds to a counter, which is zero before the first time, and returns the sum. However many callbacks do it at once,
    /// each gets another number. The value reads as decimal digits.
    ///
    /// # Errors
    /// As [`set`](Self::set), and if the value is not a number.
    pub fn increment(&self, key: &str, by: u64) -> Result<u64, KeyValueError> {
        atomics::increment(&self.0, key, by)
    }

    /// All keys, in no particular order.
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
        // A server may name a key on two pages.
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}
