//! When a source folder has changed: told by its contents, so that what a build writes beside the source only counts where
//! it differs from what was there.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher as _;
use sha2::Digest as _;
use tokio::sync::watch;

use crate::small_file;
use crate::small_file::off_thread;

/// Quiet time after a change before the folder is read: an editor writes in several steps.
const SETTLE: Duration = Duration::from_millis(50);
/// How often it is read without any notice, which network file systems do not give.
const POLL: Duration = Duration::from_secs(2);
/// Where tools put what they make. Reading it would take longer than a build.
const NOT_SOURCE: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "build"];
/// Endings of what is made, and of what somebody keeps of this very command's words.
const NOT_SOURCE_ENDINGS: [&str; 2] = [".wasm", ".log"];
/// Files that are looked at; a folder with more is not the source of one plugin.
const MAX_FILES: usize = 10_000;
/// A file that is larger is told by its size.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// What lies in a source folder, without what was made of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<PathBuf, [u8; 32]>);

impl Contents {
    /// Blocks for as long as the file system does.
    pub(super) fn of(folder: &Path) -> std::io::Result<Self> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                if !is_source(&path) || files.len() == MAX_FILES {
                    continue;
                }
                // What went away between two calls is simply not there.
                let Ok(metadata) = std::fs::metadata(&path) else { continue };
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    let bytes = match metadata.len() {
                        0..=MAX_FILE_BYTES => {
                            small_file::read(&path, MAX_FILE_BYTES).unwrap_or_default()
                        }
                        size => size.to_le_bytes().to_vec(),
                    };
                    files.insert(path, sha2::Sha256::digest(bytes).into());
                }
            }
        }
        Ok(Self(files))
    }
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_made = NOT_SOURCE_ENDINGS.iter().any(|ending| name.ends_with(ending));
    !is_made && !name.starts_with('.') && !NOT_SOURCE.contains(&name)
}

/// Follows a source folder.
pub(super) struct SourceWatch {
    folder: PathBuf,
    changes: watch::Receiver<()>,
    /// Dropping it ends the notices. Without one the folder is read now and then.
    _watcher: Option<RecommendedWatcher>,
}

impl SourceWatch {
    pub(super) fn new(folder: &Path) -> Self {
        let (changed, changes) = watch::channel(());
        let notice = move |_event: notify::Result<notify::Event>| {
            // Nobody listens any more once the command ends.
            let _ = changed.send(());
        };
        let watcher = notify::recommended_watcher(notice).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        Self { folder: folder.to_owned(), changes, _watcher: watcher.ok() }
    }

    /// Returns the contents once they are others than these.
    pub(super) async fn differs_from(&mut self, before: &Contents) -> Contents {
        loop {
            let folder = self.folder.clone();
            // A folder that is being replaced is there again in a moment.
            match off_thread(&self.folder, move || Contents::of(&folder)).await {
                Ok(now) if now != *before => return now,
                Ok(_) | Err(_) => {}
            }
            tokio::select! {
                // Cancel safe: both only wait.
                Ok(()) = self.changes.changed() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_source_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "one");
        let before = Contents::of(folder.path()).unwrap();
        for made in
            ["target/x", "src/__pycache__/x", "node_modules/a/x", ".venv/x", "out.wasm", "dev.log"]
        {
            write(made, "made");
        }
        assert_eq!(before, Contents::of(folder.path()).unwrap());
        write("src/lib.rs", "two");
        assert_ne!(before, Contents::of(folder.path()).unwrap());
        write("src/lib.rs", "one");
        assert_eq!(
            before,
            Contents::of(folder.path()).unwrap(),
            "the time of a file is not its content"
        );
        write("callbacks/click.json", "{}");
        assert_ne!(before, Contents::of(folder.path()).unwrap());
    }
}
