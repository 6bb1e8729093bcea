//! Buckets in the file: the entries, the order in which they are listed, and what each bucket holds in all.

use redb::ReadTransaction;
use redb::ReadableTable as _;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;

use crate::store::bucket::BucketId;
use crate::store::bucket::Change;
use crate::store::bucket::KeyPage;
use crate::store::bucket::PAGE;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::store::bucket::count_of;

/// Bucket and key → the entry's place in the order, and its value.
const ENTRIES: TableDefinition<'_, (&str, &str), (u64, &[u8])> = TableDefinition::new("entries");
/// Bucket and place → key. A listing goes on where it stopped, whatever was deleted meanwhile.
const ORDER: TableDefinition<'_, (&str, u64), &str> = TableDefinition::new("order");
/// Bucket → bytes, keys, the next place.
const USAGE: TableDefinition<'_, &str, (u64, u64, u64)> = TableDefinition::new("usage");

/// One change that waits for its transaction.
#[derive(Debug)]
pub(super) struct BucketWrite {
    pub(super) bucket: BucketId,
    pub(super) key: String,
    pub(super) change: Change,
    pub(super) quota: Quota,
}

/// The tables of a transaction that writes.
pub(super) struct Buckets<'a> {
    entries: Table<'a, (&'static str, &'static str), (u64, &'static [u8])>,
    order: Table<'a, (&'static str, u64), &'static str>,
    usage: Table<'a, &'static str, (u64, u64, u64)>,
}

impl<'a> Buckets<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            order: transaction.open_table(ORDER)?,
            usage: transaction.open_table(USAGE)?,
        })
    }

    /// Makes the change, or says why not; the outer error is the file's, and ends the transaction.
    pub(super) fn apply(
        &mut self,
        write: &BucketWrite,
    ) -> Result<Result<u64, WriteError>, redb::Error> {
        let BucketWrite { bucket, key, change, quota } = write;
        let at = (bucket.as_str(), key.as_str());
        let old = self.entries.get(at)?.map(|entry| {
            let (place, value) = entry.value();
            (place, value.to_vec())
        });
        let (value, answer) = match change {
            Change::Delete => {
                if let Some((place, value)) = old {
                    self.remove(bucket, key, place, value.len() as u64)?;
                }
                return Ok(Ok(0));
            }
            Change::Set(value) => (value.clone(), 0),
            Change::Add(delta) => match sum(old.as_ref().map(|(_, value)| &value[..]), *delta) {
                Ok(sum) => (sum.to_string().into_bytes(), sum),
                Err(refused) => return Ok(Err(refused)),
            },
        };
        let (bytes, keys, next) = self.usage(bucket)?;
        let old_bytes = old.as_ref().map_or(0, |(_, value)| (key.len() + value.len()) as u64);
        let new_bytes = (key.len() + value.len()) as u64;
        let bytes_then = bytes - old_bytes + new_bytes;
        // Where less is allowed than before, what is there may still shrink.
        if new_bytes > old_bytes && bytes_then > quota.bytes {
            return Ok(Err(WriteError::Bytes(quota.bytes)));
        }
        let usage = match old {
            Some((place, _)) => {
                self.entries.insert(at, (place, value.as_slice()))?;
                (bytes_then, keys, next)
            }
            None if keys >= quota.keys => return Ok(Err(WriteError::Keys(quota.keys))),
            None => {
                self.entries.insert(at, (next, value.as_slice()))?;
                self.order.insert((bucket.as_str(), next), key.as_str())?;
                (bytes_then, keys + 1, next + 1)
            }
        };
        self.usage.insert(bucket.as_str(), usage)?;
        Ok(Ok(answer))
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
