//! What an operator grants a plugin.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::capability::http::HttpGrant;
use crate::capability::key_value::KeyValueGrant;
use crate::open_api::grant::Grant;

/// `[grants]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Requests to the server API, for example `POST /open-apis/im/v1/messages`.
    pub open_api: Vec<Grant>,
    /// Tenants that it may act for besides the one a callback is from; `*` for all. For store apps.
    pub tenants: BTreeSet<String>,
    /// Requests to other servers, for example `https://api.example.com/v1/`.
    pub http: Vec<HttpGrant>,
    /// Keeping things beyond a call.
    pub key_value: Option<KeyValueGrant>,
}
