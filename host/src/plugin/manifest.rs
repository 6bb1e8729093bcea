//! The sidecar file: what an operator says about a plugin, in `name.toml` beside `name.wasm`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::open_api::grant::Grant;
use crate::plugin::breaker::BreakerConfig;
use crate::plugin::breaker::BreakerConfigError;
use crate::plugin::limits::Limits;
use crate::plugin::limits::LimitsError;
use crate::plugin::route::Route;

/// Everything in it is optional, and so is the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// Takes the place of the routes that the plugin itself declares.
    #[serde(rename = "route")]
    pub routes: Vec<Route>,
    /// What one call may use up.
    pub limits: Limits,
    /// When it is paused for failing.
    pub breaker: BreakerConfig,
    /// What the plugin may reach.
    pub grants: Grants,
    /// What `wasi:config` gives to the plugin.
    pub settings: BTreeMap<String, String>,
}

/// `[grants]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Requests to the server API, for example `POST /open-apis/im/v1/messages`.
    pub open_api: Vec<Grant>,
}

/// Why a sidecar file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not TOML, an unknown key, a value of the wrong type; the text names key and line.
    #[error("the sidecar file cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A number out of range.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// Likewise.
    #[error(transparent)]
    Breaker(#[from] BreakerConfigError),
}

impl Manifest {
    /// Reads the text of a sidecar file.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        manifest.limits.validate()?;
        manifest.breaker.validate()?;
        Ok(manifest)
    }
}
