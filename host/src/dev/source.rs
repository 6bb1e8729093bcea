//! Notices changes in a source folder. It compares contents, so that files that a build writes beside the source only count where
//! they differ from what was there.

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
/// Interval at which the folder is read without a notification: network file systems send none.
const POLL: Duration = Duration::from_secs(2);
/// Folders in which tools put their output. Reading them would take longer than a build.
const NOT_SOURCE: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "build"];
/// Endings of build outputs, and of files in which somebody keeps this command's own output.
const NOT_SOURCE_ENDINGS: [&str; 2] = [".wasm", ".log"];
/// Most files that are looked at; a folder with more is not the source of one plugin.
const MAX_FILES: usize = 10_000;
/// Largest file that is read, in bytes; larger ones are compared by size.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Hash of each file in a source folder, without the outputs of builds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<PathBuf, [u8; 32]>);

impl Contents {
    /// Reads the folder. Blocks for as long as the file system does.
    pub(super) fn of(folder: &Path) -> std::io::Result<Self> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                if !is_source(&path) || files.len() == MAX_FILES {
                    continue;
                }
                // A file that went away between two calls counts as absent.
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

/// Watches a source folder for changes.
pub(super) struct SourceWatch {
    folder: PathBuf,
    changes: watch::Receiver<()>,
    /// Dropping the watcher ends the notifications. Without one the folder is read at intervals.
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

    /// Returns the contents once they differ from `before`.
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
