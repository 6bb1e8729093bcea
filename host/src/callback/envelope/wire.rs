//! The bodies of callbacks as they are on the wire.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::callback::model::Action;
use crate::callback::model::Location;
use crate::callback::model::Operator;
use crate::callback::unique_members;

#[derive(Default, Deserialize)]
pub(super) struct WireOperator {
    open_id: Option<String>,
    union_id: Option<String>,
    user_id: Option<String>,
    tenant_key: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct WireContext {
    url: Option<String>,
    preview_token: Option<String>,
    open_message_id: Option<String>,
    open_chat_id: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct WireAction {
    tag: Option<String>,
    name: Option<String>,
    // Routes and seals are checked against these two, and plugins read them with parsers of their own.
    #[serde(default, deserialize_with = "unique_members::raw")]
    value: Option<Box<RawValue>>,
    option: Option<String>,
    options: Option<Vec<String>>,
    checked: Option<bool>,
    input_value: Option<String>,
    #[serde(default, deserialize_with = "unique_members::raw")]
    form_value: Option<Box<RawValue>>,
    timezone: Option<String>,
}

/// The `event` of both callbacks of schema 2.0.
#[derive(Deserialize)]
pub(super) struct WireCallback<'a> {
    pub(super) operator: Option<WireOperator>,
    pub(super) token: Option<String>,
    pub(super) action: Option<WireAction>,
    pub(super) host: Option<String>,
    pub(super) delivery_type: Option<String>,
    pub(super) context: Option<WireContext>,
    // The members of `context` outside of it: the official Node SDK reads the ids here where `context` has none. No page
    // documents them, so that what is not text is no error.
    #[serde(borrow)]
    pub(super) url: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) preview_token: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) open_message_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) open_chat_id: Option<&'a RawValue>,
}

/// The flat body of the old card protocol.
#[derive(Deserialize)]
pub(super) struct WireLegacyCard {
    pub(super) open_id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) union_id: Option<String>,
    pub(super) tenant_key: Option<String>,
    pub(super) app_id: Option<String>,
    pub(super) open_message_id: Option<String>,
    pub(super) open_chat_id: Option<String>,
    pub(super) token: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) action: Option<WireAction>,
}

/// The fields that the `event` object of every schema 1.0 event has.
#[derive(Deserialize)]
pub(super) struct WireEventV1 {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) app_id: Option<String>,
    pub(super) tenant_key: Option<String>,
}

impl WireCallback<'_> {
    /// Takes the place that shows the card or link.
    pub(super) fn take_location(&mut self) -> Location {
        let context = self.context.take().unwrap_or_default();
        let found = |inside: Option<String>, outside: Option<&RawValue>| {
            let inside = inside.filter(|text| !text.is_empty());
            inside.or_else(|| serde_json::from_str(outside?.get()).ok())
        };
        Location {
            host: self.host.take().unwrap_or_default(),
            delivery_type: self.delivery_type.take(),
            url: found(context.url, self.url),
            preview_token: found(context.preview_token, self.preview_token),
            open_message_id: found(context.open_message_id, self.open_message_id),
            open_chat_id: found(context.open_chat_id, self.open_chat_id),
        }
    }
}

impl From<WireOperator> for Operator {
    fn from(wire: WireOperator) -> Self {
        Self {
            open_id: wire.open_id.unwrap_or_default(),
            union_id: wire.union_id,
            user_id: wire.user_id,
            tenant_key: wire.tenant_key,
        }
    }
}

impl From<WireAction> for Action {
    fn from(wire: WireAction) -> Self {
        Self {
            tag: wire.tag.unwrap_or_default(),
            name: wire.name,
            value: wire.value.map(text),
            option: wire.option,
            options: wire.options.unwrap_or_default(),
            checked: wire.checked,
            input_value: wire.input_value,
            form_value: wire.form_value.map(text),
            timezone: wire.timezone,
        }
    }
}

fn text(json: Box<RawValue>) -> String {
    Box::<str>::from(json).into_string()
}
