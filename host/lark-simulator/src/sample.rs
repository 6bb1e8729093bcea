//! Payloads of the documented shapes. Every call has fresh identifiers; the app's own fields are filled in when a
//! payload is sent.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::identifier;

/// A user's action on a card. Everything but the value has a usual default.
#[derive(Clone, Debug)]
pub struct CardAction {
    /// The component's own `value`: an object, or text.
    pub value: Value,
    /// The component's tag, for example `button`.
    pub tag: String,
    /// The component's name, if any.
    pub name: Option<String>,
    /// The names and values of a submitted form.
    pub form_value: Option<Value>,
    /// Text that was typed into an input outside a form.
    pub input_value: Option<String>,
    /// Value that was picked from a menu, a single select or a picker.
    pub option: Option<String>,
    /// Values that were picked from a multiple select.
    pub options: Vec<String>,
    /// State of a checker after the click.
    pub checked: Option<bool>,
    /// Id of the user, an `open_id`.
    pub open_id: String,
    /// The message that holds the card.
    pub open_message_id: String,
    /// The chat that holds the message.
    pub open_chat_id: String,
    /// The link whose preview the card is, if it is one.
    pub preview_url: Option<String>,
}

impl Default for CardAction {
    fn default() -> Self {
        Self {
            value: json!({}),
            tag: "button".into(),
            name: None,
            form_value: None,
            input_value: None,
            option: None,
            options: Vec::new(),
            checked: None,
            open_id: "ou_3c14f3a59eaf2825dbe25359f15".into(),
            open_message_id: format!("om_{}", identifier::hex(32)),
            open_chat_id: format!("oc_{}", identifier::hex(32)),
            preview_url: None,
        }
    }
}

/// Returns the payload of `card.action.trigger`.
pub fn card_action(action: CardAction) -> Value {
    let mut context = json!({
        "open_message_id": action.open_message_id,
        "open_chat_id": action.open_chat_id,
    });
    let mut event = json!({
        "operator": operator(&action.open_id),
        "token": identifier::update_token(),
        "host": "im_message",
    });
    if let Some(url) = &action.preview_url {
        event["delivery_type"] = "url_preview".into();
        context["url"] = url.as_str().into();
        context["preview_token"] = identifier::hex(36).into();
    }
    event["context"] = context;
    event["action"] = action_fields(action);
    json!({"schema": "2.0", "header": callback_header("card.action.trigger"), "event": event})
}

/// Returns the payload of `url.preview.get` for a message that was sent.
pub fn link_preview(url: &str) -> Value {
    json!({
        "schema": "2.0",
        "header": callback_header("url.preview.get"),
        "event": {
            "operator": operator(&CardAction::default().open_id),
            "host": "im_message",
            "context": {
                "url": url,
                "preview_token": identifier::hex(36),
                "open_message_id": format!("om_{}", identifier::hex(32)),
                "open_chat_id": format!("oc_{}", identifier::hex(32)),
            },
        },
    })
}

/// Returns the payload of `url.preview.get` for a message that is being typed: there is nothing yet that could be updated.
pub fn link_preview_while_typing(url: &str) -> Value {
    let mut payload = link_preview(url);
    let context =
        json!({"url": url, "preview_token": "", "open_message_id": "", "open_chat_id": ""});
    payload["event"]["context"] = context;
    payload
}

/// Returns the payload of `profile.view.get`.
pub fn profile_view() -> Value {
    json!({
        "schema": "2.0",
        "header": callback_header("profile.view.get"),
        "event": {"operator": operator(&CardAction::default().open_id)},
    })
}

/// Returns the payload of `card.action.trigger_v1`, one flat object.
pub fn legacy_card(value: Value) -> Value {
    let action = CardAction { value, ..CardAction::default() };
    let mut payload = json!({
        "open_id": action.open_id,
        "user_id": "867",
        "open_message_id": action.open_message_id,
        "open_chat_id": action.open_chat_id,
        "token": identifier::update_token(),
    });
    payload["action"] = action_fields(action);
    payload
}

/// Returns the payload of an event of schema 2.0.
pub fn event(event_type: &str, body: Value) -> Value {
    let mut payload = json!({
        "schema": "2.0",
        "header": {
            "event_id": identifier::event_id(),
            "create_time": identifier::unix_millis().to_string(),
            "event_type": event_type,
        },
    });
    payload["event"] = body;
    payload
}

/// Returns the payload of an event of schema 1.0. The type goes into `body`, which is an object.
pub fn event_v1(event_type: &str, mut body: Value) -> Value {
    if let Some(body) = body.as_object_mut() {
        body.insert("type".into(), event_type.into());
    }
    let millis = identifier::unix_millis();
    let mut payload = json!({
        "ts": format!("{}.{:03}0000", millis / 1000, millis % 1000),
        "uuid": identifier::event_id(),
        "type": "event_callback",
    });
    payload["event"] = body;
    payload
}

/// Builds the header. A callback's creation time is in microseconds, an event's in milliseconds.
fn callback_header(event_type: &str) -> Value {
    json!({
        "event_id": identifier::event_id(),
        "create_time": format!("{}000", identifier::unix_millis()),
        "event_type": event_type,
    })
}

fn operator(open_id: &str) -> Value {
    // A person has one id of each kind, so another `open_id` comes with other ids.
    if open_id == CardAction::default().open_id {
        return json!({"open_id": open_id, "union_id": "on_cad4860e7af114fb4ff6c5d496d", "user_id": "867"});
    }
    let person = open_id.trim_start_matches("ou_");
    json!({"open_id": open_id, "union_id": format!("on_{person}"), "user_id": person})
}

fn action_fields(action: CardAction) -> Value {
    let mut fields = Map::new();
    let mut add = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(key.into(), value);
        }
    };
    add("value", Some(action.value));
    add("tag", Some(action.tag.into()));
    add("timezone", Some("Asia/Shanghai".into()));
    add("name", action.name.map(Value::from));
    add("form_value", action.form_value);
    add("input_value", action.input_value.map(Value::from));
    add("option", action.option.map(Value::from));
    add("options", (!action.options.is_empty()).then(|| action.options.into()));
    add("checked", action.checked.map(Value::from));
    Value::Object(fields)
}
