//! Reads inside one folder, and never follows a link out of it.
//!
//! Links that stay inside are followed: people deploy by `current -> releases/3`, and Kubernetes mounts by `..data`. Every check
//! is of the opened file: a name that is exchanged between a check and a read leads nowhere else.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Dir;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::small_file::READ_ONLY;
use crate::small_file::ReadError;
use crate::small_file::ReadFault;
use crate::small_file::content;
use crate::small_file::regular;
use crate::small_file::text;

/// The most links on the way to one file, as in Linux.
const MAX_LINKS: usize = 40;
/// The most entries of a folder that are listed.
const MAX_ENTRIES: usize = 10_000;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A folder that other people fill, held open: files are read from this folder even if its path names another one later.
#[derive(Debug)]
pub struct OpenFolder {
    folder: OwnedFd,
    path: PathBuf,
}

impl OpenFolder {
    /// Opens the folder that the person who runs the program named. Links to it are followed.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        // `Path::parent` returns an empty path for the current folder.
        let named = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let folder = rustix::fs::open(named, FOLDER, Mode::empty())
            .map_err(|error| ReadError::new(path, error))?;
        Ok(Self { folder, path: path.to_owned() })
    }

    /// The path that the folder was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of the folder.
    pub fn read(&self, inside: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let read = || content(&regular(self.open_beneath(inside, READ_ONLY)?)?, limit);
        read().map_err(|fault| self.failed(inside, fault))
    }

    /// Reads a secret. The file must not have another hard link, which could give this folder another folder's secret.
    pub fn read_secret(&self, inside: &Path, limit: u64) -> Result<String, ReadError> {
        let read = || {
            let file = regular(self.open_beneath(inside, READ_ONLY)?)?;
            if rustix::fs::fstat(&file)?.st_nlink > 1 {
                return Err(ReadFault::HardLinked);
            }
            content(&file, limit)
        };
        let bytes = read().map_err(|fault| self.failed(inside, fault))?;
        text(&self.path.join(inside), bytes)
    }

    /// Lists the names in a folder inside this one, in no order.
    pub fn names(&self, inside: &Path) -> Result<Vec<OsString>, ReadError> {
        let list = || {
            let mut names = Vec::new();
            for entry in Dir::new(self.open_beneath(inside, FOLDER)?)? {
                let name = entry?.file_name().to_owned().into_bytes();
                if names.len() == MAX_ENTRIES {
                    return Err(ReadFault::TooManyEntries { limit: MAX_ENTRIES });
                }
                if name != b"." && name != b".." {
                    names.push(OsString::from_vec(name));
                }
            }
            Ok(names)
        };
        list().map_err(|fault| self.failed(inside, fault))
    }

    fn failed(&self, inside: &Path, fault: ReadFault) -> ReadError {
        ReadError::new(&self.path.join(inside), fault)
    }

    /// Opens by a single system call if the kernel has one. Paths that it refuses are walked, because it takes every absolute
    /// link for a link out of the folder, even one that leads into it.
    fn open_beneath(&self, inside: &Path, flags: OFlags) -> Result<OwnedFd, ReadFault> {
        match open_by_kernel(self.folder.as_fd(), inside, flags) {
            Err(Errno::XDEV | Errno::NOSYS | Errno::PERM | Errno::AGAIN | Errno::INVAL) => {
                self.open_by_walking(inside, flags)
            }
            opened => Ok(opened?),
        }
    }

    /// Opens component by component. Descriptors of the parent folders are kept, so that `..` is the folder that the walk came
    /// from, whatever has been renamed meanwhile.
    fn open_by_walking(&self, inside: &Path, flags: OFlags) -> Result<OwnedFd, ReadFault> {
        let mut way = Vec::new();
        let mut ahead = components(inside);
        let mut links = 0;
        while let Some(step) = ahead.pop() {
            let here = way.last().map_or(self.folder.as_fd(), OwnedFd::as_fd);
            let name = match step {
                PathStep::Up => {
                    way.pop().ok_or_else(|| self.outside())?;
                    continue;
                }
                PathStep::Root => {
                    let rest = self.strip_own_path(&mut ahead).ok_or_else(|| self.outside())?;
                    way.clear();
                    ahead = rest;
                    continue;
                }
                PathStep::Down(name) => name,
            };
            let flags = if ahead.is_empty() { flags } else { FOLDER };
            match rustix::fs::openat(here, &name, flags | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(opened) => way.push(opened),
                Err(error @ (Errno::LOOP | Errno::NOTDIR | Errno::MLINK)) => {
                    // Only a link has a target; for anything else the first error counts.
                    let target = rustix::fs::readlinkat(here, &name, Vec::new());
                    let target = target.map_err(|_not_a_link| error)?;
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    ahead.extend(components(&PathBuf::from(OsString::from_vec(
                        target.into_bytes(),
                    ))));
                }
                Err(error) => return Err(error.into()),
            }
        }
        match way.pop() {
            Some(opened) => Ok(opened),
            // The walk ended at the folder itself.
            None => Ok(rustix::fs::openat(&self.folder, ".", flags, Mode::empty())?),
        }
    }

    /// Returns the rest of an absolute path below this folder; `None` if the path does not lead here.
    fn strip_own_path(&self, ahead: &mut Vec<PathStep>) -> Option<Vec<PathStep>> {
        let mut absolute = PathBuf::from("/");
        while let Some(step) = ahead.pop() {
            match step {
                PathStep::Down(name) => absolute.push(name),
                // A parent or root step may lead out again, to a folder that the walk holds no descriptor of.
                PathStep::Up | PathStep::Root => return None,
            }
        }
        // These only tell which text means this folder; the walk continues from its descriptor.
        let own = [std::path::absolute(&self.path), std::fs::canonicalize(&self.path)];
        let rest = own.iter().flatten().find_map(|own| absolute.strip_prefix(own).ok())?;
        Some(components(rest))
    }

    fn outside(&self) -> ReadFault {
        ReadFault::Outside(self.path.clone())
    }
}

#[cfg(target_os = "linux")]
fn open_by_kernel(
    folder: BorrowedFd<'_>,
    inside: &Path,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(folder, inside, flags, Mode::empty(), resolve)
}

#[cfg(not(target_os = "linux"))]
fn open_by_kernel(_: BorrowedFd<'_>, _: &Path, _: OFlags) -> rustix::io::Result<OwnedFd> {
    Err(Errno::NOSYS)
}

/// One component of a path.
#[derive(Debug)]
enum PathStep {
    Root,
    Up,
    Down(OsString),
}

/// Returns the components of a path in reverse order.
fn components(path: &Path) -> Vec<PathStep> {
    let step = |component| match component {
        Component::Prefix(_) | Component::RootDir => Some(PathStep::Root),
        Component::CurDir => None,
        Component::ParentDir => Some(PathStep::Up),
        Component::Normal(name) => Some(PathStep::Down(name.to_owned())),
    };
    path.components().rev().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Makes a folder as a deployment has it, and a secret beside it.
    fn deployment() -> (tempfile::TempDir, OpenFolder) {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("plugins");
        fs::create_dir_all(folder.join("releases/3")).unwrap();
        fs::create_dir(folder.join("..2026")).unwrap();
        fs::write(folder.join("plain"), "plain").unwrap();
        fs::write(folder.join("releases/3/a"), "three").unwrap();
        fs::write(folder.join("..2026/a"), "volume").unwrap();
        fs::write(parent.path().join("secret"), "s3cret").unwrap();
        let link = |target: &str, name: &str| symlink(target, folder.join(name)).unwrap();
        link("releases/3", "current");
        link("..2026", "..data");
        link("..data/a", "mounted");
        link("../../plain", "releases/3/up");
        link("../secret", "out");
        link("/etc/passwd", "far");
        link("releases/../../secret", "winding");
        link("..", "parent");
        link("loop", "loop");
        link("nothing", "dangling");
        symlink(folder.join("releases/3/a"), folder.join("absolute")).unwrap();
        symlink(parent.path().join("secret"), folder.join("absolute-out")).unwrap();
        let opened = OpenFolder::open(&folder).unwrap();
        (parent, opened)
    }

    fn both_ways(folder: &OpenFolder, inside: &str) -> [Result<Vec<u8>, ReadFault>; 2] {
        let inside = Path::new(inside);
        [folder.open_beneath(inside, READ_ONLY), folder.open_by_walking(inside, READ_ONLY)]
            .map(|opened| content(&regular(opened?)?, 100))
    }

    #[test]
    fn links_that_stay_inside_are_followed() {
        let (_parent, folder) = deployment();
        for (name, text) in [
            ("plain", "plain"),
            ("./plain", "plain"),
            ("current/a", "three"),
            ("mounted", "volume"),
            ("current/up", "plain"),
            ("releases/../plain", "plain"),
            ("absolute", "three"),
        ] {
            for read in both_ways(&folder, name) {
                assert_eq!(read.unwrap(), text.as_bytes(), "{name}");
            }
        }
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        let (_parent, folder) = deployment();
        let names =
            ["out", "far", "winding", "parent/secret", "../secret", "/etc/passwd", "absolute-out"];
        for name in names {
            for read in both_ways(&folder, name) {
                assert!(matches!(read, Err(ReadFault::Outside(_))), "{name}: {read:?}");
            }
        }
        for name in ["loop", "dangling", "plain/a", "missing"] {
            for read in both_ways(&folder, name) {
                assert!(matches!(read, Err(ReadFault::System(_))), "{name}: {read:?}");
            }
        }
        let missing = folder.read(Path::new("dangling"), 100).unwrap_err();
        assert!(missing.is_missing());
    }

    #[test]
    fn a_secret_with_a_second_name_is_refused() {
        let (parent, folder) = deployment();
        assert_eq!(folder.read_secret(Path::new("plain"), 100).unwrap(), "plain");
        fs::hard_link(parent.path().join("secret"), folder.path().join("taken")).unwrap();
        let error = folder.read_secret(Path::new("taken"), 100).unwrap_err();
        assert!(matches!(error.fault, ReadFault::HardLinked), "{error}");
    }

    #[test]
    fn a_folder_beneath_is_listed() {
        let (_parent, folder) = deployment();
        let mut names = folder.names(Path::new("current")).unwrap();
        names.sort();
        assert_eq!(names, ["a", "up"]);
        assert!(folder.names(Path::new("parent")).is_err());
        assert!(folder.names(Path::new("missing")).unwrap_err().is_missing());
    }

    /// One thread exchanges a file and a link to a secret under the same name, as fast as it can.
    #[test]
    fn a_name_that_changes_never_leads_out() {
        let (parent, folder) = deployment();
        let path = folder.path().to_owned();
        let next = path.join("next");
        let turns = 2000;
        let swapping = std::thread::spawn(move || {
            for turn in 0..turns {
                if turn % 2 == 0 {
                    symlink("../secret", &next).unwrap();
                } else {
                    fs::write(&next, "mine").unwrap();
                }
                fs::rename(&next, path.join("key")).unwrap();
            }
        });
        let mut seen = 0;
        while !swapping.is_finished() {
            for read in both_ways(&folder, "key") {
                seen += usize::from(read.as_ref().is_ok_and(|text| text == b"mine"));
                assert!(!read.is_ok_and(|text| text == b"s3cret"), "the secret was read");
            }
        }
        swapping.join().unwrap();
        assert_eq!(both_ways(&folder, "key").map(Result::unwrap), [b"mine", b"mine"], "{seen}");
        drop(parent);
    }
}
