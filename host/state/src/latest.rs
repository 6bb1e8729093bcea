//! The last entries of a sequence.

use std::collections::VecDeque;

/// The last `most` entries that were added, and the count of all entries ever added. Beyond that, a new entry removes
/// the oldest.
#[derive(Debug)]
pub struct Latest<T> {
    most: usize,
    entries: VecDeque<T>,
    /// Entries that were removed.
    gone: u64,
}

impl<T> Latest<T> {
    /// Creates an empty sequence that keeps `most` entries.
    pub const fn new(most: usize) -> Self {
        Self { most, entries: VecDeque::new(), gone: 0 }
    }

    /// Adds an entry. Returns the one that it removed, for callers that drop it after they released their lock.
    pub fn push(&mut self, entry: T) -> Option<T> {
        let oldest = if self.entries.len() == self.most { self.entries.pop_front() } else { None };
        self.gone += u64::from(oldest.is_some());
        self.entries.push_back(entry);
        oldest
    }

    /// Iterates over the entries, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.entries.iter()
    }

    /// Returns the number of entries ever added.
    pub fn count(&self) -> u64 {
        self.gone + self.entries.len() as u64
    }

    /// Iterates over the remaining entries among those that came after the first `count`, oldest first.
    pub fn after(&self, count: u64) -> impl Iterator<Item = &T> {
        let known = usize::try_from(count.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        self.entries.iter().skip(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let mut latest = Latest::new(2);
        let gone = [1, 2, 3].map(|entry| latest.push(entry));
        assert_eq!(gone, [None, None, Some(1)]);
        assert_eq!(latest.iter().collect::<Vec<_>>(), [&2, &3]);
        assert_eq!(latest.count(), 3);
        assert_eq!(latest.after(0).count(), 2, "the first one is gone");
        assert_eq!(latest.after(2).collect::<Vec<_>>(), [&3]);
        assert_eq!(latest.after(3).count(), 0);
        assert_eq!(latest.after(9).count(), 0);
    }
}
