//! What plugins keep: buckets of keys and values, and how much may be in one.
//!
//! Not how it is kept: that is for the [file](crate::store::file) and the [server](crate::store::server).

use std::sync::Arc;

use crate::store::error::StoreError;

/// The longest key. Keys name things; what is long belongs into the value.
pub const MAX_KEY_BYTES: usize = 512;
/// Keys of one page of a listing.
pub(super) const PAGE: usize = 100;
/// What a counter can hold. A server counts in signed numbers, and a file does the same so that a plugin cannot tell.
pub(super) const MAX_COUNT: i64 = i64::MAX;

/// A bucket's full name: nobody else's can be the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketId(Arc<str>);

impl BucketId {
    /// What one plugin has for itself. It is bound to the plugin's name, so that a new version finds what the one before
    /// has kept.
    pub fn own(app: &str, plugin: &str) -> Self {
        Self(format!("{app}/own/{plugin}").into())
    }

    /// What several plugins of an app have in common.
    pub fn shared(app: &str, name: &str) -> Self {
        Self(format!("{app}/shared/{name}").into())
    }

    /// What the host itself keeps of an app's credentials. No plugin is granted it: theirs are `own` and `shared`.
    pub fn credentials(app: &str) -> Self {
        Self(format!("{app}/credentials").into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How much may be in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Keys and values together.
    pub bytes: u64,
    /// How many keys.
    pub keys: u64,
}

/// Why a change was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The bucket would hold more than it may.
    #[error("the bucket may hold {0} bytes, and would hold more")]
    Bytes(u64),
    /// It would have more keys than it may.
    #[error("the bucket may have {0} keys, and has them")]
    Keys(u64),
    /// Something was to be added to what is no number.
    #[error("the value is not a number in decimal digits")]
    NotANumber,
    /// The sum would be too large.
    #[error("the sum is over {MAX_COUNT}")]
    Overflow,
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Some of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// In no particular order.
    pub keys: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<u64>,
}

/// The number that a value stands for, if it is one as an increment writes them.
pub(super) fn count_of(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let number: i64 = text.parse().ok()?;
    // No sign, no zeros in front: what both kinds of store write, and nothing else.
    (number >= 0 && number.to_string() == text).then_some(number)
}
