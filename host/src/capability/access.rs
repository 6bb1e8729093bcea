//! The plugin that a call belongs to, and everything that its guests may reach.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use crate::callback::seal::SealKey;
use crate::capability::http::Destinations;
use crate::capability::http::HttpGrant;
use crate::capability::http::HttpGrantError;
use crate::capability::http::Outbound;
use crate::capability::key_value::Buckets;
use crate::capability::key_value::KeyValueGrant;
use crate::capability::open_api::ApiAccess;
use crate::capability::plugin_settings::PluginSettings;
use crate::open_api::grant::Grant;
use crate::open_api::grant::Granted;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::transport::OpenApi;
use crate::secret::SecretSource;
use crate::setting::SettingError;
use crate::store::Store;
use lark_wire::secret::Secret;

/// One version of one plugin of one app.
#[derive(Clone, Debug)]
pub struct PluginId {
    /// The id of the app.
    pub app: Arc<str>,
    /// The file's name without its ending.
    pub name: Arc<str>,
    /// The first 12 hex digits of the file's SHA-256.
    pub version: Arc<str>,
}

/// Everything that the guests of one plugin may reach. Capabilities know nothing else of a plugin.
pub struct Access {
    /// The identity of the plugin.
    pub id: PluginId,
    /// The parts that need a grant.
    pub privileges: Privileges,
    /// The settings of the sidecar file, and the secrets that the log must not show.
    pub settings: PluginSettings,
    /// Seals the values of the plugin's buttons.
    pub seal_key: SealKey,
    /// Bytes that one call may write to the log.
    pub log_bytes: usize,
}

/// The grants that the operator gave a plugin, ready for use.
pub struct Privileges {
    /// The platform's server API.
    pub open_api: Arc<ApiAccess>,
    /// The buckets that the plugin may open.
    pub buckets: Buckets,
    /// The store that holds the buckets.
    pub store: Store,
    /// The servers that the plugin may send requests to.
    pub destinations: Destinations,
    /// The way in which requests to other servers leave this machine.
    pub outbound: Outbound,
}

/// The services outside the host that grants give access to.
#[derive(Clone, Debug)]
pub struct Outside {
    /// The platform's server API, as one app.
    pub open_api: Arc<OpenApi>,
    /// The servers of others.
    pub http: Outbound,
    /// The store for the data of plugins.
    pub store: Store,
}

/// The section `[grants]` of a sidecar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Requests to the server API, for example `POST /open-apis/im/v1/messages`.
    pub open_api: Vec<Grant>,
    /// Tenants that the plugin may act for besides the one a callback is from; `*` for all. For store apps.
    pub tenants: BTreeSet<String>,
    /// Requests to other servers, for example `https://api.example.com/v1/`.
    pub http: Vec<HttpGrant>,
    /// Keeping data beyond a call.
    pub key_value: Option<KeyValueGrant>,
}

/// A grant that makes no sense, or whose secret cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsError {
    /// A number or a name is wrong.
    #[error(transparent)]
    KeyValue(#[from] SettingError),
    /// An address or a header is wrong.
    #[error(transparent)]
    Http(#[from] HttpGrantError),
}

impl Grants {
    /// Checks everything that can be checked without secrets.
    pub fn validate(&self) -> Result<(), GrantsError> {
        self.key_value.as_ref().map_or(Ok(()), KeyValueGrant::validate)?;
        Ok(self.http.iter().try_for_each(HttpGrant::validate)?)
    }

    /// Turns the grants into privileges. `read_secret` blocks for as long as the file system does.
    pub fn open<E: std::fmt::Display>(
        self,
        id: &PluginId,
        outside: Outside,
        api_rate: RateLimit,
        read_secret: impl Fn(&SecretSource) -> Result<Secret, E>,
    ) -> Result<Privileges, GrantsError> {
        let Self { open_api, tenants, http, key_value } = self;
        let granted = Granted::new(open_api, tenants);
        let buckets = key_value.map(|grant| Buckets::new(&id.app, &id.name, &grant));
        Ok(Privileges {
            open_api: Arc::new(ApiAccess::new(outside.open_api, granted, api_rate)),
            buckets: buckets.unwrap_or_default(),
            store: outside.store,
            destinations: Destinations::open(&http, read_secret)?,
            outbound: outside.http,
        })
    }
}

impl Privileges {
    /// Returns the secrets that the host adds to requests, and that nobody else may see.
    pub fn secrets(&self) -> &[Secret] {
        self.destinations.secrets()
    }
}
