//! The operations that a file and a server have in common.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::future::ready;

use crate::store::bucket::BucketId;
use crate::store::bucket::KeyPage;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::store::error::StoreError;
use crate::store::inbox::InboxBackend;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::marks::MarkState;
use crate::store::update::StoredUpdate;
use crate::store::update::UpdateChange;
use crate::store::update::UpdateId;

/// A place where data is kept. [`Store`](crate::store::Store) documents each method.
pub(super) trait Backend: InboxBackend + Debug + Send + Sync {
    fn get(
        &self,
        bucket: BucketId,
        key: String,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>>;

    fn keys(&self, bucket: BucketId, from: u64) -> BoxFuture<'_, Result<KeyPage, StoreError>>;

    fn set(
        &self,
        bucket: BucketId,
        key: String,
        value: Vec<u8>,
        quota: Quota,
    ) -> BoxFuture<'_, Result<(), WriteError>>;

    fn delete(&self, bucket: BucketId, key: String) -> BoxFuture<'_, Result<(), StoreError>>;

    fn increment(
        &self,
        bucket: BucketId,
        key: String,
        delta: u64,
        quota: Quota,
    ) -> BoxFuture<'_, Result<u64, WriteError>>;

    fn begin(&self, mark: Mark, lease: Duration) -> BoxFuture<'_, Result<MarkState, StoreError>>;

    fn end(&self, mark: Mark, ended: Ended) -> BoxFuture<'_, Result<(), StoreError>>;

    fn update(&self, id: UpdateId, change: UpdateChange) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Returns whether other hosts may use the same place.
    fn is_shared(&self) -> bool {
        false
    }

    fn adopt(&self, _app: String) -> BoxFuture<'_, Result<Vec<StoredUpdate>, StoreError>> {
        ready(Ok(Vec::new())).boxed()
    }
}
