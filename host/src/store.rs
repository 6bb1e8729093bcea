//! Data that outlives the process: card updates that were promised and not yet shown, once-only marks, plugins' buckets, and the
//! inbox.
//!
//! The data is in a file that one host has for itself, or on a Redis or Valkey server that several hosts share. It is not a
//! cache.

mod backend;
mod error;
pub mod bucket;
mod file;
pub mod inbox;
pub mod marks;
mod server;
pub mod update;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aviary_state::Mutex;
use serde::Deserialize;

use crate::clock::now_ms;
use crate::secret::SecretSource;
use crate::setting::Section;
use crate::setting::SettingError;
use crate::store::backend::Backend;
use crate::store::bucket::BucketId;
use crate::store::bucket::KeyPage;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::store::file::FileStore;
use crate::store::inbox::Batch;
use crate::store::inbox::Bounds;
use crate::store::inbox::Changed;
use crate::store::inbox::Claim;
use crate::store::inbox::EntryId;
use crate::store::inbox::Listed;
use crate::store::inbox::NewEntry;
use crate::store::inbox::Put;
use crate::store::inbox::QueueFigures;
use crate::store::inbox::Settle;
use crate::store::inbox::ShownEntry;
use crate::store::inbox::Verdict;
use crate::store::inbox::Want;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::marks::MarkState;
use crate::store::server::ServerAddress;
use crate::store::server::ServerStore;
use crate::store::update::PendingUpdate;
use crate::store::update::StoredUpdate;
use crate::store::update::UpdateChange;
use crate::store::update::UpdateId;
use crate::tls::ExtraRoots;

pub use crate::store::error::StoreError;
pub use crate::store::server::ADOPTION;

/// The section `[store]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The file, relative to the configuration file. It is created if it is missing, and no other host may use it.
    path: PathBuf,
    /// A Redis or Valkey server instead of the file: `redis://host:6379/0`, or `rediss://` for TLS.
    url: Option<String>,
    /// The password of that server.
    password: Option<SecretSource>,
    /// Whether access tokens are stored too, encrypted. A host that starts, and hosts that share the store, then fetch fewer of
    /// them.
    pub keep_tokens: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: PathBuf::from("aviary.redb"), url: None, password: None, keep_tokens: false }
    }
}

/// The place of a store.
#[derive(Clone, Debug)]
pub enum StorePlace {
    /// A redb file at this path.
    File(PathBuf),
    /// Memory that ends with the process, for a plugin that is only tried out.
    Memory,
    /// A Redis or Valkey server.
    Server(Box<ServerAddress>),
}

impl StoreConfig {
    /// Checks the section. Paths are relative to `folder`. A server is trusted if `extra_roots` or the operating system's roots
    /// vouch for it.
    pub fn check(
        &self,
        folder: &Path,
        extra_roots: &ExtraRoots,
    ) -> Result<StorePlace, SettingError> {
        let password = self.password.as_ref().map(|password| password.read(folder)).transpose();
        let password = password.map_err(|error| Section("store").wrong("password", error))?;
        match &self.url {
            Some(url) => {
                let address = ServerAddress::new(url, password, extra_roots)?;
                Ok(StorePlace::Server(Box::new(address)))
            }
            None if password.is_some() => {
                Err(Section("store").wrong("url", "missing, though there is a password for it"))
            }
            None => Ok(StorePlace::File(folder.join(&self.path))),
        }
    }
}

/// Handle of the store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Arc<dyn Backend>,
    next_id: Arc<AtomicU64>,
    pending: Arc<Mutex<Vec<StoredUpdate>>>,
}

impl Store {
    /// Opens the file or connects to the server.
    pub async fn open(place: &StorePlace) -> Result<Self, StoreError> {
        let (backend, pending): (Arc<dyn Backend>, _) = match place {
            StorePlace::File(path) => {
                let (file, pending) = FileStore::open(path)?;
                (Arc::new(file), pending)
            }
            StorePlace::Memory => (Arc::new(FileStore::in_memory()?), Vec::new()),
            StorePlace::Server(address) => {
                (Arc::new(ServerStore::connect(address).await?), Vec::new())
            }
        };
        // Above every stored id, and above the ids of a host that started earlier.
        let beyond = pending.last().map_or(0, |update| update.id.0 + 1);
        let next_id = Arc::new(AtomicU64::new(beyond.max(now_ms() << UpdateId::SPARE_BITS)));
        Ok(Self { backend, next_id, pending: Arc::new(Mutex::new(pending)) })
    }

    /// Returns the updates that an earlier process left in the file, oldest first. Empty on the second call, and always for a
    /// server, whose updates [`adopt`](Self::adopt) returns.
    pub fn take_pending_updates(&self) -> Vec<StoredUpdate> {
        std::mem::take(&mut *self.pending.lock())
    }

    /// Returns the value of a key, or `None` if the key does not exist.
    pub async fn get(&self, bucket: BucketId, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.backend.get(bucket, key).await
    }

    /// Returns one page of the keys, from the beginning or from where the last page ended. A key that exists during the whole
    /// listing is in one of the pages.
    pub async fn keys(&self, bucket: BucketId, from: u64) -> Result<KeyPage, StoreError> {
        self.backend.keys(bucket, from).await
    }

    /// Gives the key a value. Resolves once the change would survive the end of this process. If the future is dropped before,
    /// the change may or may not have been made; the same goes for the other changes.
    pub async fn set(
        &self,
        bucket: BucketId,
        key: String,
        value: Vec<u8>,
        quota: Quota,
    ) -> Result<(), WriteError> {
        self.backend.set(bucket, key, value, quota).await
    }

    /// Removes the key, if it exists.
    pub async fn delete(&self, bucket: BucketId, key: String) -> Result<(), StoreError> {
        self.backend.delete(bucket, key).await
    }

    /// Adds to the number in the key's value, written in decimal digits, and returns the sum. A missing value counts as zero.
    pub async fn increment(
        &self,
        bucket: BucketId,
        key: String,
        delta: u64,
        quota: Quota,
    ) -> Result<u64, WriteError> {
        self.backend.increment(bucket, key, delta, quota).await
    }

    /// Begins something that must happen once, unless it was begun or done already. A host with a store of its own remembers by
    /// itself what it has begun; its store only knows what is done. On a server, a mark that is not ended within `lease` counts
    /// as not begun.
    pub async fn begin(&self, mark: &Mark, lease: Duration) -> Result<MarkState, StoreError> {
        self.backend.begin(mark.clone(), lease).await
    }

    /// Records how it ended. Resolves once that would survive the end of this process.
    pub async fn end(&self, mark: &Mark, ended: Ended) -> Result<(), StoreError> {
        self.backend.end(mark.clone(), ended).await
    }

    /// Returns the id for an update that is about to be promised. Later ids are larger.
    pub fn next_id(&self) -> UpdateId {
        UpdateId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Stores a promised update. Resolves once the update would survive the end of this process; if the future is dropped
    /// before, the update may or may not be stored.
    pub async fn put(&self, id: UpdateId, update: &PendingUpdate) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(update)
            .map_err(|error| StoreError::Write(error.to_string().into()))?;
        self.backend.update(id, UpdateChange::Put { app: update.app.clone(), bytes }).await
    }

    /// Records that the platform may have the update from now on.
    pub async fn attempted(&self, id: UpdateId) -> Result<(), StoreError> {
        self.backend.update(id, UpdateChange::Attempted).await
    }

    /// Records that the platform has refused the update, and so does not have it.
    pub async fn not_taken(&self, id: UpdateId) -> Result<(), StoreError> {
        self.backend.update(id, UpdateChange::NotTaken).await
    }

    /// Removes an update that was shown or given up.
    pub async fn done(&self, id: UpdateId) -> Result<(), StoreError> {
        self.backend.update(id, UpdateChange::Done).await
    }

    /// Returns whether other hosts may use the store too.
    pub fn is_shared(&self) -> bool {
        self.backend.is_shared()
    }

    /// Puts an entry into the inbox, unless it was put there before or there is no room. Resolves once the entry would survive
    /// the end of this process; if the future is dropped before, the entry may or may not be stored.
    pub async fn put_entry(&self, new: NewEntry, bounds: Bounds) -> Result<Put, StoreError> {
        self.backend.put_entry(new, bounds).await
    }

    /// Claims entries of an app that may be worked on now, one of each lane. Each has to be settled, and its claim renewed
    /// every [`RENEWAL`](inbox::RENEWAL) until then.
    pub async fn claim(&self, app: &str, wants: Vec<Want>) -> Result<Batch, StoreError> {
        self.backend.claim(app.to_owned(), wants).await
    }

    /// Renews claims of an app. One that another host has taken over meanwhile stays lost.
    pub async fn renew(&self, app: &str, claims: Vec<Claim>) -> Result<(), StoreError> {
        self.backend.renew(app.to_owned(), claims).await
    }

    /// Ends a claim. The next entry of its lane may be claimed once the end of this one would survive the end of this process.
    pub async fn settle(&self, claim: &Claim, how: Settle) -> Result<(), StoreError> {
        self.backend.settle(claim.clone(), how).await
    }

    /// Counts the entries of an app, for each plugin that has any.
    pub async fn inbox_figures(&self, app: &str) -> Result<Vec<QueueFigures>, StoreError> {
        self.backend.figures(app.to_owned()).await
    }

    /// Lists the first [`LISTED`](inbox::LISTED) entries of an app: those that are set aside, and then those that wait.
    pub async fn inbox_list(&self, app: &str) -> Result<Vec<Listed>, StoreError> {
        self.backend.list(app.to_owned()).await
    }

    /// Returns one entry of an app with its body.
    pub async fn inbox_entry(
        &self,
        app: &str,
        id: EntryId,
    ) -> Result<Option<ShownEntry>, StoreError> {
        self.backend.show(app.to_owned(), id).await
    }

    /// Carries out an operator's decision on an entry of an app.
    pub async fn inbox_change(
        &self,
        app: &str,
        id: EntryId,
        verdict: Verdict,
    ) -> Result<Changed, StoreError> {
        self.backend.change(app.to_owned(), id, verdict).await
    }

    /// Takes over the updates of that app that other hosts, which are gone, have left, and returns them oldest first. Must be
    /// called every [`ADOPTION`], because the call also tells the other hosts that this one is alive.
    pub async fn adopt(&self, app: &str) -> Result<Vec<StoredUpdate>, StoreError> {
        self.backend.adopt(app.to_owned()).await
    }
}

#[cfg(test)]
mod tests;
