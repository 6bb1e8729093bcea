//! `wasi:keyvalue`: what a plugin keeps beyond a call, in a bucket of its own and in those it was granted to share.
//!
//! A bucket's handle is its number among those that the plugin may open, so that a handle costs the host nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::time::Instant;
use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::atomics;
use crate::bindings::wasi::keyvalue::store;
use crate::bindings::wasi::keyvalue::store::Bucket;
use crate::bindings::wasi::keyvalue::store::Error;
use crate::bindings::wasi::keyvalue::store::KeyResponse;
use crate::deadline::Deadline;
use crate::store::Store;
use crate::store::bucket::BucketId;
use crate::store::bucket::Change;
use crate::store::bucket::MAX_KEY_BYTES;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::tape::Asked;
use crate::tape::Tape;
use crate::tape::UNKNOWN;
use crate::tape::told::Blob;

/// What a plugin calls its own bucket.
const OWN: &str = "default";
/// Handles that one call may hold at once; it needs one for each bucket. The guest's table of them is the host's memory.
const MAX_OPEN: usize = 64;
/// What is left for the plugin to say that the store does not answer.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// The most that a bucket may be granted: what a host can list, copy and move elsewhere.
const MOST_BYTES: u64 = 1 << 30;
/// Likewise.
const MOST_KEYS: u64 = 1_000_000;
/// The longest value that may be granted; it is copied into the guest's memory as a whole.
const MOST_VALUE_BYTES: usize = 4 << 20;

/// `[grants.key_value]` of a sidecar file: it may keep things, and that much of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyValueGrant {
    /// Keys and values of a bucket together. The default is what a bot knows about some ten thousand people.
    bytes: u64,
    /// Keys of a bucket.
    keys: u64,
    /// The longest value. A card has 30 KiB.
    value_bytes: usize,
    /// Buckets that it has in common with other plugins of the same app.
    shared: BTreeSet<String>,
}

impl Default for KeyValueGrant {
    fn default() -> Self {
        Self { bytes: 10 << 20, keys: 10_000, value_bytes: 64 << 10, shared: BTreeSet::new() }
    }
}

/// A grant that makes no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyValueGrantError {
    /// A number out of range.
    #[error("grants.key_value.{name} must be between 1 and {most}")]
    OutOfRange {
        /// The key.
        name: &'static str,
        /// The largest allowed.
        most: u64,
    },
    /// A name that means something else.
    #[error("grants.key_value.shared: {OWN:?} is the plugin's own bucket, and \"\" is no name")]
    SharedName,
}

impl KeyValueGrant {
    /// Checks the numbers and the names.
    pub fn validate(&self) -> Result<(), KeyValueGrantError> {
        let in_range = |name, value: u64, most: u64| {
            let fits = (1..=most).contains(&value);
            if fits { Ok(()) } else { Err(KeyValueGrantError::OutOfRange { name, most }) }
        };
        in_range("bytes", self.bytes, MOST_BYTES)?;
        in_range("keys", self.keys, MOST_KEYS)?;
        in_range("value_bytes", self.value_bytes as u64, MOST_VALUE_BYTES as u64)?;
        if self.shared.contains(OWN) || self.shared.contains("") {
            return Err(KeyValueGrantError::SharedName);
        }
        Ok(())
    }
}

/// The buckets that one plugin may open, its own first; without a grant there are none.
#[derive(Clone, Debug, Default)]
pub struct Buckets(Arc<Granted>);

#[derive(Debug, Default)]
struct Granted {
    buckets: Vec<(String, BucketId)>,
    quota: Option<Quota>,
    value_bytes: usize,
}

impl Buckets {
    /// What was granted to that plugin of that app.
    pub fn new(app: &str, plugin: &str, grant: &KeyValueGrant) -> Self {
        let own = (OWN.to_owned(), BucketId::own(app, plugin));
        let shared = grant.shared.iter().map(|name| (name.clone(), BucketId::shared(app, name)));
        Self(Arc::new(Granted {
            buckets: std::iter::once(own).chain(shared).collect(),
            quota: Some(Quota { bytes: grant.bytes, keys: grant.keys }),
            value_bytes: grant.value_bytes,
        }))
    }
}

/// One call's way to its buckets.
#[derive(Debug)]
pub struct KeyValueCtx {
    store: Store,
    buckets: Buckets,
    deadline: Deadline,
    io: Handle,
    tape: Tape,
    open: usize,
}

impl KeyValueCtx {
    /// The store is asked on `io`, so that no socket is ever polled on a guest's thread.
    pub fn new(store: Store, buckets: Buckets, deadline: Deadline, io: Handle, tape: Tape) -> Self {
        Self { store, buckets, deadline, io, tape, open: 0 }
    }

    /// As it was answered then, where this is a replay.
    async fn taped<T: Serialize + DeserializeOwned>(
        &self,
        call: &'static str,
        asked: Asked,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answered = self.tape.through(call, asked, asking).await;
        answered.unwrap_or_else(|| Err(Error::Other(UNKNOWN.to_owned())))
    }

    fn bucket(&self, handle: &Resource<Bucket>) -> Result<BucketId, Error> {
        let bucket = self.buckets.0.buckets.get(handle.rep() as usize);
        bucket.map(|(_, id)| id.clone()).ok_or(Error::NoSuchStore)
    }

    /// In the time that is left: while an answer is due, so early that the plugin can still give one.
    async fn ask<T: Send + 'static>(
        &self,
        asking: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let early = self.deadline.soft() - LAST_WORDS;
        let until = if Instant::now() < early { early } else { self.deadline.hard() };
        match self.io.spawn(tokio::time::timeout_at(until, asking)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_elapsed)) => Err(Error::Other("the store does not answer in time".to_owned())),
            Err(_stopping) => Err(Error::Other("the host is stopping".to_owned())),
        }
    }

    async fn write(
        &self,
        handle: &Resource<Bucket>,
        key: String,
        change: Change,
    ) -> Result<u64, Error> {
        let bucket = self.bucket(handle)?;
        let quota = self.buckets.0.quota.ok_or(Error::AccessDenied)?;
        let key = checked(key)?;
        let store = self.store.clone();
        self.ask(async move { store.write(bucket, key, change, quota).await.map_err(said) }).await
    }
}

/// The store's own troubles are the operator's to know; a plugin is told that there are some.
fn said(error: WriteError) -> Error {
    match error {
        WriteError::Store(error) => broken(&error),
        refused => Error::Other(refused.to_string()),
    }
}

fn broken(error: &crate::store::StoreError) -> Error {
    tracing::error!(%error, "a plugin could not use the store");
    crate::telemetry::metrics::record_store_failure();
    Error::Other("the store does not work at the moment".to_owned())
}

fn checked(key: String) -> Result<String, Error> {
    match key.len() {
        1..=MAX_KEY_BYTES => Ok(key),
        size => Err(Error::Other(format!("a key has 1 to {MAX_KEY_BYTES} bytes, not {size}"))),
    }
}

impl KeyValueCtx {
    fn number(&self, identifier: &str) -> Result<u32, Error> {
        let name = if identifier.is_empty() { OWN } else { identifier };
        let number = self.buckets.0.buckets.iter().position(|(granted, _)| granted == name);
        number.and_then(|number| u32::try_from(number).ok()).ok_or(Error::AccessDenied)
    }

    async fn read(&self, handle: &Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        let (bucket, key, store) = (self.bucket(handle)?, checked(key)?, self.store.clone());
        self.ask(async move { store.get(bucket, key).await.map_err(|error| broken(&error)) }).await
    }

    async fn set_value(
        &self,
        handle: &Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        let (size, most) = (value.len(), self.buckets.0.value_bytes);
        if size > most {
            return Err(Error::Other(format!("a value may have {most} bytes, not {size}")));
        }
        self.write(handle, key, Change::Set(value)).await.map(drop)
    }

    async fn page(
        &self,
        handle: &Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Error> {
        let (bucket, store) = (self.bucket(handle)?, self.store.clone());
        let from = cursor.unwrap_or(0);
        let page = self
            .ask(async move { store.keys(bucket, from).await.map_err(|error| broken(&error)) })
            .await?;
        Ok(KeyResponse { keys: page.keys, cursor: page.next })
    }
}

impl store::Host for KeyValueCtx {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Error> {
        if self.open == MAX_OPEN {
            return Err(Error::Other(format!("a call may hold {MAX_OPEN} buckets at once")));
        }
        let asked = self.tape.asked(&identifier);
        let number = self.tape.at_once("keyvalue.open", asked, || self.number(&identifier));
        let number = number.unwrap_or_else(|| Err(Error::Other(UNKNOWN.to_owned())))?;
        self.open += 1;
        Ok(Resource::new_own(number))
    }
}

impl store::HostBucket for KeyValueCtx {
    async fn get(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        let asked = self.tape.asked((handle.rep(), &key));
        let reading = async { Ok(self.read(&handle, key).await?.map(Blob::from)) };
        Ok(self.taped("keyvalue.get", asked, reading).await?.map(Vec::from))
    }

    async fn set(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        let asked = match self.tape.is_verbatim() {
            true => self.tape.asked((handle.rep(), &key, Blob::from(value.clone()))),
            false => Asked::default(),
        };
        self.taped("keyvalue.set", asked, self.set_value(&handle, key, value)).await
    }

    async fn delete(&mut self, handle: Resource<Bucket>, key: String) -> Result<(), Error> {
        let asked = self.tape.asked((handle.rep(), &key));
        let deleting = async { self.write(&handle, key, Change::Delete).await.map(drop) };
        self.taped("keyvalue.delete", asked, deleting).await
    }

    async fn exists(&mut self, handle: Resource<Bucket>, key: String) -> Result<bool, Error> {
        let asked = self.tape.asked((handle.rep(), &key));
        let looking = async { self.read(&handle, key).await.map(|value| value.is_some()) };
        self.taped("keyvalue.exists", asked, looking).await
    }

    async fn list_keys(
        &mut self,
        handle: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Error> {
        let asked = self.tape.asked((handle.rep(), cursor));
        self.taped("keyvalue.list-keys", asked, self.page(&handle, cursor)).await
    }

    fn drop(&mut self, _handle: Resource<Bucket>) -> wasmtime::Result<()> {
        self.open = self.open.saturating_sub(1);
        Ok(())
    }
}

impl atomics::Host for KeyValueCtx {
    async fn increment(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<u64, Error> {
        let asked = self.tape.asked((handle.rep(), &key, delta));
        self.taped("keyvalue.increment", asked, self.write(&handle, key, Change::Add(delta))).await
    }
}
