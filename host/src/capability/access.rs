//! Which plugin a call belongs to, and everything that the plugin's guests may reach.

use std::sync::Arc;

use crate::callback::seal::SealKey;
use crate::capability::config::ConfigCtx;
use crate::capability::http::Destinations;
use crate::capability::http::HttpWay;
use crate::capability::key_value::Buckets;
use crate::capability::open_api::ApiAccess;
use crate::store::Store;

/// One version of one plugin of one app.
#[derive(Clone, Debug)]
pub struct PluginId {
    /// The app's id.
    pub app: Arc<str>,
    /// The file's name without its ending.
    pub name: Arc<str>,
    /// The first 12 hex digits of the file's SHA-256.
    pub version: Arc<str>,
}

/// What the guests of one plugin may reach. Capabilities know nothing else of a plugin.
pub struct Access {
    /// The plugin.
    pub id: PluginId,
    /// The platform's server API, within the plugin's grants.
    pub open_api: Arc<ApiAccess>,
    /// The buckets that the plugin may open.
    pub buckets: Buckets,
    /// Where buckets are kept.
    pub store: Store,
    /// The servers that the plugin may send requests to.
    pub destinations: Destinations,
    /// How requests to other servers leave this machine.
    pub http: HttpWay,
    /// The settings of the sidecar file, and the secrets that the log must not show.
    pub settings: ConfigCtx,
    /// Seals the values of the plugin's buttons.
    pub seal_key: SealKey,
    /// Bytes that one call may write to the log.
    pub log_bytes: usize,
}
