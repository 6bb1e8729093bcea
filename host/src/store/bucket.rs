//! Buckets of keys and values that plugins keep, and the quota of each.
//!
//! How they are stored is up to the [file](crate::store::file) and the [server](crate::store::server).

use std::sync::Arc;

use crate::store::error::StoreError;

/// Longest key. A key names a thing; long content belongs in the value.
pub const MAX_KEY_BYTES: usize = 512;
/// Keys in one page of a listing.
pub(super) const PAGE: usize = 100;
/// Largest value of a counter. A server counts in signed numbers, and a file does the same so that a plugin sees no difference.
pub(super) const MAX_COUNT: i64 = i64::MAX;

/// Full name of a bucket, unique among apps and plugins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketId(Arc<str>);

impl BucketId {
    /// The bucket that one plugin has for itself. It is named after the plugin, so that a new version finds the data of the one
    /// before.
    pub fn own(app: &str, plugin: &str) -> Self {
        Self(format!("{app}/own/{plugin}").into())
    }

    /// A bucket that several plugins of an app share.
    pub fn shared(app: &str, name: &str) -> Self {
        Self(format!("{app}/shared/{name}").into())
    }

    /// The bucket of an app's credentials, for the host only. No plugin can reach it: theirs are `own` and `shared`.
    pub fn credentials(app: &str) -> Self {
        Self(format!("{app}/credentials").into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Limits of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of keys and values together.
    pub bytes: u64,
    /// Number of keys.
    pub keys: u64,
}

/// The reason why a change was refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The bucket would exceed its quota of bytes.
    #[error("the bucket may hold {0} bytes, and would hold more")]
    Bytes(u64),
    /// The bucket would exceed its quota of keys.
    #[error("the bucket may have {0} keys, and has them")]
    Keys(u64),
    /// An increment found a value that is not a number.
    #[error("the value is not a number in decimal digits")]
    NotANumber,
    /// The sum would exceed `MAX_COUNT`.
    #[error("the sum is over {MAX_COUNT}")]
    Overflow,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One page of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, in no particular order.
    pub keys: Vec<String>,
    /// The `from` of the next page; `None` after the last page.
    pub next: Option<u64>,
}

/// Returns the number in a value, if it is written as an increment writes it.
pub(super) fn count_of(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let number: i64 = text.parse().ok()?;
    // Both kinds of store write numbers without a sign and without leading zeros.
    (number >= 0 && number.to_string() == text).then_some(number)
}
