//! The store on a Redis or Valkey server, for hosts that share their data.
//!
//! Changes that must be atomic run as a script on the server. Acknowledged changes are as safe as that server makes them: with
//! `appendfsync always` as safe as in a file.

mod buckets;
mod inbox;
mod inbox_backend;
mod marks;
mod promises;

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lark_wire::secret::Secret;
use redis::Client;
use redis::ConnectionAddr;
use redis::ConnectionInfo;
use redis::IntoConnectionInfo as _;
use redis::RedisError;
use redis::TlsCertificates;
use redis::aio::ConnectionManager;
use redis::aio::ConnectionManagerConfig;

use crate::setting::Section;
use crate::setting::SettingError;
use crate::store::backend::Backend;
use crate::store::bucket::BucketId;
use crate::store::bucket::KeyPage;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::store::error::StoreError;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::marks::MarkState;
use crate::store::server::buckets::ServerBuckets;
use crate::store::server::inbox::ServerInbox;
use crate::store::server::marks::ServerMarks;
use crate::store::server::promises::Promises;
use crate::store::update::StoredUpdate;
use crate::store::update::UpdateChange;
use crate::store::update::UpdateId;
use crate::tls;
use crate::tls::ExtraRoots;

pub use crate::store::server::promises::ADOPTION;

/// Limit of connecting. The server is expected to be nearby.
const CONNECT: Duration = Duration::from_secs(1);
/// Limit of one command. After a longer wait the callback that needs it is lost anyway.
const RESPONSE: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to reconnect. Callers wait meanwhile, and get an error in time.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Address and credentials of the server, and the roots that may vouch for it.
#[derive(Clone)]
pub struct ServerAddress {
    info: ConnectionInfo,
    extra_roots: ExtraRoots,
}

impl std::fmt::Debug for ServerAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.info.addr())
    }
}

impl ServerAddress {
    /// Parses an address.
    pub fn new(
        url: &str,
        password: Option<Secret>,
        extra_roots: &ExtraRoots,
    ) -> Result<Self, SettingError> {
        // The error does not repeat the address, which may hold a password.
        let wrong = |problem| Section("store").wrong("url", problem);
        let info = url.into_connection_info().map_err(|_| {
            wrong("not an address like redis://host:6379/0 or rediss://host:6379/0")
        })?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(wrong(
                "#insecure is not spoken; have [tls] extra_roots name who vouches for the server",
            ));
        }
        let settings = info.redis_settings().clone();
        if settings.password().is_some() {
            return Err(wrong(
                "a password does not stand in this file; give store.password = { env = \"NAME\" } or { file = \"path\" }",
            ));
        }
        let info = match password {
            Some(password) => info.set_redis_settings(settings.set_password(password.expose())),
            None => info,
        };
        Ok(Self { info, extra_roots: extra_roots.clone() })
    }

    fn client(&self) -> Result<Client, RedisError> {
        match self.info.addr() {
            ConnectionAddr::TcpTls { .. } => {
                let root_cert = Some(tls::trusted_pem(&self.extra_roots).into_bytes());
                let trust = TlsCertificates { client_tls: None, root_cert };
                Client::build_with_tls(self.info.clone(), trust)
            }
            _ => Client::open(self.info.clone()),
        }
    }
}

/// Connection to the server, with the scripts that run there.
pub(super) struct ServerStore {
    connection: ConnectionManager,
    buckets: ServerBuckets,
    marks: ServerMarks,
    promises: Promises,
    inbox: ServerInbox,
}

impl std::fmt::Debug for ServerStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServerStore").finish_non_exhaustive()
    }
}

impl ServerStore {
    /// Connects. A server that is missing at the start is an error; one that goes away later is waited for.
    pub(super) async fn connect(address: &ServerAddress) -> Result<Self, StoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPONSE))
            .set_max_delay(LONGEST_PAUSE);
        let failed = |error: RedisError| {
            StoreError::Server(format!("{address:?}: {error}; is the server running?").into())
        };
        let client = address.client().map_err(failed)?;
        let mut connection =
            ConnectionManager::new_with_config(client, config).await.map_err(failed)?;
        let _: () = redis::cmd("PING").query_async(&mut connection).await.map_err(failed)?;
        let host = format!("{:016x}", fastrand::u64(..));
        Ok(Self {
            connection,
            buckets: ServerBuckets::default(),
            marks: ServerMarks::new(&host),
            inbox: ServerInbox::new(host.clone()),
            promises: Promises::new(host),
        })
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        Self::Server(error.to_string().into())
    }
}

impl From<RedisError> for WriteError {
    fn from(error: RedisError) -> Self {
        Self::Store(error.into())
    }
}

impl Backend for ServerStore {
    fn get(
        &self,
        bucket: BucketId,
        key: String,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        let connection = self.connection.clone();
        async move { buckets::get(connection, &bucket, &key).await }.boxed()
    }

    fn keys(&self, bucket: BucketId, from: u64) -> BoxFuture<'_, Result<KeyPage, StoreError>> {
        let connection = self.connection.clone();
        async move { self.buckets.keys(connection, &bucket, from).await }.boxed()
    }

    fn set(
        &self,
        bucket: BucketId,
        key: String,
        value: Vec<u8>,
        quota: Quota,
    ) -> BoxFuture<'_, Result<(), WriteError>> {
        let connection = self.connection.clone();
        async move { self.buckets.set(connection, &bucket, &key, value, quota).await }.boxed()
    }

    fn delete(&self, bucket: BucketId, key: String) -> BoxFuture<'_, Result<(), StoreError>> {
        let connection = self.connection.clone();
        async move { self.buckets.delete(connection, &bucket, &key).await }.boxed()
    }

    fn increment(
        &self,
        bucket: BucketId,
        key: String,
        delta: u64,
        quota: Quota,
    ) -> BoxFuture<'_, Result<u64, WriteError>> {
        let connection = self.connection.clone();
        async move { self.buckets.increment(connection, &bucket, &key, delta, quota).await }.boxed()
    }

    fn begin(&self, mark: Mark, lease: Duration) -> BoxFuture<'_, Result<MarkState, StoreError>> {
        let connection = self.connection.clone();
        async move { self.marks.begin(connection, &mark, lease).await }.boxed()
    }

    fn end(&self, mark: Mark, ended: Ended) -> BoxFuture<'_, Result<(), StoreError>> {
        let connection = self.connection.clone();
        async move { self.marks.end(connection, &mark, ended).await }.boxed()
    }

    fn update(&self, id: UpdateId, change: UpdateChange) -> BoxFuture<'_, Result<(), StoreError>> {
        let connection = self.connection.clone();
        async move { self.promises.change(connection, id, change).await }.boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn adopt(&self, app: String) -> BoxFuture<'_, Result<Vec<StoredUpdate>, StoreError>> {
        let connection = self.connection.clone();
        async move { self.promises.adopt(connection, &app).await }.boxed()
    }
}
