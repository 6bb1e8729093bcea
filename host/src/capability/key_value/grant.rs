//! `[grants.key_value]` of a sidecar file, and the buckets that a plugin may open by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;
use crate::store::bucket::BucketId;
use crate::store::bucket::Quota;

/// What a plugin calls its own bucket.
const OWN: &str = "default";
/// The most that a bucket may be granted: what a host can list, copy and move elsewhere.
const MOST_BYTES: u64 = 1 << 30;
/// The most keys that a bucket may be granted.
const MOST_KEYS: u64 = 1_000_000;
/// The longest value that may be granted; it is copied into the guest's memory as a whole.
const MOST_VALUE_BYTES: usize = 4 << 20;

/// `[grants.key_value]` of a sidecar file: it may keep things, and that much of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyValueGrant {
    /// Keys and values of a bucket together. The default is what a bot knows about some ten thousand people.
    bytes: u64,
    /// Keys of a bucket.
    keys: u64,
    /// The longest value. A card has 30 KiB.
    value_bytes: usize,
    /// Buckets that it has in common with other plugins of the same app.
    shared: BTreeSet<String>,
}

impl Default for KeyValueGrant {
    fn default() -> Self {
        Self { bytes: 10 << 20, keys: 10_000, value_bytes: 64 << 10, shared: BTreeSet::new() }
    }
}

impl KeyValueGrant {
    /// Checks the numbers and the names.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("grants.key_value");
        section.in_range("bytes", self.bytes, 1..=MOST_BYTES)?;
        section.in_range("keys", self.keys, 1..=MOST_KEYS)?;
        section.in_range("value_bytes", self.value_bytes, 1..=MOST_VALUE_BYTES)?;
        if self.shared.contains(OWN) || self.shared.contains("") {
            let problem = format!("{OWN:?} is the plugin's own bucket, and \"\" is no name");
            return Err(section.wrong("shared", problem));
        }
        Ok(())
    }
}

/// The buckets that one plugin may open, its own first; without a grant there are none.
#[derive(Clone, Debug, Default)]
pub struct Buckets(Arc<GrantedBuckets>);

#[derive(Debug, Default)]
struct GrantedBuckets {
    buckets: Vec<(String, BucketId)>,
    quota: Option<Quota>,
    value_bytes: usize,
}

impl Buckets {
    /// What was granted to that plugin of that app.
    pub fn new(app: &str, plugin: &str, grant: &KeyValueGrant) -> Self {
        let own = (OWN.to_owned(), BucketId::own(app, plugin));
        let shared = grant.shared.iter().map(|name| (name.clone(), BucketId::shared(app, name)));
        Self(Arc::new(GrantedBuckets {
            buckets: std::iter::once(own).chain(shared).collect(),
            quota: Some(Quota { bytes: grant.bytes, keys: grant.keys }),
            value_bytes: grant.value_bytes,
        }))
    }

    /// The number of the bucket that the plugin calls by that name.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let name = if name.is_empty() { OWN } else { name };
        let number = self.0.buckets.iter().position(|(granted, _)| granted == name)?;
        u32::try_from(number).ok()
    }

    /// The bucket with that number.
    pub(super) fn get(&self, number: u32) -> Option<BucketId> {
        self.0.buckets.get(number as usize).map(|(_, id)| id.clone())
    }

    /// How much may be in a bucket.
    pub(super) fn quota(&self) -> Option<Quota> {
        self.0.quota
    }

    /// The longest value.
    pub(super) fn value_bytes(&self) -> usize {
        self.0.value_bytes
    }
}
