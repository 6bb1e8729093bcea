//! `wasi:keyvalue`: data that a plugin keeps beyond a call, in a bucket of its own and in those it was granted to share.
//!
//! A bucket's handle is its index among those that the plugin may open, so that a handle costs the host nothing.

mod grant;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use wasmtime::component::HasData;
use wasmtime::component::Linker;
use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::atomics;
use crate::bindings::wasi::keyvalue::store;
use crate::bindings::wasi::keyvalue::store::Bucket;
use crate::bindings::wasi::keyvalue::store::Error;
use crate::bindings::wasi::keyvalue::store::KeyResponse;
use crate::capability::context::CallContext;
use crate::capability::interface::Interface;
use crate::capability::interface::RequiredGrant;
use crate::store::Store;
use crate::store::bucket::BucketId;
use crate::store::bucket::MAX_KEY_BYTES;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::tape::AskedBefore;
use crate::tape::UNKNOWN;
use crate::tape::told::Blob;

pub use crate::capability::key_value::grant::Buckets;
pub use crate::capability::key_value::grant::KeyValueGrant;

const STORE: &str = "wasi:keyvalue/store";
const ATOMICS: &str = "wasi:keyvalue/atomics";
const VERSION: &str = "0.2.0-draft";

pub const INTERFACES: &[Interface] = &[
    Interface {
        name: STORE,
        version: VERSION,
        functions: &[
            "open",
            "[method]bucket.get",
            "[method]bucket.set",
            "[method]bucket.delete",
            "[method]bucket.exists",
            "[method]bucket.list-keys",
        ],
    },
    Interface { name: ATOMICS, version: VERSION, functions: &["increment"] },
];

pub const GRANT: RequiredGrant = RequiredGrant {
    interfaces: &[STORE, ATOMICS],
    refused: "keeping data is",
    example: "key_value = {}",
    is_in: |grants| grants.key_value.is_some(),
};

/// Handles that one call may hold at once; it needs one for each bucket. The guest's table of handles is in the host's memory.
const MAX_OPEN: usize = 64;
/// Time before the answer is due at which a store operation ends, so that the plugin can still report the failure.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// The handles that the guest of one call holds.
#[derive(Debug, Default)]
pub struct OpenBuckets {
    open: usize,
}

/// Opens buckets for a guest. Requests to the store run on the context's I/O threads, so that no socket is ever polled on a
/// guest's thread.
pub struct KeyValueView<'a> {
    pub context: &'a CallContext,
    pub state: &'a mut OpenBuckets,
}

impl HasData for KeyValueView<'static> {
    type Data<'a> = KeyValueView<'a>;
}

pub fn link<T: Send>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> KeyValueView<'_>,
) -> wasmtime::Result<()> {
    store::add_to_linker::<T, KeyValueView<'static>>(linker, view)?;
    atomics::add_to_linker::<T, KeyValueView<'static>>(linker, view)
}

impl KeyValueView<'_> {
    /// Makes a store operation through the tape, which gives the recorded result in a replay.
    async fn taped<T: Serialize + DeserializeOwned>(
        &self,
        call: &'static str,
        asked: AskedBefore,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answered = self.context.tape.through(call, asked, asking).await;
        answered.unwrap_or_else(|| Err(Error::Other(UNKNOWN.to_owned())))
    }

    fn buckets(&self) -> Result<&Buckets, Error> {
        self.context.privileges().map(|granted| &granted.buckets).ok_or(Error::AccessDenied)
    }

    fn store(&self) -> Store {
        match self.context.prepared() {
            Some(prepared) => prepared.store().clone(),
            None => self.context.access.privileges.store.clone(),
        }
    }

    fn bucket(&self, handle: &Resource<Bucket>) -> Result<BucketId, Error> {
        self.buckets()?.get(handle.rep()).ok_or(Error::NoSuchStore)
    }

    /// Runs a store operation with a time limit: early enough before the answer is due, and afterwards until the call ends.
    async fn ask<T: Send + 'static>(
        &self,
        asking: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let early = self.context.deadline.soft() - LAST_WORDS;
        let until = if Instant::now() < early { early } else { self.context.deadline.hard() };
        match self.context.io.spawn(tokio::time::timeout_at(until, asking)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_elapsed)) => Err(Error::Other("the store does not answer in time".to_owned())),
            Err(_stopping) => Err(Error::Other("the host is stopping".to_owned())),
        }
    }

    /// Checks a change of one key, and returns what it needs.
    fn change(
        &self,
        handle: &Resource<Bucket>,
        key: String,
    ) -> Result<(Store, BucketId, String, Quota), Error> {
        let bucket = self.bucket(handle)?;
        let quota = self.buckets()?.quota().ok_or(Error::AccessDenied)?;
        Ok((self.store(), bucket, checked(key)?, quota))
    }

    async fn set_value(
        &self,
        handle: &Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        let (size, most) = (value.len(), self.buckets()?.value_bytes());
        if size > most {
            return Err(Error::Other(format!("a value may have {most} bytes, not {size}")));
        }
        let (store, bucket, key, quota) = self.change(handle, key)?;
        self.ask(async move { store.set(bucket, key, value, quota).await.map_err(said) }).await
    }

    async fn delete_key(&self, handle: &Resource<Bucket>, key: String) -> Result<(), Error> {
        let (store, bucket, key, _) = self.change(handle, key)?;
        self.ask(async move { store.delete(bucket, key).await.map_err(|error| broken(&error)) })
            .await
    }

    async fn add(&self, handle: &Resource<Bucket>, key: String, delta: u64) -> Result<u64, Error> {
        let (store, bucket, key, quota) = self.change(handle, key)?;
        self.ask(async move { store.increment(bucket, key, delta, quota).await.map_err(said) })
            .await
    }
}

/// Converts an error for the plugin. The details of a failed store are for the operator's log only.
fn said(error: WriteError) -> Error {
    match error {
        WriteError::Store(error) => broken(&error),
        refused => Error::Other(refused.to_string()),
    }
}

fn broken(error: &crate::store::StoreError) -> Error {
    tracing::error!(%error, "plugin: store request failed");
    crate::telemetry::metrics::record_store_failure();
    Error::Other("the store does not work at the moment".to_owned())
}

fn checked(key: String) -> Result<String, Error> {
    match key.len() {
        1..=MAX_KEY_BYTES => Ok(key),
        size => Err(Error::Other(format!("a key has 1 to {MAX_KEY_BYTES} bytes, not {size}"))),
    }
}

impl KeyValueView<'_> {
    fn number(&self, identifier: &str) -> Result<u32, Error> {
        let number = self.buckets()?.number(identifier);
        if let (None, Some(prepared)) = (number, self.context.prepared()) {
            prepared.lacks(|| format!("the bucket {identifier:?} is not granted: write {} under [grants] in its sidecar file", grant::example(identifier)));
        }
        number.ok_or(Error::AccessDenied)
    }

    async fn read(&self, handle: &Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        let (bucket, key, store) = (self.bucket(handle)?, checked(key)?, self.store());
        self.ask(async move { store.get(bucket, key).await.map_err(|error| broken(&error)) }).await
    }

    async fn page(
        &self,
        handle: &Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Error> {
        let (bucket, store) = (self.bucket(handle)?, self.store());
        let from = cursor.unwrap_or(0);
        let page = self
            .ask(async move { store.keys(bucket, from).await.map_err(|error| broken(&error)) })
            .await?;
        Ok(KeyResponse { keys: page.keys, cursor: page.next })
    }
}

impl store::Host for KeyValueView<'_> {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Error> {
        if self.state.open == MAX_OPEN {
            return Err(Error::Other(format!("a call may hold {MAX_OPEN} buckets at once")));
        }
        let asked = self.context.tape.asked(&identifier);
        let number = self.context.tape.at_once("keyvalue.open", asked, || self.number(&identifier));
        let number = number.unwrap_or_else(|| Err(Error::Other(UNKNOWN.to_owned())))?;
        self.state.open += 1;
        Ok(Resource::new_own(number))
    }
}

impl store::HostBucket for KeyValueView<'_> {
    async fn get(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        let asked = self.context.tape.asked((handle.rep(), &key));
        let reading = async { Ok(self.read(&handle, key).await?.map(Blob::from)) };
        Ok(self.taped("keyvalue.get", asked, reading).await?.map(Vec::from))
    }

    async fn set(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        let asked = match self.context.tape.is_verbatim() {
            true => self.context.tape.asked((handle.rep(), &key, Blob::from(value.clone()))),
            false => AskedBefore::default(),
        };
        self.taped("keyvalue.set", asked, self.set_value(&handle, key, value)).await
    }

    async fn delete(&mut self, handle: Resource<Bucket>, key: String) -> Result<(), Error> {
        let asked = self.context.tape.asked((handle.rep(), &key));
        self.taped("keyvalue.delete", asked, self.delete_key(&handle, key)).await
    }

    async fn exists(&mut self, handle: Resource<Bucket>, key: String) -> Result<bool, Error> {
        let asked = self.context.tape.asked((handle.rep(), &key));
        let looking = async { self.read(&handle, key).await.map(|value| value.is_some()) };
        self.taped("keyvalue.exists", asked, looking).await
    }

    async fn list_keys(
        &mut self,
        handle: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Error> {
        let asked = self.context.tape.asked((handle.rep(), cursor));
        self.taped("keyvalue.list-keys", asked, self.page(&handle, cursor)).await
    }

    fn drop(&mut self, _handle: Resource<Bucket>) -> wasmtime::Result<()> {
        self.state.open = self.state.open.saturating_sub(1);
        Ok(())
    }
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<u64, Error> {
        let asked = self.context.tape.asked((handle.rep(), &key, delta));
        self.taped("keyvalue.increment", asked, self.add(&handle, key, delta)).await
    }
}
