//! Decides when to read the folder: after a notice of the system and a moment of quiet, or after a while without a notice.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use notify::Event;
use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher as _;
use notify::event::AccessKind;
use tokio::sync::watch;

use crate::folder::listing::Identity;
use crate::small_file::off_thread;

/// Quiet time after a change before a file is read: a copy writes it in many steps.
pub(super) const SETTLE: Duration = Duration::from_millis(50);
/// The longest wait for quiet. A folder that keeps changing is read after this long anyway.
const SETTLE_AT_MOST: Duration = Duration::from_secs(1);
/// The interval of reads without a notice: network file systems send none, and a folder that is replaced by another sends its
/// last one as it goes.
const POLL: Duration = Duration::from_secs(2);

/// Watches one path, whichever folder is there.
pub(super) struct FolderWatch {
    path: PathBuf,
    changed: watch::Sender<()>,
    changes: watch::Receiver<()>,
    /// The watched folder and its watcher. Dropping the watcher ends the watch.
    watcher: Option<(Identity, RecommendedWatcher)>,
    /// The log says already that the folder cannot be watched, which may last for ever.
    warned: bool,
}

impl FolderWatch {
    pub(super) fn new(path: &Path) -> Self {
        let (changed, changes) = watch::channel(());
        Self { path: path.to_owned(), changed, changes, watcher: None, warned: false }
    }

    /// Returns when there is a reason to read the folder. Cancel safe: the next read makes up for a lost notice.
    pub(super) async fn next_look(&mut self, at_most: Duration) {
        tokio::select! {
            // Cancel safe: both only wait.
            _ = self.changes.changed() => settle(&mut self.changes).await,
            () = tokio::time::sleep(at_most.min(POLL)) => {}
        }
    }

    /// Watches the folder that is at the path now. Returns true if it was not watched before: the folder may have changed
    /// since it was read.
    pub(super) async fn follow(&mut self, now: Option<Identity>) -> bool {
        let watched = self.watcher.as_ref().map(|(identity, _)| *identity);
        if now == watched {
            return false;
        }
        self.watcher = None;
        let Some(identity) = now else {
            self.warned = false;
            return false;
        };
        match self.watch().await {
            Ok(watcher) => self.watcher = Some((identity, watcher)),
            Err(error) if !self.warned => {
                let folder = self.path.display();
                tracing::warn!(%folder, %error, "folder: no notices of changed files, reading it every 2 s");
            }
            Err(_) => {}
        }
        self.warned = self.watcher.is_none();
        self.watcher.is_some()
    }

    /// Starts a watcher. The system looks up the path, which blocks for as long as its file system does.
    async fn watch(&self) -> std::io::Result<RecommendedWatcher> {
        let (changed, path) = (self.changed.clone(), self.path.clone());
        let notice = move |event: notify::Result<Event>| {
            if is_reason_to_look(&event) {
                // There is no receiver once the host is stopping.
                let _ = changed.send(());
            }
        };
        let watching = move || {
            let mut watcher = notify::recommended_watcher(notice).map_err(std::io::Error::other)?;
            let watched = watcher.watch(&path, RecursiveMode::NonRecursive);
            watched.map_err(std::io::Error::other)?;
            Ok(watcher)
        };
        off_thread(&self.path, watching).await
    }
}

/// Tells whether a notice calls for a read. Opening does not: reading the folder opens it, so each read would cause the next.
fn is_reason_to_look(event: &notify::Result<Event>) -> bool {
    !event.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Access(AccessKind::Open(_))))
}

async fn settle(changes: &mut watch::Receiver<()>) {
    let at_most = tokio::time::sleep(SETTLE_AT_MOST);
    tokio::pin!(at_most);
    loop {
        tokio::select! {
            // Cancel safe: all of them only wait.
            () = &mut at_most => return,
            () = tokio::time::sleep(SETTLE) => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// The notices that the system sends for a read of a folder, and for a file that is written after it.
    #[test]
    fn a_look_is_no_reason_for_another() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (sender, notices) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            // The test has ended once there is no receiver.
            let _ = sender.send(event);
        })?;
        watcher.watch(folder.path(), RecursiveMode::NonRecursive)?;
        for _ in 0..3 {
            std::fs::read_dir(folder.path())?.for_each(drop);
        }
        std::fs::write(folder.path().join("new.wasm"), "")?;
        let first = notices.iter().find(is_reason_to_look).ok_or("the watcher has ended")??;
        assert!(matches!(first.kind, EventKind::Create(_)), "{first:?}");
        Ok(())
    }
}
