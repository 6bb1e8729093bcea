//! Marks of finished work in the file. Begun work is remembered in memory only, by the one host that has the file.

use redb::ReadTransaction;
use redb::ReadableTable as _;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;

use crate::clock::now_ms;

/// Mark → its expiry, in milliseconds since the Unix epoch, and the answer.
const MARKS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("marks");
/// Marks by expiry, so that the oldest are found.
const BY_TIME: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("marks-by-time");
/// A single row: the bytes of all marks.
const SIZE: TableDefinition<'_, (), u64> = TableDefinition::new("marks-size");
/// Limit of all marks together: half a million events, which is 17 a second for eight hours. Beyond that the oldest are
/// forgotten early.
const MOST_BYTES: u64 = 64 << 20;
/// Bytes that a mark costs besides its name and its answer.
const OVERHEAD: u64 = 32;
/// Most marks that are forgotten for each new one: enough for the file to shrink, and few enough that no commit takes long.
const FORGOTTEN_AT_ONCE: usize = 4;

/// A mark that waits for its transaction.
#[derive(Debug)]
pub(super) struct MarkWrite {
    pub(super) mark: String,
    pub(super) answer: Vec<u8>,
    pub(super) until_ms: u64,
}

pub(super) struct FileMarks<'a> {
    marks: Table<'a, &'static str, (u64, &'static [u8])>,
    by_time: Table<'a, (u64, &'static str), ()>,
    size: Table<'a, (), u64>,
}

impl<'a> FileMarks<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            marks: transaction.open_table(MARKS)?,
            by_time: transaction.open_table(BY_TIME)?,
            size: transaction.open_table(SIZE)?,
        })
    }

    /// Tells whether the mark is there and has not expired.
    pub(super) fn has(&self, mark: &str) -> Result<bool, redb::Error> {
        Ok(self.marks.get(mark)?.is_some_and(|found| found.value().0 > now_ms()))
    }

    pub(super) fn apply(&mut self, write: &MarkWrite) -> Result<(), redb::Error> {
        let MarkWrite { mark, answer, until_ms } = write;
        let mut size = self.size.get(())?.map_or(0, |size| size.value());
        size = size.saturating_sub(self.forget(mark)?);
        self.marks.insert(mark.as_str(), (*until_ms, answer.as_slice()))?;
        self.by_time.insert((*until_ms, mark.as_str()), ())?;
        size += cost(mark, answer.len());
        for _ in 0..FORGOTTEN_AT_ONCE {
            let oldest = self.by_time.first()?.map(|(key, _)| {
                let (until_ms, mark) = key.value();
                (until_ms, mark.to_owned())
            });
            match oldest {
                Some((until_ms, mark)) if until_ms <= now_ms() || size > MOST_BYTES => {
                    size = size.saturating_sub(self.forget(&mark)?);
                }
                _ => break,
            }
        }
        self.size.insert((), size)?;
        Ok(())
    }

    fn forget(&mut self, mark: &str) -> Result<u64, redb::Error> {
        let old = self.marks.remove(mark)?.map(|old| {
            let (until_ms, answer) = old.value();
            (until_ms, answer.len())
        });
        let Some((until_ms, size)) = old else { return Ok(0) };
        self.by_time.remove((until_ms, mark))?;
        Ok(cost(mark, size))
    }
}

fn cost(mark: &str, answer: usize) -> u64 {
    // Both tables contain the name.
    (2 * mark.len() + answer) as u64 + OVERHEAD
}

/// Returns the answer of a mark, unless the mark has expired.
pub(super) fn get(
    transaction: &ReadTransaction,
    mark: &str,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let marks = transaction.open_table(MARKS)?;
    let found = marks.get(mark)?.map(|found| {
        let (until_ms, answer) = found.value();
        (until_ms > now_ms()).then(|| answer.to_vec())
    });
    Ok(found.flatten())
}
