//! Buckets in the file: the entries, the order in which they are listed, and the usage of each bucket.

use redb::ReadTransaction;
use redb::ReadableTable as _;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;

use crate::store::bucket::BucketId;
use crate::store::bucket::KeyPage;
use crate::store::bucket::PAGE;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::store::bucket::count_of;

/// Bucket and key → the entry's position in the order, and its value.
const ENTRIES: TableDefinition<'_, (&str, &str), (u64, &[u8])> = TableDefinition::new("entries");
/// Bucket and position → key. A listing goes on where it stopped, whatever was deleted meanwhile.
const ORDER: TableDefinition<'_, (&str, u64), &str> = TableDefinition::new("order");
/// Bucket → bytes, keys, the next position.
const USAGE: TableDefinition<'_, &str, (u64, u64, u64)> = TableDefinition::new("usage");

/// One change that waits for its transaction.
#[derive(Debug)]
pub(super) struct BucketWrite {
    pub(super) bucket: BucketId,
    pub(super) key: String,
    pub(super) change: BucketChange,
}

/// A change to one key.
#[derive(Debug)]
pub(super) enum BucketChange {
    Set { value: Vec<u8>, quota: Quota },
    Delete,
    Add { delta: u64, quota: Quota },
}

/// The reason why a change was not made.
#[derive(Debug)]
pub(super) enum BucketChangeError {
    /// The change breaks a rule; the other changes of its transaction are made.
    Refused(WriteError),
    /// The file failed, which ends the transaction.
    Backend(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for BucketChangeError {
    fn from(error: E) -> Self {
        Self::Backend(error.into())
    }
}

/// The entry of a key before a change.
struct Old {
    place: u64,
    value: Vec<u8>,
}

/// The bucket tables of a write transaction.
pub(super) struct FileBuckets<'a> {
    entries: Table<'a, (&'static str, &'static str), (u64, &'static [u8])>,
    order: Table<'a, (&'static str, u64), &'static str>,
    usage: Table<'a, &'static str, (u64, u64, u64)>,
}

impl<'a> FileBuckets<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            order: transaction.open_table(ORDER)?,
            usage: transaction.open_table(USAGE)?,
        })
    }

    /// Makes the change. Returns the sum of an increment, and `None` for other changes.
    pub(super) fn apply(&mut self, write: &BucketWrite) -> Result<Option<u64>, BucketChangeError> {
        let BucketWrite { bucket, key, change } = write;
        let old = self.entries.get((bucket.as_str(), key.as_str()))?.map(|entry| {
            let (place, value) = entry.value();
            Old { place, value: value.to_vec() }
        });
        match change {
            BucketChange::Delete => {
                if let Some(Old { place, value }) = old {
                    self.remove(bucket, key, place, value.len() as u64)?;
                }
                Ok(None)
            }
            BucketChange::Set { value, quota } => {
                self.put(bucket, key, old.as_ref(), value, *quota)?;
                Ok(None)
            }
            BucketChange::Add { delta, quota } => {
                let sum = sum(old.as_ref().map(|old| &old.value[..]), *delta)
                    .map_err(BucketChangeError::Refused)?;
                self.put(bucket, key, old.as_ref(), sum.to_string().as_bytes(), *quota)?;
                Ok(Some(sum))
            }
        }
    }

    fn put(
        &mut self,
        bucket: &BucketId,
        key: &str,
        old: Option<&Old>,
        value: &[u8],
        quota: Quota,
    ) -> Result<(), BucketChangeError> {
        let at = (bucket.as_str(), key);
        let (bytes, keys, next) = self.usage(bucket)?;
        let old_bytes = old.map_or(0, |old| (key.len() + old.value.len()) as u64);
        let new_bytes = (key.len() + value.len()) as u64;
        let bytes_then = bytes - old_bytes + new_bytes;
        // After the quota was lowered, a value may still shrink.
        if new_bytes > old_bytes && bytes_then > quota.bytes {
            return Err(BucketChangeError::Refused(WriteError::Bytes(quota.bytes)));
        }
        let usage = match old {
            Some(Old { place, .. }) => {
                self.entries.insert(at, (*place, value))?;
                (bytes_then, keys, next)
            }
            None if keys >= quota.keys => {
                return Err(BucketChangeError::Refused(WriteError::Keys(quota.keys)));
            }
            None => {
                self.entries.insert(at, (next, value))?;
                self.order.insert((bucket.as_str(), next), key)?;
                (bytes_then, keys + 1, next + 1)
            }
        };
        self.usage.insert(bucket.as_str(), usage)?;
        Ok(())
    }

    fn usage(&self, bucket: &BucketId) -> Result<(u64, u64, u64), redb::Error> {
        Ok(self.usage.get(bucket.as_str())?.map(|usage| usage.value()).unwrap_or_default())
    }

    fn remove(
        &mut self,
        bucket: &BucketId,
        key: &str,
        place: u64,
        size: u64,
    ) -> Result<(), redb::Error> {
        let (bytes, keys, next) = self.usage(bucket)?;
        self.entries.remove((bucket.as_str(), key))?;
        self.order.remove((bucket.as_str(), place))?;
        self.usage.insert(bucket.as_str(), (bytes - size - key.len() as u64, keys - 1, next))?;
        Ok(())
    }
}

fn sum(old: Option<&[u8]>, delta: u64) -> Result<u64, WriteError> {
    let old = old.map_or(Some(0), count_of).ok_or(WriteError::NotANumber)?;
    let delta = i64::try_from(delta).map_err(|_too_large| WriteError::Overflow)?;
    let sum = old.checked_add(delta).ok_or(WriteError::Overflow)?;
    // Neither of the two is negative.
    Ok(sum.unsigned_abs())
}

pub(super) fn get(
    transaction: &ReadTransaction,
    bucket: &BucketId,
    key: &str,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let entries = transaction.open_table(ENTRIES)?;
    Ok(entries.get((bucket.as_str(), key))?.map(|entry| entry.value().1.to_vec()))
}

pub(super) fn keys(
    transaction: &ReadTransaction,
    bucket: &BucketId,
    from: u64,
) -> Result<KeyPage, redb::Error> {
    let order = transaction.open_table(ORDER)?;
    let mut page = KeyPage::default();
    for entry in order.range((bucket.as_str(), from)..=(bucket.as_str(), u64::MAX))? {
        let (place, key) = entry?;
        if page.keys.len() == PAGE {
            page.next = Some(place.value().1);
            break;
        }
        page.keys.push(key.value().to_owned());
    }
    Ok(page)
}
