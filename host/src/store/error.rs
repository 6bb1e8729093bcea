//! Errors of the store.

use std::path::PathBuf;
use std::sync::Arc;

/// The reason why the store could not read or keep something.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("store.path: {}: {reason}", path.display())]
    Open {
        /// The path of the file.
        path: PathBuf,
        /// The cause, and how to solve it.
        reason: Arc<str>,
    },
    /// The store cannot be written.
    #[error("the store cannot be written: {0}")]
    Write(Arc<str>),
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Read(Arc<str>),
    /// The server cannot be reached, or refuses a command.
    #[error("store.url: {0}")]
    Server(Arc<str>),
    /// Another host took the update over because this one seemed to be gone.
    #[error("another host has taken this update over")]
    TakenOver,
    /// The host is stopping.
    #[error("the store is closed")]
    Closed,
}
