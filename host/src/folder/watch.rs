//! When to look into the folder: after a notice of the system and a moment of quiet, or after a while without either.

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
/// A folder that never is quiet is read all the same after this long.
const SETTLE_AT_MOST: Duration = Duration::from_secs(1);
/// How often the folder is read without any notice: network file systems give none, and a folder that was exchanged for
/// another gives its last one when it goes.
const POLL: Duration = Duration::from_secs(2);

/// Follows one path, whatever folder is there.
pub(super) struct FolderWatch {
    path: PathBuf,
    changed: watch::Sender<()>,
    changes: watch::Receiver<()>,
    /// With the folder that it watches. Dropping it ends the watch.
    watcher: Option<(Identity, RecommendedWatcher)>,
    /// Said once that there is none, which may be so for ever.
    warned: bool,
}

impl FolderWatch {
    pub(super) fn new(path: &Path) -> Self {
        let (changed, changes) = watch::channel(());
        Self { path: path.to_owned(), changed, changes, watcher: None, warned: false }
    }

    /// Returns when there is reason to look. Cancel safe: a notice that is lost is made good by the next look.
    pub(super) async fn next_look(&mut self, at_most: Duration) {
        tokio::select! {
            // Cancel safe: both only wait.
            _ = self.changes.changed() => settle(&mut self.changes).await,
            () = tokio::time::sleep(at_most.min(POLL)) => {}
        }
    }

    /// Watches the folder that is at the path now. `true` if it was not watched before: something may have changed in it
    /// since it was looked into.
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
                tracing::warn!(%folder, %error, "no file notices, reading every 2 s");
            }
            Err(_) => {}
        }
        self.warned = self.watcher.is_none();
        self.watcher.is_some()
    }

    /// The system looks the path up, which blocks for as long as its file system does.
    async fn watch(&self) -> std::io::Result<RecommendedWatcher> {
        let (changed, path) = (self.changed.clone(), self.path.clone());
        let notice = move |event: notify::Result<Event>| {
            if is_reason_to_look(&event) {
                // Nobody listens any more once the host is stopping.
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

/// Everything but an opening: to look into the folder is to open it, and every look would be the reason for the next.
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

    /// What the system says of a look into a folder, and of a file that is written after it.
    #[test]
    fn a_look_is_no_reason_for_another() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (sender, notices) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            // The test is over once nobody receives.
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
