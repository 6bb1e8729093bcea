//! The folder of the cached files: accessible to the host's user alone, and limited in size.
//!
//! Hosts that share the folder need no lock: files appear complete under their final names, a host whose file was deleted
//! compiles again, and a deletion that another host has done already is not an error.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;

use crate::runtime::code_cache::entry::Distrust;
use crate::runtime::code_cache::key::Key;
use crate::runtime::code_cache::way;

/// The extension of compiled components.
const COMPONENT: &str = "component";
/// The extension of compiled functions.
const PACK: &str = "functions";
/// The extension of files that are being written.
const UNFINISHED: &str = "unfinished";
/// No write takes that long: an older unfinished file was left by a host that was killed.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// An open folder. Its files are reached through this handle, and never by a path.
#[derive(Debug)]
pub(super) struct CacheFolder {
    open: File,
    /// The path for messages.
    path: PathBuf,
    max_bytes: u64,
}

/// The name of a file in the folder, without any path.
pub(super) type FileName = String;

/// A file of this cache.
struct CachedFile {
    name: FileName,
    bytes: u64,
    used: SystemTime,
}

impl CacheFolder {
    /// Opens the folder, and makes it if it is missing.
    pub(super) fn open(path: PathBuf, max_bytes: u64) -> Result<Self, Distrust> {
        Ok(Self { open: way::open(&path)?, path, max_bytes })
    }

    /// Returns the file name for a compiled component.
    pub(super) fn component(key: &Key) -> FileName {
        format!("{}.{COMPONENT}", hex::encode(key))
    }

    /// Returns the file name for compiled functions.
    pub(super) fn pack(key: &Key) -> FileName {
        format!("{}.{PACK}", hex::encode(key))
    }

    /// Lists the files of compiled functions, the least recently used first. Empty if the folder cannot be read.
    pub(super) fn packs(&self) -> Vec<FileName> {
        let kept = self.kept(SystemTime::now()).unwrap_or_default();
        let names = kept.into_iter().map(|kept| kept.name);
        names.filter(|name| Path::new(name).extension() == Some(PACK.as_ref())).collect()
    }

    /// Returns the path of a file, for messages.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file for reading. Links are not followed, and opening a file that is not a regular one does not block.
    pub(super) fn read(&self, name: &str) -> Result<File, Distrust> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.open, name, flags, Mode::empty()) {
            Ok(file) => Ok(File::from(file)),
            Err(rustix::io::Errno::LOOP) => Err(Distrust::WrongKind("file")),
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }

    /// Writes a file completely or not at all. A file that is larger than the whole cache may be is left out.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let size = bytes.len() as u64;
        let Some(room) = self.max_bytes.checked_sub(size) else {
            let max_bytes = self.max_bytes;
            tracing::info!(
                size,
                max_bytes,
                "code cache: code larger than cache.max_bytes not kept"
            );
            return Ok(());
        };
        let (mut file, unfinished) = self.begin_file()?;
        let written = file
            .write_all(bytes)
            .and_then(|()| self.shrink_to(room))
            .and_then(|()| Ok(rustix::fs::renameat(&self.open, &unfinished, &self.open, name)?));
        if written.is_err() {
            self.remove(&unfinished);
        }
        written
    }

    /// Deletes a file. Errors are ignored: the next cleanup tries again.
    pub(super) fn remove(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.open, name, AtFlags::empty());
    }

    /// Makes a new file under an unused name.
    fn begin_file(&self) -> std::io::Result<(File, FileName)> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let name = format!("{:016x}.{UNFINISHED}", fastrand::u64(..));
            match rustix::fs::openat(&self.open, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok((File::from(file), name)),
                Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes the least recently used files, until `most` bytes are left.
    fn shrink_to(&self, most: u64) -> std::io::Result<()> {
        let kept = self.kept(SystemTime::now())?;
        let mut total: u64 = kept.iter().map(|kept| kept.bytes).sum();
        for oldest in kept {
            if total <= most {
                break;
            }
            // Another host may have deleted the file just now.
            self.remove(&oldest.name);
            total -= oldest.bytes;
        }
        Ok(())
    }

    /// Lists the finished files of this cache, the least recently used first. Deletes abandoned unfinished ones.
    fn kept(&self, now: SystemTime) -> std::io::Result<Vec<CachedFile>> {
        let mut kept = Vec::new();
        for entry in Dir::read_from(&self.open)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let ending = Path::new(name).extension().and_then(OsStr::to_str);
            let Some(name) = name.to_str() else { continue };
            if ![COMPONENT, PACK, UNFINISHED].map(Some).contains(&ending) {
                continue;
            }
            // Another host may have deleted the file just now.
            let stat = rustix::fs::statat(&self.open, name, AtFlags::SYMLINK_NOFOLLOW);
            let Ok(stat) = stat else { continue };
            let used = modified(&stat);
            let is_new = now.duration_since(used).unwrap_or_default() < ABANDONED;
            match ending {
                Some(UNFINISHED) if is_new => {}
                Some(UNFINISHED) => self.remove(name),
                _ => {
                    let bytes = u64::try_from(stat.st_size).unwrap_or(0);
                    kept.push(CachedFile { name: name.to_owned(), bytes, used });
                }
            }
        }
        kept.sort_by_key(|kept| kept.used);
        Ok(kept)
    }
}

/// Times before 1970 count as 1970: such a file has not been used for long.
fn modified(stat: &Stat) -> SystemTime {
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn set_used(path: &Path, ago: Duration) {
        let file = std::fs::File::open(path).unwrap();
        file.set_modified(SystemTime::now() - ago).unwrap();
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let home = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(home.path().join("deep/code"), 100).unwrap();
        for (minutes, key) in [(3, [1; 32]), (1, [2; 32]), (2, [3; 32])] {
            folder.write(&CacheFolder::component(&key), &[0; 30]).unwrap();
            set_used(
                &folder.place(&CacheFolder::component(&key)),
                Duration::from_secs(60 * minutes),
            );
        }
        std::fs::write(folder.path.join("of-somebody-else"), [0; 1000]).unwrap();
        folder.write(&CacheFolder::component(&[4; 32]), &[0; 60]).unwrap();
        let left = [[2; 32], [4; 32]].map(|key| format!("{}.component", hex::encode(key)));
        assert_eq!(names(&folder.path), [&left[0], &left[1], "of-somebody-else"]);
        folder.write(&CacheFolder::component(&[5; 32]), &[0; 101]).unwrap();
        assert_eq!(names(&folder.path).len(), 3, "too large for the whole folder");
    }

    #[test]
    fn what_a_killed_host_left_goes() {
        let home = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(home.path().join("code"), 100).unwrap();
        for (name, ago) in [("a.unfinished", ABANDONED * 2), ("b.unfinished", Duration::ZERO)] {
            std::fs::write(folder.path.join(name), "").unwrap();
            set_used(&folder.path.join(name), ago);
        }
        folder.write(&CacheFolder::component(&[1; 32]), b"code").unwrap();
        let component = format!("{}.component", hex::encode([1; 32]));
        assert_eq!(names(&folder.path), [component.as_str(), "b.unfinished"]);
    }

    #[test]
    fn a_link_is_not_followed_and_a_missing_file_is_no_fault() {
        let home = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(home.path().join("code"), 100).unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink(home.path().join("file"), folder.place("link")).unwrap();
        assert!(matches!(folder.read("link"), Err(Distrust::WrongKind("file"))));
        assert!(matches!(folder.read("none"), Err(Distrust::Absent)));
    }

    #[test]
    fn it_is_for_the_host_s_user_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("code");
        CacheFolder::open(path.clone(), 100).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o770)).unwrap();
        assert!(matches!(
            CacheFolder::open(path, 100),
            Err(Distrust::WritableByOthers { mode: 0o770 })
        ));
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(CacheFolder::open(file, 100).is_err());
    }
}
