//! What an operator, and where the operator says nothing the plugin itself, wants done with its callbacks.

use std::time::Duration;

use lark_card::fault::Faults;

use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::fallback::OwnWords;
use crate::plugin::allow::Allow;
use crate::plugin::config::clicks::ClicksConfig;
use crate::plugin::config::events::EventsConfig;
use crate::plugin::config::previews::KeepPreviews;
use crate::plugin::config::previews::PreviewsConfig;
use crate::plugin::config::promote::PromoteConfig;
use crate::plugin::route::Route;
use crate::runtime::call::lift;

/// Which callbacks a plugin takes, from whom, and what happens to them.
pub struct Policy {
    /// Which callbacks it takes. Once the plugin is loaded there is at least one route, which may be empty and then matches
    /// everything.
    pub routes: Vec<Route>,
    /// What users are told when an answer is due and the plugin is still at it.
    pub still_working: Option<OwnWords>,
    /// Who may click.
    pub allow: Allow,
    /// Which events it wants.
    pub events: EventsConfig,
    /// When two clicks are the same click.
    pub clicks: ClicksConfig,
    /// How long its link previews are kept.
    pub previews: PreviewsConfig,
    /// What a new version has to show.
    pub promote: PromoteConfig,
}

impl Policy {
    /// What the plugin says of itself counts where its operator says nothing. The error is about a toast that the platform
    /// would not show.
    pub fn completed_by(mut self, info: Option<plugin_info::Info>) -> Result<Self, Faults> {
        if let Some(info) = info {
            if self.routes.is_empty() {
                self.routes = info.routes.into_iter().map(Route::from).collect();
            }
            if self.still_working.is_none()
                && let Some(toast) = info.still_working
            {
                self.still_working = Some(OwnWords::new(&lift::toast(toast))?);
            }
        }
        if self.routes.is_empty() {
            self.routes.push(Route::default());
        }
        Ok(self)
    }

    /// Who may click what comes by that route.
    pub fn allow<'a>(&'a self, route: &'a Route) -> &'a Allow {
        route.allow.as_ref().unwrap_or(&self.allow)
    }

    /// The oldest event that the plugin wants, if that matters to it.
    pub fn oldest_event(&self) -> Option<Duration> {
        self.events.max_age()
    }

    /// How long the same click is the same click, if it is at all.
    pub fn repeat_window(&self) -> Option<Duration> {
        self.clicks.repeat_window()
    }

    /// How long previews are kept, if they are.
    pub fn keep_previews(&self) -> Option<KeepPreviews> {
        self.previews.keep()
    }
}
