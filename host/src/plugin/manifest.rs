//! The sidecar file: an operator's settings for a plugin, in `name.toml` beside `name.wasm`.

use lark_card::fault::Faults;
use serde::Deserialize;

use crate::callback::fallback::CustomToast;
use crate::capability::access::Grants;
use crate::capability::access::GrantsError;
use crate::plugin::allow::Allow;
use crate::plugin::breaker::BreakerConfig;
use crate::plugin::config::clicks::ClicksConfig;
use crate::plugin::config::events::EventsConfig;
use crate::plugin::config::previews::PreviewsConfig;
use crate::plugin::config::promote::PromoteConfig;
use crate::plugin::config::work::Acknowledge;
use crate::plugin::config::work::WorkConfig;
use crate::plugin::policy::Policy;
use crate::plugin::route::Route;
use crate::plugin::settings::Settings;
use crate::plugin::toast_config::ToastConfig;
use crate::runtime::limits::Limits;
use crate::runtime::reuse::Reuse;
use crate::runtime::reuse::Tenants;
use crate::setting::SettingError;

/// A parsed sidecar file. Every key is optional, and so is the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// Replaces the routes that the plugin itself declares.
    #[serde(rename = "route")]
    pub routes: Vec<Route>,
    /// Calls that an instance answers before a fresh one takes its place.
    pub reuse: Reuse,
    /// Lets calls of different tenants share an instance, and find each other's data in its memory.
    pub reuse_between_tenants: bool,
    /// Limits of one call.
    pub limits: Limits,
    /// When the plugin is paused for failing.
    pub breaker: BreakerConfig,
    /// Replaces the toast that the plugin itself declares.
    pub still_working: StillWorkingConfig,
    /// Age limit of events.
    pub events: EventsConfig,
    /// When the platform is told that an event needs not be sent again.
    pub acknowledge: Acknowledge,
    /// Work on the events in the inbox.
    pub work: WorkConfig,
    /// Users whose clicks are allowed.
    pub allow: Allow,
    /// Treatment of repeated clicks.
    pub clicks: ClicksConfig,
    /// Caching of link previews.
    pub previews: PreviewsConfig,
    /// Checks on a new version, in place of those for all plugins.
    pub promote: Option<PromoteConfig>,
    /// Services that the plugin may use.
    pub grants: Grants,
    /// Values that the plugin reads through `wasi:config`.
    pub settings: Settings,
}

/// `[still_working]` of a sidecar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StillWorkingConfig {
    /// The toast that a user gets if the plugin is still running when the answer is due.
    pub toast: Option<ToastConfig>,
}

impl StillWorkingConfig {
    /// Returns the toast, if one is set.
    fn reply(&self) -> Result<Option<CustomToast>, ManifestError> {
        self.toast.as_ref().map(ToastConfig::words).transpose().map_err(ManifestError::StillWorking)
    }
}

/// Why a sidecar file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("the sidecar file cannot be read: line {line}: {message}")]
    Toml {
        /// The line's number, counted from 1.
        line: usize,
        /// The parser's message. The line itself is not repeated, because it may hold a misplaced secret.
        message: String,
    },
    /// A number out of range, or a name with another meaning.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// An invalid grant, for example a malformed address or header.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// The platform would not show the toast.
    #[error("still_working.toast: {0}")]
    StillWorking(Faults),
    /// The platform would not show the toast for refused clicks.
    #[error("allow.refusal: {0}")]
    Refusal(Faults),
}

impl Manifest {
    /// Parses the text of a sidecar file.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = named_fields::from_toml(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            ManifestError::Toml { line, message: error.message().to_owned() }
        })?;
        manifest.limits.validate()?;
        manifest.reuse.validate()?;
        manifest.breaker.validate()?;
        manifest.work.validate()?;
        manifest.promote.as_ref().map_or(Ok(()), PromoteConfig::validate)?;
        manifest.grants.validate()?;
        manifest.still_working()?;
        let of_routes = manifest.routes.iter().filter_map(|route| route.allow.as_ref());
        for allow in of_routes.chain([&manifest.allow]) {
            allow.refusal().map_err(ManifestError::Refusal)?;
        }
        Ok(manifest)
    }

    /// Tells whether calls of different tenants may share an instance.
    pub fn tenants(&self) -> Tenants {
        if self.reuse_between_tenants { Tenants::Together } else { Tenants::Apart }
    }

    /// Returns the operator's policy. `promote` applies if the file says nothing about promotion.
    pub fn policy(self, promote: PromoteConfig) -> Result<Policy, ManifestError> {
        Ok(Policy {
            still_working: self.still_working()?,
            routes: self.routes,
            allow: self.allow,
            events: self.events,
            acknowledge: self.acknowledge,
            work: self.work,
            clicks: self.clicks,
            previews: self.previews,
            promote: self.promote.unwrap_or(promote),
        })
    }

    /// Returns the toast for a callback whose plugin is still running when the answer is due.
    pub fn still_working(&self) -> Result<Option<CustomToast>, ManifestError> {
        self.still_working.reply()
    }
}
