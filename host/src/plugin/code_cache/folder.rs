//! The folder that compiled code lies in: made for the host's user alone, and never fuller than it may be.
//!
//! Hosts that share it need no lock: a file appears as a whole under its final name, whoever looks for one that has gone
//! compiles again, and who clears up does not mind that another was quicker.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use crate::plugin::code_cache::entry::Distrust;
use crate::plugin::code_cache::entry::only_ours;
use crate::plugin::code_cache::key::Key;

/// How files of compiled components end.
const COMPONENT: &str = "component";
/// How files of compiled functions end.
const PACK: &str = "functions";
/// How files end that are still being written.
const UNFINISHED: &str = "unfinished";
/// Nobody writes for that long: what is unfinished and older was left by a host that was killed.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// See the module.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    max_bytes: u64,
}

/// A file of ours in the folder.
struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Folder {
    /// Makes the folder where it is missing.
    pub(super) fn open(path: PathBuf, max_bytes: u64) -> Result<Self, Distrust> {
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(Distrust::Read)?;
        let metadata = std::fs::metadata(&path)?;
        if !metadata.is_dir() {
            return Err(Distrust::WrongKind("folder"));
        }
        only_ours(&metadata)?;
        Ok(Self { path, max_bytes })
    }

    /// Where the component of that name is, if it is there.
    pub(super) fn component(&self, key: &Key) -> PathBuf {
        self.path.join(hex::encode(key)).with_extension(COMPONENT)
    }

    /// Where the functions of that name are, if they are there.
    pub(super) fn pack(&self, key: &Key) -> PathBuf {
        self.path.join(hex::encode(key)).with_extension(PACK)
    }

    /// All compiled functions that are there, used longest ago first. None where the folder cannot be read.
    pub(super) fn packs(&self) -> Vec<PathBuf> {
        let kept = self.kept(SystemTime::now()).unwrap_or_default();
        let packs = kept.into_iter().filter(|kept| kept.path.extension() == Some(PACK.as_ref()));
        packs.map(|kept| kept.path).collect()
    }

    /// Puts a file there, all of it or nothing. One that is larger than everything may be together is left out.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let size = bytes.len() as u64;
        let Some(room) = self.max_bytes.checked_sub(size) else {
            let max_bytes = self.max_bytes;
            tracing::info!(size, max_bytes, "compiled code is larger than cache.max_bytes");
            return Ok(());
        };
        let mut file =
            tempfile::Builder::new().suffix(&format!(".{UNFINISHED}")).tempfile_in(&self.path)?;
        file.write_all(bytes)?;
        self.shrink_to(room)?;
        file.persist(path)?;
        Ok(())
    }

    /// Deletes what was used longest ago, until that much is left.
    fn shrink_to(&self, most: u64) -> std::io::Result<()> {
        let kept = self.kept(SystemTime::now())?;
        let mut total: u64 = kept.iter().map(|kept| kept.bytes).sum();
        for oldest in kept {
            if total <= most {
                break;
            }
            // Another host may have deleted it just now.
            let _ = std::fs::remove_file(&oldest.path);
            total -= oldest.bytes;
        }
        Ok(())
    }

    /// Every finished file of ours, used longest ago first. What was never finished goes.
    fn kept(&self, now: SystemTime) -> std::io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let ending = path.extension().and_then(OsStr::to_str);
            if ![COMPONENT, PACK, UNFINISHED].map(Some).contains(&ending) {
                continue;
            }
            // Likewise.
            let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
            let used = metadata.modified()?;
            let is_new = now.duration_since(used).unwrap_or_default() < ABANDONED;
            match ending {
                Some(UNFINISHED) if is_new => {}
                Some(UNFINISHED) => drop(std::fs::remove_file(&path)),
                _ => kept.push(Kept { path, bytes: metadata.len(), used }),
            }
        }
        kept.sort_by_key(|kept| kept.used);
        Ok(kept)
    }
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
        let folder = Folder::open(home.path().join("deep/code"), 100).unwrap();
        for (minutes, key) in [(3, [1; 32]), (1, [2; 32]), (2, [3; 32])] {
            folder.write(&folder.component(&key), &[0; 30]).unwrap();
            set_used(&folder.component(&key), Duration::from_secs(60 * minutes));
        }
        std::fs::write(folder.path.join("of-somebody-else"), [0; 1000]).unwrap();
        folder.write(&folder.component(&[4; 32]), &[0; 60]).unwrap();
        let left = [[2; 32], [4; 32]].map(|key| format!("{}.component", hex::encode(key)));
        assert_eq!(names(&folder.path), [&left[0], &left[1], "of-somebody-else"]);
        folder.write(&folder.component(&[5; 32]), &[0; 101]).unwrap();
        assert_eq!(names(&folder.path).len(), 3, "too large for the whole folder");
    }

    #[test]
    fn what_a_killed_host_left_goes() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(home.path().join("code"), 100).unwrap();
        for (name, ago) in [("a.unfinished", ABANDONED * 2), ("b.unfinished", Duration::ZERO)] {
            std::fs::write(folder.path.join(name), "").unwrap();
            set_used(&folder.path.join(name), ago);
        }
        folder.write(&folder.component(&[1; 32]), b"code").unwrap();
        let component = format!("{}.component", hex::encode([1; 32]));
        assert_eq!(names(&folder.path), [component.as_str(), "b.unfinished"]);
    }

    #[test]
    fn it_is_for_the_host_s_user_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("code");
        Folder::open(path.clone(), 100).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o770)).unwrap();
        assert!(matches!(Folder::open(path, 100), Err(Distrust::WritableByOthers { mode: 0o770 })));
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Folder::open(file, 100).is_err());
    }
}
