//! Answers with every typed field it was given, as JSON in the text a user sees; events are logged.

use aviary_sdk::CardAction;
use aviary_sdk::Event;
use aviary_sdk::Failure;
use aviary_sdk::Header;
use aviary_sdk::Location;
use aviary_sdk::Operator;
use aviary_sdk::PreviewReply;
use aviary_sdk::PreviewRequest;
use aviary_sdk::Toast;
use aviary_sdk::log;
use aviary_sdk::serde_json;
use aviary_sdk::serde_json::Value;
use aviary_sdk::serde_json::json;

aviary_sdk::export!(
    card_action: |action| Ok(Toast::info(click(&action).to_string()).into()),
    legacy_card: |action| Ok(Toast::info(click(&action).to_string()).into()),
    link_preview: preview,
    event: event,
);

fn preview(request: PreviewRequest) -> Result<PreviewReply, Failure> {
    let saw = json!({
        "header": header(&request.header),
        "operator": operator(&request.operator),
        "url": request.url,
        "location": location(&request.location),
    });
    Ok(PreviewReply::titled(saw.to_string()))
}

fn event(event: Event) -> Result<(), Failure> {
    let body: Value = serde_json::from_str(&event.body)?;
    log::info(json!({ "header": header(&event.header), "body": body }));
    Ok(())
}

fn click(card: &CardAction) -> Value {
    let action = &card.action;
    json!({
        "header": header(&card.header),
        "operator": operator(&card.operator),
        "action": {
            "tag": action.tag,
            "name": action.name,
            "value": parsed(action.value.as_deref()),
            "option": action.option,
            "options": action.options,
            "checked": action.checked,
            "input_value": action.input_value,
            "form_value": parsed(action.form_value.as_deref()),
            "timezone": action.timezone,
        },
        "location": location(&card.location),
        "update_token": card.update_token,
    })
}

fn parsed(json: Option<&str>) -> Value {
    json.map_or(Value::Null, |text| {
        serde_json::from_str(text).unwrap_or_else(|error| json!(format!("{error}: {text}")))
    })
}

fn header(header: &Header) -> Value {
    json!({
        "event_id": header.event_id,
        "event_type": header.event_type,
        "app_id": header.app_id,
        "tenant_key": header.tenant_key,
        "created_ms": header.created_ms,
    })
}

fn operator(operator: &Operator) -> Value {
    json!({
        "open_id": operator.open_id,
        "union_id": operator.union_id,
        "user_id": operator.user_id,
        "tenant_key": operator.tenant_key,
    })
}

fn location(location: &Location) -> Value {
    json!({
        "host": location.host,
        "delivery_type": location.delivery_type,
        "url": location.url,
        "preview_token": location.preview_token,
        "open_message_id": location.open_message_id,
        "open_chat_id": location.open_chat_id,
    })
}
