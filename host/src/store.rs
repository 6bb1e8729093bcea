//! What must outlive the process: the card updates that were promised and not yet shown, and what plugins keep.
//!
//! It is in a file that one host has for itself, or on a Redis or Valkey server that several hosts share. It is no cache.

mod backend;
mod error;
pub mod bucket;
mod file;
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
use crate::store::marks::Begun;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::server::ServerAddress;
use crate::store::server::ServerStore;
use crate::store::update::PendingUpdate;
use crate::store::update::StoredUpdate;
use crate::store::update::UpdateChange;
use crate::store::update::UpdateId;
use crate::tls::ExtraRoots;

pub use crate::store::error::StoreError;
pub use crate::store::server::ADOPTION;

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The file, relative to the configuration file. It is made if it is not there, and no other host may use it.
    path: PathBuf,
    /// A Redis or Valkey server instead of the file: `redis://host:6379/0`, or `rediss://` for TLS.
    url: Option<String>,
    /// That server's password.
    password: Option<SecretSource>,
    /// Whether access tokens are kept too, encrypted, so that a host that starts, and hosts that share the store, ask for
    /// fewer.
    pub keep_tokens: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: PathBuf::from("aviary.redb"), url: None, password: None, keep_tokens: false }
    }
}

/// Where a store is.
#[derive(Clone, Debug)]
pub enum StorePlace {
    /// In this file.
    File(PathBuf),
    /// Nowhere that outlives the process, for a plugin that is only tried.
    Memory,
    /// On this server.
    Server(Box<ServerAddress>),
}

impl StoreConfig {
    /// Paths are relative to `folder`. `extra_roots` vouch for a server as well as those whom the operating system trusts.
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

/// The way to the store.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Arc<dyn Backend>,
    next_id: Arc<AtomicU64>,
    pending: Arc<Mutex<Vec<StoredUpdate>>>,
}

impl Store {
    /// Opens it.
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
        // Above everything that is there, and above what a host that started before has numbered.
        let beyond = pending.last().map_or(0, |update| update.id.0 + 1);
        let next_id = Arc::new(AtomicU64::new(beyond.max(now_ms() << UpdateId::SPARE_BITS)));
        Ok(Self { backend, next_id, pending: Arc::new(Mutex::new(pending)) })
    }

    /// The updates that an earlier process has left in the file, oldest first; none when they were taken before, and none of
    /// a server, where [`adopt`](Self::adopt) has them.
    pub fn take_pending_updates(&self) -> Vec<StoredUpdate> {
        std::mem::take(&mut *self.pending.lock())
    }

    /// What one plugin, or several, have kept under that key.
    pub async fn get(&self, bucket: BucketId, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.backend.get(bucket, key).await
    }

    /// Some of the keys, from the beginning or from where the last page ended. A key that is there all the while is in
    /// one of the pages.
    pub async fn keys(&self, bucket: BucketId, from: u64) -> Result<KeyPage, StoreError> {
        self.backend.keys(bucket, from).await
    }

    /// Gives the key a value. Resolves once the change would survive the end of this process; dropped before, the change
    /// may have been made or not. The same goes for the other changes.
    pub async fn set(
        &self,
        bucket: BucketId,
        key: String,
        value: Vec<u8>,
        quota: Quota,
    ) -> Result<(), WriteError> {
        self.backend.set(bucket, key, value, quota).await
    }

    /// Removes the key, if it is there.
    pub async fn delete(&self, bucket: BucketId, key: String) -> Result<(), StoreError> {
        self.backend.delete(bucket, key).await
    }

    /// Adds to the number that is the key's value, written in decimal digits, and returns the sum. No value counts as zero.
    pub async fn increment(
        &self,
        bucket: BucketId,
        key: String,
        delta: u64,
        quota: Quota,
    ) -> Result<u64, WriteError> {
        self.backend.increment(bucket, key, delta, quota).await
    }

    /// Begins something that shall happen once, unless somebody has begun or done it. On a store of its own a host knows by
    /// itself what it has begun, and is only told what is done. Who does not end it within `lease` has not begun it.
    pub async fn begin(&self, mark: &Mark, lease: Duration) -> Result<Begun, StoreError> {
        self.backend.begin(mark.clone(), lease).await
    }

    /// Says how it ended. Resolves once that would survive the end of this process.
    pub async fn end(&self, mark: &Mark, ended: Ended) -> Result<(), StoreError> {
        self.backend.end(mark.clone(), ended).await
    }

    /// The number of an update that is about to be promised. Later ones are larger.
    pub fn next_id(&self) -> UpdateId {
        UpdateId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Resolves once the update would survive the end of this process. Dropped before, it may have been kept or not.
    pub async fn put(&self, id: UpdateId, update: &PendingUpdate) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(update)
            .map_err(|error| StoreError::Write(error.to_string().into()))?;
        self.backend.update(id, UpdateChange::Put { app: update.app.clone(), bytes }).await
    }

    /// From now on the platform may have it.
    pub async fn attempted(&self, id: UpdateId) -> Result<(), StoreError> {
        self.backend.update(id, UpdateChange::Attempted).await
    }

    /// The platform has said that it does not have it.
    pub async fn not_taken(&self, id: UpdateId) -> Result<(), StoreError> {
        self.backend.update(id, UpdateChange::NotTaken).await
    }

    /// It has come to an end, one way or another.
    pub async fn done(&self, id: UpdateId) -> Result<(), StoreError> {
        self.backend.update(id, UpdateChange::Done).await
    }

    /// Whether other hosts may use it too.
    pub fn is_shared(&self) -> bool {
        self.backend.is_shared()
    }

    /// What other hosts, which are gone, have left of that app's updates, oldest first: it is this one's from now on. To
    /// be asked every [`ADOPTION`], because that also says that this host is not gone.
    pub async fn adopt(&self, app: &str) -> Result<Vec<StoredUpdate>, StoreError> {
        self.backend.adopt(app.to_owned()).await
    }
}

#[cfg(test)]
mod tests;
