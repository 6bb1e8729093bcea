//! The sidecar file: what an operator says about a plugin, in `name.toml` beside `name.wasm`.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use lark_card::fault::Faults;
use serde::Deserialize;

use crate::callback::fallback::OwnWords;
use crate::capability::http::HttpGrant;
use crate::capability::http::HttpGrantError;
use crate::capability::key_value::KeyValueGrant;
use crate::open_api::grant::Grant;
use crate::plugin::allow::Allow;
use crate::plugin::breaker::BreakerConfig;
use crate::plugin::kept::Reuse;
use crate::plugin::kept::Tenants;
use crate::plugin::limits::Limits;
use crate::plugin::own_words::ToastConfig;
use crate::plugin::promote::PromoteConfig;
use crate::plugin::route::Route;
use crate::plugin::settings::Settings;
use crate::setting::SettingError;

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

/// `[events]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// Older ones are acknowledged and not handled. The platform sends one again for seven hours.
    max_age_secs: Option<NonZeroU32>,
}

impl EventsConfig {
    /// The oldest event that it wants.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age_secs.map(|secs| Duration::from_secs(u64::from(secs.get())))
    }
}

/// `[clicks]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClicksConfig {
    /// The same click again within so many milliseconds gets the first one's answer. Not unless it is said: to some
    /// plugins two clicks are two.
    repeat_window_ms: Option<NonZeroU32>,
}

impl ClicksConfig {
    /// How long a click stays the same.
    pub fn repeat_window(&self) -> Option<Duration> {
        self.repeat_window_ms.map(|ms| Duration::from_millis(u64::from(ms.get())))
    }
}

/// `[previews]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewsConfig {
    /// So long a preview is good for everybody of its tenant. They are not kept unless this is there.
    fresh_secs: Option<NonZeroU32>,
    /// So long it serves while another one is made, counted from when it was made.
    stale_secs: u32,
}

/// How long a plugin's previews are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepPreviews {
    /// As they are.
    pub fresh: Duration,
    /// Until another one is made.
    pub stale: Duration,
}

impl PreviewsConfig {
    /// How long they are kept, if they are.
    pub fn keep(&self) -> Option<KeepPreviews> {
        let fresh = Duration::from_secs(u64::from(self.fresh_secs?.get()));
        Some(KeepPreviews { fresh, stale: Duration::from_secs(u64::from(self.stale_secs)) })
    }
}

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
    Http(#[from] HttpGrantError),
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
        manifest.grants.key_value.as_ref().map_or(Ok(()), KeyValueGrant::validate)?;
        manifest.grants.http.iter().try_for_each(HttpGrant::validate)?;
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

    /// What it wants said when an answer is due and the plugin is still at it.
    pub fn still_working(&self) -> Result<Option<OwnWords>, ManifestError> {
        self.still_working.reply()
    }
}
