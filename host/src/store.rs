//! What must outlive the process: one redb file, written by one thread that makes what waits durable in one go.
//!
//! It keeps the card updates that were promised and not yet shown. It is no cache and no place for a plugin's data.

pub mod update;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use redb::Database;
use redb::ReadableDatabase as _;
use redb::ReadableTable as _;
use redb::TableDefinition;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::store::update::PendingUpdate;
use crate::store::update::StoredUpdate;
use crate::store::update::UpdateId;

/// Updates, in the order they were promised.
const UPDATES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("updates");
/// Those of them that may have reached the platform. Apart, so that marking one does not write its card again.
const ATTEMPTED: TableDefinition<'_, u64, ()> = TableDefinition::new("attempted");
/// Writes that wait for the thread. Beyond that, whoever writes waits for its turn.
const QUEUE: usize = 1024;
/// Writes of one transaction. A commit costs the same few milliseconds for one as for many.
const BATCH: usize = 256;
/// Pages held in memory. The whole file is a few megabytes at the worst of times, and is hardly ever read.
const CACHE_BYTES: usize = 4 << 20;

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The file, relative to the configuration file. It is made if it is not there, and no other host may use it.
    pub path: PathBuf,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: PathBuf::from("aviary.redb") }
    }
}

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
    /// The host is stopping.
    #[error("the store is closed")]
    Closed,
}

enum Change {
    Put(Vec<u8>),
    Attempted,
    NotTaken,
    Done,
}

struct Write {
    id: UpdateId,
    change: Change,
    durable: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the thread that writes.
#[derive(Clone, Debug)]
pub struct Store {
    writes: mpsc::Sender<Write>,
    next_id: Arc<AtomicU64>,
}

impl Store {
    /// Opens the file, and returns with it what an earlier process has left, oldest first.
    pub fn open(path: &Path) -> Result<(Self, Vec<StoredUpdate>), StoreError> {
        let failed =
            |reason: String| StoreError::Open { path: path.to_owned(), reason: reason.into() };
        // Update tokens are credentials, though short-lived ones: nobody else may read them.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| {
                failed(format!("{error}; set [store] path to a place that can be written"))
            })?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_file(file)
            .map_err(|error| failed(format!("{error}; each host needs a file of its own")))?;
        let left = read(&database).map_err(|error| failed(error.to_string()))?;
        let next_id = left.last().map_or(0, |update| update.id.0 + 1);
        let (writes, waiting) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("aviary-store".to_owned())
            .spawn(move || write_all(&database, waiting))
            .map_err(|error| failed(error.to_string()))?;
        Ok((Self { writes, next_id: Arc::new(AtomicU64::new(next_id)) }, left))
    }

    /// The number of an update that is about to be promised. Later ones are larger.
    pub fn next_id(&self) -> UpdateId {
        UpdateId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Resolves once the update would survive the end of this process. Dropped before, it may have been kept or not.
    pub async fn put(&self, id: UpdateId, update: &PendingUpdate) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(update)
            .map_err(|error| StoreError::Write(error.to_string().into()))?;
        self.write(id, Change::Put(bytes)).await
    }

    /// From now on the platform may have it.
    pub async fn attempted(&self, id: UpdateId) -> Result<(), StoreError> {
        self.write(id, Change::Attempted).await
    }

    /// The platform has said that it does not have it.
    pub async fn not_taken(&self, id: UpdateId) -> Result<(), StoreError> {
        self.write(id, Change::NotTaken).await
    }

    /// It has come to an end, one way or another.
    pub async fn done(&self, id: UpdateId) -> Result<(), StoreError> {
        self.write(id, Change::Done).await
    }

    async fn write(&self, id: UpdateId, change: Change) -> Result<(), StoreError> {
        let (durable, kept) = oneshot::channel();
        self.writes
            .send(Write { id, change, durable })
            .await
            .map_err(|_closed| StoreError::Closed)?;
        kept.await.map_err(|_closed| StoreError::Closed)?
    }
}

fn read(database: &Database) -> Result<Vec<StoredUpdate>, redb::Error> {
    // A table is made by the first transaction that opens it for writing.
    let making = database.begin_write()?;
    making.open_table(UPDATES)?;
    making.open_table(ATTEMPTED)?;
    making.commit()?;
    let reading = database.begin_read()?;
    let (updates, attempted) = (reading.open_table(UPDATES)?, reading.open_table(ATTEMPTED)?);
    let mut left = Vec::new();
    for entry in updates.iter()? {
        let (id, bytes) = entry?;
        match serde_json::from_slice(bytes.value()) {
            Ok(update) => left.push(StoredUpdate {
                id: UpdateId(id.value()),
                update,
                attempted: attempted.get(id.value())?.is_some(),
            }),
            Err(error) => {
                tracing::error!(id = id.value(), %error, "an unreadable update in the store is left alone")
            }
        }
    }
    Ok(left)
}

/// Until the last [`Store`] is gone. What waits meanwhile is committed together.
fn write_all(database: &Database, mut waiting: mpsc::Receiver<Write>) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(first) = waiting.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        let result =
            commit(database, &batch).map_err(|error| StoreError::Write(error.to_string().into()));
        for write in batch.drain(..) {
            // Whoever asked may have stopped waiting.
            let _ = write.durable.send(result.clone());
        }
    }
}

fn commit(database: &Database, batch: &[Write]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut updates = transaction.open_table(UPDATES)?;
        let mut attempted = transaction.open_table(ATTEMPTED)?;
        for Write { id: UpdateId(id), change, .. } in batch {
            match change {
                Change::Put(bytes) => drop(updates.insert(id, bytes.as_slice())?),
                Change::Attempted => drop(attempted.insert(id, ())?),
                Change::NotTaken => drop(attempted.remove(id)?),
                Change::Done => {
                    updates.remove(id)?;
                    attempted.remove(id)?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(card: &str) -> PendingUpdate {
        PendingUpdate {
            app: "cli_a".to_owned(),
            event_id: None,
            token: "c-1".to_owned(),
            card: card.to_owned(),
            received_ms: 1,
        }
    }

    #[tokio::test]
    async fn what_is_not_done_is_there_after_a_restart_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let (store, left) = Store::open(&path).unwrap();
        assert!(left.is_empty());
        let ids = [store.next_id(), store.next_id(), store.next_id()];
        for (id, card) in ids.iter().zip(["1", "2", "3"]) {
            store.put(*id, &update(card)).await.unwrap();
        }
        store.done(ids[1]).await.unwrap();
        store.attempted(ids[0]).await.unwrap();
        store.not_taken(ids[0]).await.unwrap();
        store.attempted(ids[2]).await.unwrap();
        assert!(Store::open(&path).is_err(), "one host has it");
        drop(store);
        let (store, left) = reopen(&path).await;
        let seen: Vec<_> =
            left.iter().map(|left| (left.update.card.as_str(), left.attempted)).collect();
        assert_eq!(seen, [("1", false), ("3", true)]);
        assert!(store.next_id() > ids[2]);
    }

    /// The thread lets the file go soon after the last handle is gone.
    async fn reopen(path: &Path) -> (Store, Vec<StoredUpdate>) {
        loop {
            match Store::open(path) {
                Ok(opened) => return opened,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = Store::open(Path::new("/nowhere/store.redb")).unwrap_err();
        assert!(error.to_string().starts_with("store.path: /nowhere/store.redb"), "{error}");
    }
}
