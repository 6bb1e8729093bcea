//! Two endpoints beside the platform's own, for people who drive the simulator by hand. JSON over HTTP.
//!
//! `POST /simulator/send` delivers one callback and answers with what the user saw:
//!
//! | field | meaning |
//! |---|---|
//! | `app_id` | which app; required |
//! | `kind` | `card_action`, `link_preview`, `legacy_card`, `event`, `event_v1`, `profile_view`, `external_options`, `quick_approval`, `challenge`, `other`; required |
//! | `door` | `long_connection` (default) or `webhook` |
//! | `url` | the webhook, one of those that this program opened or was started with; required for `webhook` |
//! | `value`, `tag`, `name`, `form_value`, `input_value`, `option`, `options`, `checked` | of a `card_action`; `value` of a `legacy_card` too |
//! | `card_schema` | `1.0` or `2.0`: the version of the card on the screen, which the answer must fit |
//! | `open_id`, `tenant_key` | who, and where |
//! | `link`, `typing` | of a `link_preview`; `typing`: its message has not been sent yet |
//! | `event_type`, `body` | of an `event` or `event_v1`; `body` of `external_options` and `quick_approval` too: members besides the usual ones |
//! | `payload` | the whole payload, instead of a sample; required for `other` |
//! | `fragments` | how many frames the payload is split into |
//! | `locale` | of the user who looks; `en_us` by default |
//!
//! The answer is `{"sent", "received", "code", "elapsed_ms", "verdict", "frames", "host"}`; `host` is what a host in the same
//! process says of it, and null without one. An unknown app is 404, a request that makes no sense 400, both with `{"error"}`.
//!
//! `GET /simulator/state` answers
//! `{"apps": [{"id", "connected", "counters"}], "card_updates", "messages", "api_calls", "webhook", "plugins"}`; the last one is
//! that of a host in the same process.
//!
//! Both are for programs and pages on this machine, see [`local_page`](guarded_http::local_page): JSON is sent as `application/json`.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Response;
use guarded_http::local_page::JsonBody;
use lark_wire::frame::Frame;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::approval::Approval;
use crate::call;
use crate::delivery::CardSchema;
use crate::delivery::Delivery;
use crate::delivery::DeliveryKind;
use crate::delivery::Door;
use crate::exchange::Exchange;
use crate::exchange::SendError;
use crate::record::CardUpdate;
use crate::sample;
use crate::sample::CardAction;
use crate::state::State;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendRequest {
    app_id: String,
    kind: KindName,
    #[serde(default)]
    door: DoorName,
    url: Option<String>,
    payload: Option<Value>,
    value: Option<Value>,
    tag: Option<String>,
    name: Option<String>,
    form_value: Option<Value>,
    input_value: Option<String>,
    option: Option<String>,
    options: Option<Vec<String>>,
    checked: Option<bool>,
    card_schema: Option<SchemaName>,
    open_id: Option<String>,
    tenant_key: Option<String>,
    link: Option<String>,
    #[serde(default)]
    typing: bool,
    event_type: Option<String>,
    body: Option<Value>,
    fragments: Option<usize>,
    locale: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindName {
    CardAction,
    LinkPreview,
    LegacyCard,
    Event,
    EventV1,
    ProfileView,
    ExternalOptions,
    QuickApproval,
    Challenge,
    Other,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DoorName {
    #[default]
    LongConnection,
    Webhook,
}

#[derive(Clone, Copy, Deserialize)]
enum SchemaName {
    #[serde(rename = "1.0")]
    V1,
    #[serde(rename = "2.0")]
    V2,
}

/// Reason why a request makes no sense.
#[derive(Debug, thiserror::Error)]
enum ControlError {
    #[error("`{0}` is required here")]
    Missing(&'static str),
    #[error(transparent)]
    Refused(#[from] SendError),
}

/// Handles `POST /simulator/send`; the module's table has its fields.
pub(super) async fn send(
    extract::State(state): extract::State<Arc<State>>,
    JsonBody(request): JsonBody<SendRequest>,
) -> Response {
    match deliver(&state, request).await {
        Ok(exchange) => Json(describe(&state, &exchange).await).into_response(),
        Err(error) => {
            let status = match error {
                ControlError::Refused(SendError::UnknownApp { .. }) => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            (status, Json(json!({"error": error.to_string()}))).into_response()
        }
    }
}

/// Handles `GET /simulator/state`; the module has the answer's shape.
pub(super) async fn state(extract::State(state): extract::State<Arc<State>>) -> Json<Value> {
    let apps: Vec<_> = state
        .apps()
        .map(|app| {
            json!({
                "id": app.settings.id,
                "connected": app.connections.count(),
                "counters": app.tally.counters(),
            })
        })
        .collect();
    let card_updates: Vec<_> =
        state.records.card_updates().iter().map(CardUpdate::describe).collect();
    let host = state.host_words.surroundings();
    Json(json!({
        "webhook": state.first_webhook(),
        "plugins": host.as_ref().map(|host| &host.plugins),
        "apps": apps,
        "card_updates": card_updates,
        "messages": state.records.messages(),
        "api_calls": state.records.api_calls(),
    }))
}

async fn deliver(state: &State, request: SendRequest) -> Result<Exchange, ControlError> {
    let app_id = request.app_id.clone();
    let door = match request.door {
        DoorName::LongConnection => Door::LongConnection,
        DoorName::Webhook => {
            let url = request.url.as_deref().ok_or(ControlError::Missing("url"))?;
            Door::Webhook { url: state.opened_webhook(url)? }
        }
    };
    let (fragments, locale) = (request.fragments.unwrap_or(1), request.locale.clone());
    let schema = request.card_schema;
    let mut delivery = build(request)?.fragments(fragments);
    if let Some(locale) = locale {
        delivery = delivery.locale(&locale);
    }
    delivery = match schema {
        Some(SchemaName::V1) => delivery.on_screen(CardSchema::V1),
        Some(SchemaName::V2) => delivery.on_screen(CardSchema::V2),
        None => delivery,
    };
    *state.app(&app_id)?.last_by_hand() = Some((door.clone(), delivery.clone()));
    Ok(call::send(state, &app_id, &door, &delivery).await?)
}

fn build(mut request: SendRequest) -> Result<Delivery, ControlError> {
    let kind = judged_as(request.kind);
    if let Some(payload) = request.payload {
        return Ok(Delivery::json(kind, payload));
    }
    let value = request.value.take().unwrap_or_else(|| json!({}));
    let body = request.body.take().unwrap_or_else(|| json!({}));
    let event_type = request.event_type.take().ok_or(ControlError::Missing("event_type"));
    let mut payload = match request.kind {
        KindName::CardAction => sample::card_action(card_action(&mut request, value)),
        KindName::LinkPreview => {
            let link = request.link.take().ok_or(ControlError::Missing("link"))?;
            if request.typing {
                sample::link_preview_while_typing(&link)
            } else {
                sample::link_preview(&link)
            }
        }
        KindName::LegacyCard => sample::legacy_card(value),
        KindName::Event => sample::event(&event_type?, body),
        KindName::EventV1 => sample::event_v1(&event_type?, body),
        KindName::ProfileView => sample::profile_view(),
        KindName::ExternalOptions => {
            return Ok(Delivery::approval(Approval::ExternalOptions, &body));
        }
        KindName::QuickApproval => return Ok(Delivery::approval(Approval::QuickApproval, &body)),
        KindName::Challenge => return Ok(Delivery::challenge()),
        KindName::Other => return Err(ControlError::Missing("payload")),
    };
    for (key, wanted) in [("open_id", request.open_id), ("tenant_key", request.tenant_key)] {
        let Some(wanted) = wanted else { continue };
        for place in ["/header", "/event/operator"] {
            let said = payload.pointer_mut(place).and_then(|part| part.get_mut(key));
            if let Some(said) = said {
                *said = wanted.as_str().into();
            }
        }
    }
    Ok(Delivery::json(kind, payload))
}

fn card_action(request: &mut SendRequest, value: Value) -> CardAction {
    let usual = CardAction::default();
    CardAction {
        value,
        tag: request.tag.take().unwrap_or(usual.tag),
        name: request.name.take(),
        form_value: request.form_value.take(),
        input_value: request.input_value.take(),
        option: request.option.take(),
        options: request.options.take().unwrap_or_default(),
        checked: request.checked,
        ..usual
    }
}

fn judged_as(kind: KindName) -> DeliveryKind {
    match kind {
        KindName::CardAction => DeliveryKind::CardAction,
        KindName::LinkPreview => DeliveryKind::LinkPreview,
        KindName::LegacyCard => DeliveryKind::LegacyCard,
        KindName::Event | KindName::EventV1 => DeliveryKind::Event,
        KindName::ExternalOptions => DeliveryKind::Approval(Approval::ExternalOptions),
        KindName::QuickApproval => DeliveryKind::Approval(Approval::QuickApproval),
        KindName::Challenge => DeliveryKind::Challenge,
        KindName::ProfileView | KindName::Other => DeliveryKind::Other,
    }
}

/// Describes an exchange, with the record of a host in the same process.
pub(super) async fn describe(state: &State, exchange: &Exchange) -> Value {
    let sent = readable(&exchange.sent);
    let event_id = sent.pointer("/header/event_id").and_then(Value::as_str);
    let host = match event_id {
        Some(event_id) => state.host_words.of(event_id).await,
        None => None,
    };
    let frames: Vec<_> = exchange.sent_frames.iter().map(describe_frame).collect();
    json!({
        "host": host,
        "frames": { "sent": frames, "received": exchange.reply_frame.as_ref().map(describe_frame) },
        "sent": sent,
        "received": exchange.received.as_deref().map(readable),
        "code": exchange.code,
        "elapsed_ms": u64::try_from(exchange.elapsed.as_millis()).unwrap_or(u64::MAX),
        "verdict": exchange.verdict,
    })
}

fn describe_frame(frame: &Frame) -> Value {
    let headers: Vec<_> =
        frame.headers.iter().map(|header| json!([header.key, header.value])).collect();
    json!({
        // As text: a browser's numbers end at 2^53.
        "seq_id": frame.seq_id.to_string(),
        "log_id": frame.log_id.to_string(),
        "service": frame.service,
        "method": frame.method,
        "headers": headers,
        "payload": frame.payload.as_deref().map(readable),
    })
}

/// Returns JSON as JSON, and anything else as text.
fn readable(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
}
