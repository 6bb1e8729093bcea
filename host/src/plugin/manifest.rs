//! The sidecar file: what an operator says about a plugin, in `name.toml` beside `name.wasm`.

use lark_card::fault::Faults;
use serde::Deserialize;

use crate::callback::fallback::OwnWords;
use crate::capability::access::Grants;
use crate::capability::access::GrantsError;
use crate::plugin::allow::Allow;
use crate::plugin::breaker::BreakerConfig;
use crate::plugin::config::clicks::ClicksConfig;
use crate::plugin::config::events::EventsConfig;
use crate::plugin::config::previews::PreviewsConfig;
use crate::plugin::config::promote::PromoteConfig;
use crate::plugin::own_words::ToastConfig;
use crate::plugin::policy::Policy;
use crate::plugin::route::Route;
use crate::plugin::settings::Settings;
use crate::runtime::limits::Limits;
use crate::runtime::reuse::Reuse;
use crate::runtime::reuse::Tenants;
use crate::setting::SettingError;
use named_fields;

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
    /// Which events it wants.
    pub events: EventsConfig,
    /// Who may click.
    pub allow: Allow,
    /// What a click is to it.
    pub clicks: ClicksConfig,
    /// How long its link previews are good for.
    pub previews: PreviewsConfig,
    /// What a new version has to show, in place of what is said for all.
    pub promote: Option<PromoteConfig>,
    /// What the plugin may reach.
    pub grants: Grants,
    /// What `wasi:config` gives to the plugin.
    pub settings: Settings,
}

/// `[still_working]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StillWorkingConfig {
    /// What the user is told when an answer is due and the plugin is still at it.
    pub toast: Option<ToastConfig>,
}

impl StillWorkingConfig {
    /// The reply, if there is to be one.
    fn reply(&self) -> Result<Option<OwnWords>, ManifestError> {
        self.toast.as_ref().map(ToastConfig::words).transpose().map_err(ManifestError::StillWorking)
    }
}

/// Why a sidecar file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not TOML, an unknown key, a value of the wrong type.
    #[error("the sidecar file cannot be read: line {line}: {message}")]
    Toml {
        /// Counted from 1.
        line: usize,
        /// What is wrong. The line itself is not repeated, it may hold a secret that does not belong there.
        message: String,
    },
    /// A number out of its range, or a name that means something else.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// An address or a header that makes no sense.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// A toast that the platform would not show.
    #[error("still_working.toast: {0}")]
    StillWorking(Faults),
    /// Likewise.
    #[error("allow.refusal: {0}")]
    Refusal(Faults),
}

impl Manifest {
    /// Reads the text of a sidecar file.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = named_fields::from_toml(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            ManifestError::Toml { line, message: error.message().to_owned() }
        })?;
        manifest.limits.validate()?;
        manifest.reuse.validate()?;
        manifest.breaker.validate()?;
        manifest.promote.as_ref().map_or(Ok(()), PromoteConfig::validate)?;
        manifest.grants.validate()?;
        manifest.still_working()?;
        let of_routes = manifest.routes.iter().filter_map(|route| route.allow.as_ref());
        for allow in of_routes.chain([&manifest.allow]) {
            allow.refusal().map_err(ManifestError::Refusal)?;
        }
        Ok(manifest)
    }

    /// Whose calls an instance may answer.
    pub fn tenants(&self) -> Tenants {
        if self.reuse_between_tenants { Tenants::Together } else { Tenants::Apart }
    }

    /// What the operator wants done with callbacks. `promote` counts where the file says nothing about promotion.
    pub fn policy(self, promote: PromoteConfig) -> Result<Policy, ManifestError> {
        Ok(Policy {
            still_working: self.still_working()?,
            routes: self.routes,
            allow: self.allow,
            events: self.events,
            clicks: self.clicks,
            previews: self.previews,
            promote: self.promote.unwrap_or(promote),
        })
    }

    /// What it wants said when an answer is due and the plugin is still at it.
    pub fn still_working(&self) -> Result<Option<OwnWords>, ManifestError> {
        self.still_working.reply()
    }
}
