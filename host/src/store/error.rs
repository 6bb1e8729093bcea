//! Why something is not kept.

use std::path::PathBuf;
use std::sync::Arc;

/// Why something is not kept.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("store.path: {}: {reason}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: Arc<str>,
    },
    /// It cannot be written.
    #[error("the store cannot be written: {0}")]
    Write(Arc<str>),
    /// It cannot be read.
    #[error("the store cannot be read: {0}")]
    Read(Arc<str>),
    /// The server cannot be reached, or does not do what it is told.
    #[error("store.url: {0}")]
    Server(Arc<str>),
    /// Another host took it over because this one seemed to be gone.
    #[error("another host has taken this update over")]
    TakenOver,
    /// The host is stopping.
    #[error("the store is closed")]
    Closed,
}
