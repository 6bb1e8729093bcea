//! The settings that the operator wrote for this plugin. These ask the host, so they work in a
//! component only; called from a native unit test they panic. Secrets do not belong here.

use crate::bindings::wasi::config::store;

pub use crate::bindings::wasi::config::store::Error as ConfigError;

/// Reads one setting, or `None` if the operator did not write it.
///
/// # Errors
/// A host that keeps its settings elsewhere may fail to read them.
pub fn get(key: &str) -> Result<Option<String>, ConfigError> {
    store::get(key)
}

/// Reads all settings, as (key, value).
///
/// # Errors
/// As [`get`].
pub fn get_all() -> Result<Vec<(String, String)>, ConfigError> {
    store::get_all()
}
