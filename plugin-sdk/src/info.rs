//! `Info` and `Route`: a plugin's description of itself, which the host reads when it loads the plugin.

use crate::Info;
use crate::Route;
use crate::Toast;

impl Info {
    /// Describes a plugin that takes every callback no other plugin claims, until [`Info::route`] narrows it.
    ///
    /// `Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))` says what `Cargo.toml` says.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), routes: Vec::new(), still_working: None }
    }

    /// Sets the toast that the user sees when an answer is due and this plugin is still running. Without it the host shows a text
    /// of its own. A card that the plugin then returns late is still shown.
    ///
    /// ```
    /// use aviary_sdk::{Info, Toast};
    ///
    /// let info = Info::new("leave", "1.0.0")
    ///     .still_working(Toast::info("Asking HR…").with("zh_cn", "正在询问人事…"));
    /// assert!(info.still_working.is_some());
    /// ```
    #[must_use]
    pub fn still_working(mut self, toast: Toast) -> Self {
        self.still_working = Some(toast);
        self
    }

    /// Claims callbacks that match this route, in addition to those of earlier routes.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }
}

/// All conditions of one route must hold; [`Route::default`] has none.
///
/// ```
/// use aviary_sdk::{Info, Route};
///
/// let info = Info::new("leave", "1.0.0")
///     .route(Route::default().value_at("/kind", "leave"))
///     .route(Route::default().url_pattern("https://hr.example.com/leave/*"));
/// assert_eq!(info.routes.len(), 2);
/// ```
impl Route {
    /// Requires this type of callback or event, such as `card.action.trigger`.
    #[must_use]
    pub fn event_type(mut self, event_type: impl Into<String>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// Requires this receiving app (`cli_…`), where one host serves several.
    #[must_use]
    pub fn app_id(mut self, app_id: impl Into<String>) -> Self {
        self.app_id = Some(app_id.into());
        self
    }

    /// Requires this tenant of the callback.
    #[must_use]
    pub fn tenant_key(mut self, tenant_key: impl Into<String>) -> Self {
        self.tenant_key = Some(tenant_key.into());
        self
    }

    /// Requires this tag of the touched component: `button`, `select_static`, `date_picker`, …
    #[must_use]
    pub fn action_tag(mut self, tag: impl Into<String>) -> Self {
        self.action_tag = Some(tag.into());
        self
    }

    /// Requires this name of the touched component.
    #[must_use]
    pub fn action_name(mut self, name: impl Into<String>) -> Self {
        self.action_name = Some(name.into());
        self
    }

    /// Requires this text in `action.value` at a JSON pointer: `value_at("/kind", "leave")`.
    #[must_use]
    pub fn value_at(mut self, pointer: impl Into<String>, text: impl Into<String>) -> Self {
        self.value_at = Some((pointer.into(), text.into()));
        self
    }

    /// Requires a previewed link that matches this pattern. `*` stands for any run of characters.
    #[must_use]
    pub fn url_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.url_pattern = Some(pattern.into());
        self
    }

    /// Requires the chat (`oc_…`) that the card or the link is shown in.
    #[must_use]
    pub fn chat_id(mut self, chat_id: impl Into<String>) -> Self {
        self.chat_id = Some(chat_id.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::Info;
    use crate::Route;

    #[test]
    fn conditions_gather_in_one_route() {
        let route = Route::default()
            .event_type("card.action.trigger")
            .app_id("cli_a")
            .tenant_key("t")
            .action_tag("button")
            .action_name("approve")
            .value_at("/kind", "leave")
            .url_pattern("https://example.com/*")
            .chat_id("oc_1");
        let expected = Route {
            event_type: Some("card.action.trigger".to_owned()),
            app_id: Some("cli_a".to_owned()),
            tenant_key: Some("t".to_owned()),
            action_tag: Some("button".to_owned()),
            action_name: Some("approve".to_owned()),
            value_at: Some(("/kind".to_owned(), "leave".to_owned())),
            url_pattern: Some("https://example.com/*".to_owned()),
            chat_id: Some("oc_1".to_owned()),
        };
        assert_eq!(Info::new("a", "1").route(route).routes, [expected]);
    }

    #[test]
    fn a_plugin_without_routes_claims_nothing_in_particular() {
        assert!(Info::new("a", "1").routes.is_empty());
    }
}
