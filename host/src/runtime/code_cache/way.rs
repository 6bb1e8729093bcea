//! Opens the folder for compiled code step by step from the root.
//!
//! A user who can rename entries of a parent folder can put another folder in the place of the host's. So each folder on the
//! way is opened from the one above it and checked before the next is opened, and afterwards nothing is opened by its path.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::fs::Metadata;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::runtime::code_cache::entry::Distrust;
use crate::runtime::code_cache::entry::WRITABLE_BY_OTHERS;
use crate::runtime::code_cache::entry::only_ours;

/// In a folder with this bit, such as `/tmp`, only the owner of an entry can rename the entry.
const STICKY: u32 = 0o1000;
/// Links that are followed in one path; Linux has the same limit.
const MAX_LINKS: usize = 40;
/// The rights to look up names in a folder are enough: a folder on the way need not be readable.
#[cfg(target_os = "linux")]
const LOOK_UP: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const LOOK_UP: OFlags = OFlags::RDONLY;

/// Opens the folder. Makes it and its parents if they are missing.
///
/// A parent may be reached through a link, as `/home` is on some systems, but only if nobody else can have made that link. The
/// folder itself may not be a link.
pub(super) fn open(path: &Path) -> Result<File, Distrust> {
    let mut way = PathWalk::from_root()?;
    way.left = names(&std::path::absolute(path)?);
    while let Some(name) = way.left.pop_front() {
        way.step(&name)?;
    }
    // Opens the folder again for listing its entries.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(&way.folder, ".", flags, Mode::empty())
        .map_err(|error| Distrust::Read(error.into()))?;
    let folder = File::from(folder);
    only_ours(&folder.metadata()?)?;
    Ok(folder)
}

/// The part of the way that was checked, and the names that are left.
struct PathWalk {
    folder: File,
    path: PathBuf,
    left: VecDeque<OsString>,
    links: usize,
}

impl PathWalk {
    fn from_root() -> Result<Self, Distrust> {
        let path = PathBuf::from("/");
        let folder = open_folder(rustix::fs::CWD, &path)?;
        check_parent(&path, &folder.metadata()?)?;
        Ok(Self { folder, path, left: VecDeque::new(), links: 0 })
    }

    fn step(&mut self, name: &OsString) -> Result<(), Distrust> {
        match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_symlink() => {
                return self.follow(name);
            }
            Ok(_) => {}
            Err(rustix::io::Errno::NOENT) => self.make(name)?,
            Err(error) => return Err(Distrust::Read(error.into())),
        }
        let folder = open_folder(&self.folder, Path::new(name))?;
        let path = if name == ".." { self.above() } else { self.path.join(name) };
        if !self.left.is_empty() {
            check_parent(&path, &folder.metadata()?)?;
        }
        (self.folder, self.path) = (folder, path);
        Ok(())
    }

    fn make(&self, name: &OsString) -> Result<(), Distrust> {
        match rustix::fs::mkdirat(&self.folder, name, Mode::RWXU) {
            // Another host may have made the folder just now.
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(Distrust::Read(error.into())),
        }
    }

    fn follow(&mut self, name: &OsString) -> Result<(), Distrust> {
        let link = self.path.join(name);
        let others_could_have_made_it = self.folder.metadata()?.mode() & WRITABLE_BY_OTHERS != 0;
        self.links += 1;
        if self.left.is_empty() || others_could_have_made_it || self.links > MAX_LINKS {
            return Err(Distrust::Link { path: link });
        }
        let target = rustix::fs::readlinkat(&self.folder, name, Vec::new())
            .map_err(|error| Distrust::Read(error.into()))?;
        let target = Path::new(OsStr::from_bytes(target.to_bytes()));
        let mut left = names(target);
        left.append(&mut self.left);
        if target.is_absolute() {
            let links = self.links;
            *self = Self { links, ..Self::from_root()? };
        }
        self.left = left;
        Ok(())
    }

    fn above(&self) -> PathBuf {
        self.path.parent().unwrap_or(&self.path).to_owned()
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn open_folder(parent: impl AsFd, name: &Path) -> Result<File, Distrust> {
    let flags = LOOK_UP | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Ok(folder) => Ok(File::from(folder)),
        Err(rustix::io::Errno::NOTDIR) => Err(Distrust::WrongKind("folder")),
        Err(error) => Err(Distrust::Read(error.into())),
    }
}

/// Checks that nobody but the host's user and root can exchange the entries of that folder.
fn check_parent(path: &Path, metadata: &Metadata) -> Result<(), Distrust> {
    let (owner, host) = (metadata.uid(), rustix::process::geteuid().as_raw());
    let path = || path.to_owned();
    if owner != host && owner != rustix::process::Uid::ROOT.as_raw() {
        return Err(Distrust::ParentOfOther { path: path(), owner });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 {
        return Err(Distrust::ParentWritable { path: path(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_parent_that_others_can_write_to_is_refused_unless_it_is_sticky() {
        let home = tempfile::tempdir().unwrap();
        let parent = home.path().join("parent");
        let folder = parent.join("between/code");
        fs::create_dir_all(&folder).unwrap();
        set_mode(&folder, 0o700);
        for mode in [0o775, 0o757, 0o777] {
            set_mode(&parent, mode);
            let refused = open(&folder).unwrap_err();
            let Distrust::ParentWritable { path, mode: found } = &refused else {
                panic!("{mode:o}: {refused}")
            };
            assert_eq!((path, *found), (&parent, mode));
        }
        for mode in [0o1777, 0o1775, 0o755, 0o711] {
            set_mode(&parent, mode);
            open(&folder).unwrap();
        }
    }

    #[test]
    fn the_folder_itself_may_not_be_a_link() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        open(&home.join("real")).unwrap();
        symlink(home.join("real"), home.join("link")).unwrap();
        assert!(matches!(open(&home.join("link")), Err(Distrust::Link { .. })));
    }

    #[test]
    fn a_link_on_the_way_counts_only_where_nobody_else_could_have_made_it() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let shared = home.join("shared");
        fs::create_dir_all(home.join("real/code")).unwrap();
        fs::create_dir(&shared).unwrap();
        set_mode(&home.join("real/code"), 0o700);
        for target in [home.join("real"), PathBuf::from("../real"), PathBuf::from("./../real/.")] {
            symlink(target, shared.join("link")).unwrap();
            set_mode(&shared, 0o755);
            let code = open(&shared.join("link/code")).unwrap();
            let real = fs::metadata(home.join("real/code")).unwrap();
            assert_eq!(code.metadata().unwrap().ino(), real.ino());
            set_mode(&shared, 0o1777);
            let refused = open(&shared.join("link/code"));
            assert!(matches!(refused, Err(Distrust::Link { .. })), "{refused:?}");
            fs::remove_file(shared.join("link")).unwrap();
        }
        symlink("loop", home.join("loop")).unwrap();
        assert!(matches!(open(&home.join("loop/code")), Err(Distrust::Link { .. })));
    }

    #[test]
    fn what_is_missing_is_made_for_the_host_s_user_alone() {
        let home = tempfile::tempdir().unwrap();
        open(&home.path().join("made/here/code")).unwrap();
        for made in ["made", "made/here", "made/here/code"] {
            let mode = fs::metadata(home.path().join(made)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o700, "{made}");
        }
    }
}
