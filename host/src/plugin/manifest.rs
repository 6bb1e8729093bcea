//! The sidecar file: what an operator says about a plugin, in `name.toml` beside `name.wasm`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::callback::fallback::StillWorking;
use crate::callback::fault::Faults;
use crate::callback::reply::Toast;
use crate::callback::reply::ToastKind;
use crate::open_api::grant::Grant;
use crate::plugin::breaker::BreakerConfig;
use crate::plugin::breaker::BreakerConfigError;
use crate::plugin::kept::Reuse;
use crate::plugin::kept::ReuseError;
use crate::plugin::kept::Tenants;
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
    /// Calls that an instance answers before a fresh one takes its place.
    pub reuse: Reuse,
    /// Whether a tenant's call may find what another tenant's left in the guest's memory.
    pub reuse_between_tenants: bool,
    /// What one call may use up.
    pub limits: Limits,
    /// When it is paused for failing.
    pub breaker: BreakerConfig,
    /// Takes the place of what the plugin itself declares.
    pub still_working: StillWorkingConfig,
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

/// `[still_working]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StillWorkingConfig {
    /// What the user is told when an answer is due and the plugin is still at it.
    pub toast: Option<ToastConfig>,
}

/// A toast as an operator writes it: `{ kind = "info", content = "…", i18n = { zh_cn = "…" } }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToastConfig {
    /// `info` unless said otherwise.
    #[serde(default = "info")]
    pub kind: ToastKind,
    /// Its text.
    pub content: String,
    /// Its text in other languages.
    #[serde(default)]
    pub i18n: BTreeMap<String, String>,
}

fn info() -> ToastKind {
    ToastKind::Info
}

impl StillWorkingConfig {
    /// The reply, if there is to be one.
    fn reply(&self) -> Result<Option<StillWorking>, ManifestError> {
        let Some(toast) = &self.toast else { return Ok(None) };
        let toast = Toast {
            kind: toast.kind,
            content: toast.content.clone(),
            i18n: toast.i18n.clone().into_iter().collect(),
        };
        StillWorking::new(&toast).map(Some).map_err(ManifestError::StillWorking)
    }
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
    Reuse(#[from] ReuseError),
    /// Likewise.
    #[error(transparent)]
    Breaker(#[from] BreakerConfigError),
    /// A toast that the platform would not show.
    #[error("still_working.toast: {0}")]
    StillWorking(Faults),
}

impl Manifest {
    /// Reads the text of a sidecar file.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        manifest.limits.validate()?;
        manifest.reuse.validate()?;
        manifest.breaker.validate()?;
        manifest.still_working()?;
        Ok(manifest)
    }

    /// Whose calls an instance may answer.
    pub fn tenants(&self) -> Tenants {
        if self.reuse_between_tenants { Tenants::Together } else { Tenants::Apart }
    }

    /// What it wants said when an answer is due and the plugin is still at it.
    pub fn still_working(&self) -> Result<Option<StillWorking>, ManifestError> {
        self.still_working.reply()
    }
}
