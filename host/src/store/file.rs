//! The store in a redb file. One thread writes, and commits all waiting changes together.

mod buckets;
mod inbox;
mod inbox_backend;
mod inbox_index;
mod marks;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::now_ms;
use crate::small_file;
use crate::store::backend::Backend;
use crate::store::bucket::BucketId;
use crate::store::bucket::KeyPage;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::store::error::StoreError;
use crate::store::file::buckets::BucketChange;
use crate::store::file::buckets::BucketChangeError;
use crate::store::file::buckets::BucketWrite;
use crate::store::file::buckets::FileBuckets;
use crate::store::file::inbox::FileInbox;
use crate::store::file::inbox::InboxChange;
use crate::store::file::inbox::InboxWrite;
use crate::store::file::inbox_index::Effect;
use crate::store::file::inbox_index::InboxIndex;
use crate::store::file::marks::FileMarks;
use crate::store::file::marks::MarkWrite;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::marks::MarkState;
use crate::store::update::StoredUpdate;
use crate::store::update::UpdateChange;
use crate::store::update::UpdateId;
use aviary_state::Mutex;
use futures_util::FutureExt as _;
use futures_util::TryFutureExt as _;
use futures_util::future::BoxFuture;
use redb::Database;
use redb::ReadTransaction;
use redb::ReadableDatabase as _;
use redb::ReadableTable as _;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;
use redb::backends::InMemoryBackend;
use rustix::fs::OFlags;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// The updates, in the order they were promised.
const UPDATES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("updates");
/// The updates that may have reached the platform. In a table apart, so that marking one does not write its card again.
const ATTEMPTED: TableDefinition<'_, u64, ()> = TableDefinition::new("attempted");
/// Changes that may wait for the thread. Beyond that, callers wait for room in the queue.
const QUEUE: usize = 1024;
/// Most changes of one transaction. A commit costs the same few milliseconds for one as for many.
const BATCH: usize = 256;
/// Memory for pages of the file, so that values that plugins read often come from memory.
const CACHE_BYTES: usize = 16 << 20;

enum WriteTask {
    Update(UpdateId, UpdateChange),
    Bucket(BucketWrite),
    Mark(MarkWrite),
    Inbox(InboxWrite),
}

/// The answer to a task once it is durable.
#[derive(Clone, Copy)]
enum WriteAnswer {
    Made,
    /// The sum of an increment.
    Sum(u64),
    Inbox(InboxChange),
}

/// The answer, or the reason why nothing changed.
type WriteOutcome = Result<WriteAnswer, WriteError>;

struct Write {
    task: WriteTask,
    durable: oneshot::Sender<WriteOutcome>,
}

/// Handle of the file and of the thread that writes to it.
#[derive(Debug)]
pub(super) struct FileStore {
    writes: mpsc::Sender<Write>,
    database: Arc<Database>,
    inbox: Arc<Mutex<InboxIndex>>,
}

impl FileStore {
    /// Opens the file, and also returns the updates that an earlier process has left, oldest first.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<StoredUpdate>), StoreError> {
        let failed =
            |reason: String| StoreError::Open { path: path.to_owned(), reason: reason.into() };
        // Update tokens are credentials, though short-lived ones: nobody else may read them.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // A FIFO is refused below instead of waited for.
            .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32)
            .open(path)
            .map_err(|error| {
                failed(format!("{error}; set [store] path to a place that can be written"))
            })?;
        small_file::check_regular(&file, path).map_err(|error| failed(error.to_string()))?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_file(file)
            .map_err(|error| failed(format!("{error}; each host needs a file of its own")))?;
        let inbox = prepare(&database).map_err(|error| failed(error.to_string()))?;
        let left = read(&database).map_err(|error| failed(error.to_string()))?;
        Ok((Self::start(database, inbox)?, left))
    }

    /// Creates a store that ends with the process.
    pub(super) fn in_memory() -> Result<Self, StoreError> {
        let failed = |error: redb::Error| StoreError::Write(error.to_string().into());
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .map_err(|error| failed(error.into()))?;
        let inbox = prepare(&database).map_err(failed)?;
        Self::start(database, inbox)
    }

    fn start(database: Database, inbox: InboxIndex) -> Result<Self, StoreError> {
        let (database, inbox) = (Arc::new(database), Arc::new(Mutex::new(inbox)));
        let (writes, waiting) = mpsc::channel(QUEUE);
        let (written, index) = (Arc::clone(&database), Arc::clone(&inbox));
        std::thread::Builder::new()
            .name("aviary-store".to_owned())
            .spawn(move || write_all(&written, &index, waiting))
            .map_err(|error| StoreError::Write(error.to_string().into()))?;
        Ok(Self { writes, database, inbox })
    }

    async fn perform(&self, task: WriteTask) -> WriteOutcome {
        let (durable, kept) = oneshot::channel();
        self.writes.send(Write { task, durable }).await.map_err(|_closed| StoreError::Closed)?;
        kept.await.map_err(|_closed| StoreError::Closed)?
    }

    /// Performs a change that no rule can refuse; it fails only if the file does.
    async fn only(&self, task: WriteTask) -> Result<(), StoreError> {
        match self.perform(task).await {
            Err(WriteError::Store(error)) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Reads on a blocking thread: a page that is not in memory comes from the disk, and no I/O thread may wait for that.
    async fn read<T: Send + 'static>(
        &self,
        reading: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        let read = move || reading(&database.begin_read()?);
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|_stopping| StoreError::Closed)?
            .map_err(|error| StoreError::Read(error.to_string().into()))
    }
}

impl Backend for FileStore {
    fn get(
        &self,
        bucket: BucketId,
        key: String,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.read(move |transaction| buckets::get(transaction, &bucket, &key)).boxed()
    }

    fn keys(&self, bucket: BucketId, from: u64) -> BoxFuture<'_, Result<KeyPage, StoreError>> {
        self.read(move |transaction| buckets::keys(transaction, &bucket, from)).boxed()
    }

    fn set(
        &self,
        bucket: BucketId,
        key: String,
        value: Vec<u8>,
        quota: Quota,
    ) -> BoxFuture<'_, Result<(), WriteError>> {
        let change = BucketChange::Set { value, quota };
        self.perform(WriteTask::Bucket(BucketWrite { bucket, key, change })).map_ok(drop).boxed()
    }

    fn delete(&self, bucket: BucketId, key: String) -> BoxFuture<'_, Result<(), StoreError>> {
        self.only(WriteTask::Bucket(BucketWrite { bucket, key, change: BucketChange::Delete }))
            .boxed()
    }

    fn increment(
        &self,
        bucket: BucketId,
        key: String,
        delta: u64,
        quota: Quota,
    ) -> BoxFuture<'_, Result<u64, WriteError>> {
        let change = BucketChange::Add { delta, quota };
        let performed = self.perform(WriteTask::Bucket(BucketWrite { bucket, key, change }));
        performed
            .map_ok(|answer| match answer {
                WriteAnswer::Sum(sum) => sum,
                // The thread answers every increment with its sum.
                WriteAnswer::Made | WriteAnswer::Inbox(_) => 0,
            })
            .boxed()
    }

    fn begin(&self, mark: Mark, _lease: Duration) -> BoxFuture<'_, Result<MarkState, StoreError>> {
        async move {
            let answer =
                self.read(move |transaction| marks::get(transaction, mark.as_str())).await?;
            Ok(answer.map_or(MarkState::Now, MarkState::Done))
        }
        .boxed()
    }

    fn end(&self, mark: Mark, ended: Ended) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            match ended {
                // The file holds no record of what was begun.
                Ended::Failed => Ok(()),
                Ended::Done { answer, keep } => {
                    let until_ms = now_ms() + keep.as_millis() as u64;
                    let mark = mark.as_str().to_owned();
                    self.only(WriteTask::Mark(MarkWrite { mark, answer, until_ms })).await
                }
            }
        }
        .boxed()
    }

    fn update(&self, id: UpdateId, change: UpdateChange) -> BoxFuture<'_, Result<(), StoreError>> {
        self.only(WriteTask::Update(id, change)).boxed()
    }
}

/// Creates the tables that are missing, and returns the index of the inbox.
fn prepare(database: &Database) -> Result<InboxIndex, redb::Error> {
    // The first transaction that opens a table for writing creates it.
    let making = database.begin_write()?;
    let effects = {
        let mut tables = Tables::open(&making)?;
        tables.inbox()?.take_over()?;
        tables.effects()
    };
    making.commit()?;
    let mut index = InboxIndex::default();
    effects.into_iter().for_each(|effect| index.apply(effect));
    Ok(index)
}

fn read(database: &Database) -> Result<Vec<StoredUpdate>, redb::Error> {
    let reading = database.begin_read()?;
    let (updates, attempted) = (reading.open_table(UPDATES)?, reading.open_table(ATTEMPTED)?);
    let mut left = Vec::new();
    for entry in updates.iter()? {
        let (id, bytes) = entry?;
        match named_fields::from_slice(bytes.value()) {
            Ok(update) => left.push(StoredUpdate {
                id: UpdateId(id.value()),
                update,
                attempted: attempted.get(id.value())?.is_some(),
            }),
            Err(error) => {
                tracing::error!(id = id.value(), %error, "store: unreadable card update left alone")
            }
        }
    }
    Ok(left)
}

/// Commits changes until the last handle is gone. Changes that arrive during a commit go into the next one together.
fn write_all(database: &Database, inbox: &Mutex<InboxIndex>, mut waiting: mpsc::Receiver<Write>) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(first) = waiting.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        let outcomes = match commit(database, &batch) {
            Ok((outcomes, effects)) => {
                let mut inbox = inbox.lock();
                effects.into_iter().for_each(|effect| inbox.apply(effect));
                outcomes
            }
            Err(error) => {
                let failed = StoreError::Write(error.to_string().into());
                batch.iter().map(|_| Err(failed.clone().into())).collect()
            }
        };
        for (write, outcome) in batch.drain(..).zip(outcomes) {
            // The caller may have stopped waiting.
            let _ = write.durable.send(outcome);
        }
    }
}

/// Makes the changes of a batch. Also returns what they mean for the index of the inbox.
fn commit(
    database: &Database,
    batch: &[Write],
) -> Result<(Vec<WriteOutcome>, Vec<Effect>), redb::Error> {
    let transaction = database.begin_write()?;
    let (outcomes, effects) = {
        let mut tables = Tables::open(&transaction)?;
        let outcomes = batch
            .iter()
            .map(|write| match tables.apply(&write.task) {
                Ok(answer) => Ok(Ok(answer)),
                Err(BucketChangeError::Refused(refused)) => Ok(Err(refused)),
                Err(BucketChangeError::Backend(error)) => Err(error),
            })
            .collect::<Result<_, redb::Error>>()?;
        (outcomes, tables.effects())
    };
    transaction.commit()?;
    Ok((outcomes, effects))
}

struct Tables<'a> {
    updates: Table<'a, u64, &'static [u8]>,
    attempted: Table<'a, u64, ()>,
    buckets: FileBuckets<'a>,
    marks: FileMarks<'a>,
    transaction: &'a WriteTransaction,
    /// Opened when it is needed: most transactions do not touch it.
    inbox: Option<FileInbox<'a>>,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            updates: transaction.open_table(UPDATES)?,
            attempted: transaction.open_table(ATTEMPTED)?,
            buckets: FileBuckets::open(transaction)?,
            marks: FileMarks::open(transaction)?,
            transaction,
            inbox: None,
        })
    }

    fn inbox(&mut self) -> Result<&mut FileInbox<'a>, redb::Error> {
        if self.inbox.is_none() {
            self.inbox = Some(FileInbox::open(self.transaction)?);
        }
        match &mut self.inbox {
            Some(inbox) => Ok(inbox),
            None => unreachable!("it was opened just now"),
        }
    }

    /// Returns what the changes mean for the index of the inbox.
    fn effects(self) -> Vec<Effect> {
        self.inbox.map(|inbox| inbox.effects).unwrap_or_default()
    }

    fn apply(&mut self, task: &WriteTask) -> Result<WriteAnswer, BucketChangeError> {
        match task {
            WriteTask::Bucket(write) => {
                Ok(self.buckets.apply(write)?.map_or(WriteAnswer::Made, WriteAnswer::Sum))
            }
            WriteTask::Mark(write) => {
                self.marks.apply(write)?;
                Ok(WriteAnswer::Made)
            }
            WriteTask::Inbox(write) => {
                self.inbox()?;
                // It was opened just now.
                let Self { inbox: Some(inbox), marks, .. } = self else {
                    return Ok(WriteAnswer::Made);
                };
                Ok(WriteAnswer::Inbox(inbox.apply(write, marks)?))
            }
            WriteTask::Update(UpdateId(id), change) => {
                match change {
                    UpdateChange::Put { bytes, .. } => {
                        self.updates.insert(id, bytes.as_slice())?;
                    }
                    UpdateChange::Attempted => {
                        self.attempted.insert(id, ())?;
                    }
                    UpdateChange::NotTaken => {
                        self.attempted.remove(id)?;
                    }
                    UpdateChange::Done => {
                        self.updates.remove(id)?;
                        self.attempted.remove(id)?;
                    }
                }
                Ok(WriteAnswer::Made)
            }
        }
    }
}
