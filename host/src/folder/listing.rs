//! Lists a plugins folder by its metadata, without reading any file.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

/// Plugins that one folder may hold.
const MAX_PLUGINS: usize = 10_000;
/// The coarsest file time: a file that was written less than this ago may be written again without its stamps changing. Times
/// advance in steps of 10 ms at most on Linux, and of two seconds on the oldest file systems.
const TICK: Duration = Duration::from_secs(2);

/// Identity, size and times of a file. Symbolic links are followed, so a link that points elsewhere is a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The stamps of all files of one plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamps {
    wasm: Stamp,
    sidecar: Option<Stamp>,
    tests: Option<Stamp>,
}

impl Stamps {
    /// Tells whether the `.wasm` itself changed, as opposed to the files beside it.
    pub(super) fn are_of_another_wasm(&self, other: &Self) -> bool {
        self.wasm != other.wasm
    }

    /// Tells whether a later change could leave these same stamps.
    pub(super) fn are_fresh(&self, now: SystemTime) -> bool {
        let young = |stamp: &Stamp| {
            let seconds = u64::try_from(stamp.changed.0).unwrap_or_default();
            let written = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            now.duration_since(written).is_ok_and(|age| age < TICK)
        };
        [Some(&self.wasm), self.sidecar.as_ref(), self.tests.as_ref()]
            .into_iter()
            .flatten()
            .any(young)
    }
}

/// Device and inode of a folder. Another folder may take its place at the same path.
pub(super) type Identity = (u64, u64);

/// A folder's contents at one moment.
pub(super) struct Listing {
    pub(super) identity: Identity,
    pub(super) found: BTreeMap<String, Stamps>,
}

/// Lists every `name.wasm` with the stamps of its files, including those that are not regular files: they are refused when
/// they are read. Blocks for as long as the file system does.
pub(super) fn list(folder: &Path) -> std::io::Result<Listing> {
    loop {
        let listing = list_once(folder, identity(folder)?)?;
        // While a folder is removed or replaced, its files seem to vanish one by one.
        if identity(folder)? == listing.identity {
            return Ok(listing);
        }
    }
}

fn identity(folder: &Path) -> std::io::Result<Identity> {
    let metadata = std::fs::metadata(folder)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn list_once(folder: &Path, identity: Identity) -> std::io::Result<Listing> {
    let stamp = |path: &Path| std::fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata));
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let (Some(name), Some("wasm")) =
            (path.file_stem(), path.extension().and_then(|ending| ending.to_str()))
        else {
            continue;
        };
        // A file that went away between the two calls is simply not there.
        if let (Some(name), Ok(metadata)) = (name.to_str(), std::fs::metadata(&path)) {
            let stamps = Stamps {
                wasm: Stamp::of(&metadata),
                sidecar: stamp(&path.with_extension("toml")),
                tests: stamp(&path.with_extension("tests")),
            };
            found.insert(name.to_owned(), stamps);
        }
        if found.len() == MAX_PLUGINS {
            tracing::warn!(folder = %folder.display(), "folder: more than {MAX_PLUGINS} plugins, the rest is left out");
            break;
        }
    }
    Ok(Listing { identity, found })
}
