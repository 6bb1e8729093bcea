//! The files of a journal: bounded in size and age, appended at the new end, removed at the old end.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use crate::journal::config::JournalSettings;
use crate::journal::entry::Entry;
use crate::journal::filter::Filter;
use crate::journal::segment;
use crate::small_file;

/// A file holds one of this many parts of the ring. So much is lost at once when the ring is full.
const PARTS: u64 = 16;
/// Largest file that is read at once, in bytes. A ring of 16 GiB has such files.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// The writing end of the ring.
#[derive(Debug)]
pub(super) struct Ring {
    folder: PathBuf,
    max_bytes: u64,
    max_age: Duration,
    open: Option<Open>,
    begun: u32,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    since: SystemTime,
}

impl Ring {
    /// Creates the folder. Only the host's user may read it, because callbacks hold other people's words.
    pub(super) fn open(settings: &JournalSettings) -> std::io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&settings.folder)?;
        let mut ring = Self {
            folder: settings.folder.clone(),
            max_bytes: settings.max_bytes,
            max_age: settings.max_age,
            open: None,
            begun: 0,
        };
        ring.begin(0)?;
        Ok(ring)
    }

    /// Returns the longest record: a quarter of the ring. So a batch, which is at most a quarter and one more record, fits
    /// beside as much that was there before.
    pub(super) fn longest_record(&self) -> usize {
        usize::try_from(self.max_bytes / 4).unwrap_or(usize::MAX)
    }

    /// Writes framed records. After an error the state of the file is unknown, so the next write begins another file.
    pub(super) fn write(&mut self, framed: &[u8]) -> std::io::Result<()> {
        let (bytes, age) = (framed.len() as u64, self.max_age / PARTS as u32);
        let is_full = self.open.as_ref().is_none_or(|open| {
            open.bytes + bytes > self.max_bytes / PARTS
                || open.since.elapsed().is_ok_and(|since| since > age)
        });
        if is_full {
            self.begin(bytes)?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let written = open.file.write_all(framed);
        open.bytes += bytes;
        if written.is_err() {
            self.open = None;
        }
        written
    }

    /// Begins the next file, and makes room for it or for this many bytes at once.
    fn begin(&mut self, bytes: u64) -> std::io::Result<()> {
        self.open = None;
        self.make_room((segment::HEAD.len() as u64 + bytes).max(self.max_bytes / PARTS))?;
        let since = SystemTime::now();
        let ms = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        // The process id and the number tell apart files of the same millisecond.
        let name = format!("{ms:014}-{}-{:06}.{}", std::process::id(), self.begun, segment::ENDING);
        self.begun += 1;
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(self.folder.join(name))?;
        file.write_all(segment::HEAD)?;
        self.open = Some(Open { file, bytes: segment::HEAD.len() as u64, since });
        Ok(())
    }

    /// Removes files that are too old, and then the oldest ones, until this many bytes fit.
    fn make_room(&self, room: u64) -> std::io::Result<()> {
        let now = SystemTime::now();
        let mut kept = Vec::new();
        for path in segment::files(&self.folder)? {
            // Another process may have removed it.
            let Ok(about) = path.metadata() else { continue };
            let age = about.modified().ok().and_then(|at| now.duration_since(at).ok());
            if age.is_some_and(|age| age > self.max_age) {
                remove(&path)?;
            } else {
                kept.push((path, about.len()));
            }
        }
        let mut bytes: u64 = kept.iter().map(|(_, size)| size).sum();
        for (path, size) in kept {
            if bytes + room <= self.max_bytes {
                break;
            }
            remove(&path)?;
            bytes -= size;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The direction of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the newest entry to the oldest.
    NewestFirst,
    /// From the oldest entry to the newest.
    OldestFirst,
}

/// Reads the entries of a folder until `take` returns `false`. A host may write there meanwhile.
pub fn read(
    folder: &Path,
    order: Order,
    mut take: impl FnMut(Entry) -> bool,
) -> std::io::Result<()> {
    let mut files = segment::files(folder)?;
    if order == Order::NewestFirst {
        files.reverse();
    }
    for path in files {
        let file = match small_file::read_so_far(&path, MAX_FILE_BYTES) {
            Ok(file) => file,
            // The file was removed while another one was read.
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error.into()),
        };
        let mut records = segment::records(&file);
        if order == Order::NewestFirst {
            records.reverse();
        }
        for entry in records.into_iter().filter_map(Entry::read) {
            if !take(entry) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns the last `count` entries that the filter takes, oldest first.
pub fn last(folder: &Path, filter: &Filter, count: usize) -> std::io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    read(folder, Order::NewestFirst, |entry| {
        if filter.takes(&entry) {
            found.push(entry);
        }
        found.len() < count
    })?;
    found.truncate(count);
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path, max_bytes: u64) -> JournalSettings {
        let max_age = Duration::from_secs(3600);
        JournalSettings { folder: folder.to_owned(), max_bytes, max_age, mask: Vec::new() }
    }

    #[test]
    fn a_ring_is_never_larger_than_it_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::open(&settings(folder.path(), 16_000)).unwrap();
        let size = || {
            let files = segment::files(folder.path()).unwrap();
            files.iter().map(|file| file.metadata().unwrap().len()).sum::<u64>()
        };
        for _ in 0..200 {
            ring.write(&[0; 308]).unwrap();
            assert!(size() <= 16_000, "{}", size());
        }
        assert!(size() > 12_000, "{}: and it is not half empty", size());
    }

    #[test]
    fn it_is_no_larger_for_much_that_is_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::open(&settings(folder.path(), 16_000)).unwrap();
        for _ in 0..20 {
            ring.write(&[0; 7_000]).unwrap();
            let files = segment::files(folder.path()).unwrap();
            let size: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
            assert!(size <= 16_000, "{size}");
        }
    }

    #[test]
    fn what_is_too_old_goes() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("00000000000001-1-000000.journal");
        std::fs::write(&old, segment::HEAD).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(7200);
        File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        Ring::open(&settings(folder.path(), 16_000)).unwrap();
        assert!(!old.exists());
    }
}
