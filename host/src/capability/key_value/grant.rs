//! `[grants.key_value]` of a sidecar file, and the buckets that it lets a plugin open.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;
use crate::store::bucket::BucketId;
use crate::store::bucket::Quota;

/// The name by which a plugin opens its own bucket.
const OWN: &str = "default";
/// Most bytes that a bucket may be granted: an amount that a host can list, copy and move elsewhere.
const MOST_BYTES: u64 = 1 << 30;
/// Most keys that a bucket may be granted.
const MOST_KEYS: u64 = 1_000_000;
/// Longest value that may be granted, in bytes; it is copied into the guest's memory as a whole.
const MOST_VALUE_BYTES: usize = 4 << 20;

/// `[grants.key_value]` of a sidecar file: permission to keep data, with its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyValueGrant {
    /// Limit of a bucket's keys and values together, in bytes. The default fits a bot's data about some ten thousand people.
    bytes: u64,
    /// Limit of a bucket's keys.
    keys: u64,
    /// Longest value, in bytes. A card has 30 KiB.
    value_bytes: usize,
    /// Buckets that the plugin shares with other plugins of the same app.
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

/// Returns the grant of a bucket as it is written in a sidecar file.
pub(super) fn example(bucket: &str) -> String {
    match bucket {
        "" | OWN => "key_value = {}".to_owned(),
        shared => format!("key_value = {{ shared = [{}] }}", toml::Value::from(shared)),
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
    /// Builds the buckets of a plugin of an app from its grant.
    pub fn new(app: &str, plugin: &str, grant: &KeyValueGrant) -> Self {
        let own = (OWN.to_owned(), BucketId::own(app, plugin));
        let shared = grant.shared.iter().map(|name| (name.clone(), BucketId::shared(app, name)));
        Self(Arc::new(GrantedBuckets {
            buckets: std::iter::once(own).chain(shared).collect(),
            quota: Some(Quota { bytes: grant.bytes, keys: grant.keys }),
            value_bytes: grant.value_bytes,
        }))
    }

    /// Returns the number of the bucket that the plugin knows by that name; an empty name means its own.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let name = if name.is_empty() { OWN } else { name };
        let number = self.0.buckets.iter().position(|(granted, _)| granted == name)?;
        u32::try_from(number).ok()
    }

    /// Returns the bucket with that number.
    pub(super) fn get(&self, number: u32) -> Option<BucketId> {
        self.0.buckets.get(number as usize).map(|(_, id)| id.clone())
    }

    /// Returns the limits of each bucket; `None` without a grant.
    pub(super) fn quota(&self) -> Option<Quota> {
        self.0.quota
    }

    /// Returns the length of the longest value, in bytes.
    pub(super) fn value_bytes(&self) -> usize {
        self.0.value_bytes
    }
}
