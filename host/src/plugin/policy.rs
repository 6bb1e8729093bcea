//! The policy of a plugin: its operator's settings, completed by the plugin's own declarations.

use std::time::Duration;

use lark_card::fault::Faults;

use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::fallback::CustomToast;
use crate::plugin::allow::Allow;
use crate::plugin::config::clicks::ClicksConfig;
use crate::plugin::config::events::EventsConfig;
use crate::plugin::config::previews::KeepPreviews;
use crate::plugin::config::previews::PreviewsConfig;
use crate::plugin::config::promote::PromoteConfig;
use crate::plugin::config::work::Acknowledge;
use crate::plugin::config::work::WorkConfig;
use crate::plugin::route::Route;
use crate::runtime::call::lift;

/// The callbacks that a plugin takes, from whom, and how they are treated.
pub struct Policy {
    /// The callbacks that the plugin takes. Once it is loaded there is at least one route. An empty route matches every
    /// callback.
    pub routes: Vec<Route>,
    /// The toast that a user gets if the plugin is still running when the answer is due.
    pub still_working: Option<CustomToast>,
    /// Users whose clicks are allowed.
    pub allow: Allow,
    /// Age limit of events.
    pub events: EventsConfig,
    /// When the platform is told that an event needs not be sent again.
    pub acknowledge: Acknowledge,
    /// Work on the events in the inbox.
    pub work: WorkConfig,
    /// Treatment of repeated clicks.
    pub clicks: ClicksConfig,
    /// Caching of link previews.
    pub previews: PreviewsConfig,
    /// Checks on a new version.
    pub promote: PromoteConfig,
}

impl Policy {
    /// Fills in the plugin's own declarations where the operator says nothing. The error is about a toast that the platform
    /// would not show.
    pub fn completed_by(mut self, info: Option<plugin_info::Info>) -> Result<Self, Faults> {
        if let Some(info) = info {
            if self.routes.is_empty() {
                self.routes = info.routes.into_iter().map(Route::from).collect();
            }
            if self.still_working.is_none()
                && let Some(toast) = info.still_working
            {
                self.still_working = Some(CustomToast::new(&lift::toast(toast))?);
            }
        }
        if self.routes.is_empty() {
            self.routes.push(Route::default());
        }
        Ok(self)
    }

    /// Returns the allow lists for clicks that come by that route.
    pub fn allow<'a>(&'a self, route: &'a Route) -> &'a Allow {
        route.allow.as_ref().unwrap_or(&self.allow)
    }

    /// Returns the greatest age of an event that the plugin handles; `None` if there is no limit.
    pub fn oldest_event(&self) -> Option<Duration> {
        self.events.max_age()
    }

    /// Returns the time within which an equal click is a repetition; `None` if every click counts.
    pub fn repeat_window(&self) -> Option<Duration> {
        self.clicks.repeat_window()
    }

    /// Returns how long previews are cached; `None` if they are not.
    pub fn keep_previews(&self) -> Option<KeepPreviews> {
        self.previews.keep()
    }
}
