//! Routes: patterns of the callbacks that a plugin takes.

use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;
use serde_json::Value;
use wildmatch::WildMatchPattern;

use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::json_text;
use crate::callback::model::Callback;
use crate::plugin::allow::Allow;

/// A `[[route]]`: every field that is present must match.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// The event type, for example `card.action.trigger`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// The app's id, `cli_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The tenant that the callback is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_key: Option<String>,
    /// The component's tag, for example `button`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_tag: Option<String>,
    /// The name of the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// A text inside `action.value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_at: Option<ValueAt>,
    /// A pattern for the link; `*` stands for any characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_pattern: Option<UrlPattern>,
    /// The chat's id, `oc_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<String>,
    /// The users whose clicks this route takes, in place of the plugin's `allow`.
    #[serde(skip_serializing)]
    pub allow: Option<Allow>,
}

/// Routes are equal if they match the same callbacks, whatever their allow lists.
impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        let claims = |route: &Self| {
            let Self { event_type, app_id, tenant_key, action_tag, action_name, .. } =
                route.clone();
            let Self { value_at, url_pattern, chat_id, .. } = route.clone();
            let header = (event_type, app_id, tenant_key);
            (header, (action_tag, action_name, value_at), (url_pattern, chat_id))
        };
        claims(self) == claims(other)
    }
}

/// A JSON pointer and the text that has to be there.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ValueAt {
    /// For example `/kind`; empty if the `value` itself is text.
    pub pointer: String,
    /// The text to compare with.
    pub equals: String,
}

/// A pattern for links. Question marks are literal, because links contain them.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(from = "String")]
pub struct UrlPattern {
    pattern: WildMatchPattern<'*', '\0'>,
    /// The number of characters besides `*`.
    fixed: usize,
}

impl From<String> for UrlPattern {
    fn from(text: String) -> Self {
        let fixed = text.chars().filter(|character| *character != '*').count();
        Self { pattern: WildMatchPattern::new(&text), fixed }
    }
}

impl Serialize for UrlPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.pattern)
    }
}

/// A text that a route may ask for, and its place in a callback.
pub(super) struct Text {
    /// The text that the route asks for; `None` if any will do.
    pub(super) wanted: fn(&Route) -> Option<&str>,
    /// The text in the callback.
    pub(super) found: fn(&Callback) -> Option<&str>,
}

/// The most selective first: there are many names and chats, and few types.
pub(super) const TEXTS: [Text; 6] = [
    Text {
        wanted: |route| route.action_name.as_deref(),
        found: |callback| callback.action()?.name.as_deref(),
    },
    Text {
        wanted: |route| route.chat_id.as_deref(),
        found: |callback| callback.location()?.open_chat_id.as_deref(),
    },
    Text {
        wanted: |route| route.tenant_key.as_deref(),
        found: |callback| Some(&callback.header.tenant_key),
    },
    Text {
        wanted: |route| route.app_id.as_deref(),
        found: |callback| Some(&callback.header.app_id),
    },
    Text {
        wanted: |route| route.action_tag.as_deref(),
        found: |callback| Some(&callback.action()?.tag),
    },
    Text {
        wanted: |route| route.event_type.as_deref(),
        found: |callback| Some(&callback.header.event_type),
    },
];

/// `action.value`, parsed at most once for a callback however many routes look into it.
#[derive(Debug, Default)]
pub enum ActionValue {
    /// No route has asked for the value yet.
    #[default]
    Unread,
    /// The callback has no value, or one that is not JSON.
    Absent,
    /// The value, parsed as JSON.
    Is(Value),
}

impl ActionValue {
    /// Returns the text at the pointer.
    pub(super) fn at(&mut self, callback: &Callback, pointer: &str) -> Option<&str> {
        if let Self::Unread = self {
            let text = callback.action().and_then(|action| action.value.as_deref());
            let value = text.and_then(|text| json_text::read(text).ok());
            *self = value.map_or(Self::Absent, Self::Is);
        }
        match self {
            Self::Is(value) => value.pointer(pointer)?.as_str(),
            Self::Unread | Self::Absent => None,
        }
    }
}

impl Route {
    /// Tells whether the route matches the callback.
    pub fn matches(&self, callback: &Callback, value: &mut ActionValue) -> bool {
        let has = |text: &Text| match (text.wanted)(self) {
            None => true,
            wanted => (text.found)(callback) == wanted,
        };
        TEXTS.iter().all(has)
            && self.url_pattern.as_ref().is_none_or(|pattern| {
                callback.url().is_some_and(|url| pattern.pattern.matches(url))
            })
            && self
                .value_at
                .as_ref()
                .is_none_or(|at| value.at(callback, &at.pointer) == Some(&at.equals))
    }

    /// Tells whether the route matches every callback.
    pub fn is_unconditional(&self) -> bool {
        self.specificity() == (0, 0)
    }

    /// Measures how narrow the route is: the number of fields that must match, then the fixed characters of the link pattern.
    /// The narrowest route wins.
    pub fn specificity(&self) -> (usize, usize) {
        let texts = TEXTS.iter().filter(|text| (text.wanted)(self).is_some()).count();
        let others = [self.value_at.is_some(), self.url_pattern.is_some()];
        let fields = texts + others.into_iter().filter(|present| *present).count();
        (fields, self.url_pattern.as_ref().map_or(0, |pattern| pattern.fixed))
    }
}

impl From<plugin_info::Route> for Route {
    fn from(route: plugin_info::Route) -> Self {
        Self {
            event_type: route.event_type,
            app_id: route.app_id,
            tenant_key: route.tenant_key,
            action_tag: route.action_tag,
            action_name: route.action_name,
            value_at: route.value_at.map(|(pointer, equals)| ValueAt { pointer, equals }),
            url_pattern: route.url_pattern.map(UrlPattern::from),
            chat_id: route.chat_id,
            allow: None,
        }
    }
}
