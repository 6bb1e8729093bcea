//! Two endpoints beside the platform's own, for people who drive the simulator by hand. JSON over HTTP.
//!
//! `POST /simulator/send` delivers one callback and answers with what the user saw:
//!
//! | field | meaning |
//! |---|---|
//! | `app_id` | which app; required |
//! | `kind` | `card_action`, `link_preview`, `legacy_card`, `event`, `event_v1`, `profile_view`, `challenge`, `other`; required |
//! | `door` | `long_connection` (default) or `webhook` |
//! | `url` | the webhook, on loopback; required for `webhook` |
//! | `value`, `tag`, `name`, `form_value`, `open_id` | of a `card_action`; `value` of a `legacy_card` too |
//! | `link` | of a `link_preview` |
//! | `event_type`, `body` | of an `event` or `event_v1` |
//! | `payload` | the whole payload, instead of a sample; required for `other` |
//! | `fragments` | how many frames the payload is split into |
//! | `locale` | of the user who looks; `en_us` by default |
//!
//! The answer is `{"sent", "received", "code", "elapsed_ms", "verdict"}`; an unknown app is 404, a request that makes
//! no sense 400, both with `{"error"}`.
//!
//! `GET /simulator/state` answers
//! `{"apps": [{"id", "connected", "counters"}], "card_updates", "messages", "api_calls"}`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::simulator::call;
use crate::simulator::delivery::Delivery;
use crate::simulator::delivery::DeliveryKind;
use crate::simulator::delivery::Door;
use crate::simulator::exchange::Exchange;
use crate::simulator::exchange::SendError;
use crate::simulator::record::CardUpdate;
use crate::simulator::sample::CardAction;
use crate::simulator::state::State;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendRequest {
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
    open_id: Option<String>,
    link: Option<String>,
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

/// Why a request makes no sense.
#[derive(Debug, thiserror::Error)]
enum ControlError {
    #[error("not a send request: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("`{0}` is required here")]
    Missing(&'static str),
    #[error(transparent)]
    Refused(#[from] SendError),
}

/// Handles `POST /simulator/send`.
pub(super) async fn send(
    extract::State(state): extract::State<Arc<State>>,
    body: Bytes,
) -> Response {
    match deliver(&state, &body).await {
        Ok(exchange) => Json(describe(&exchange)).into_response(),
        Err(error) => {
            let status = match error {
                ControlError::Refused(SendError::UnknownApp { .. }) => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            (status, Json(json!({"error": error.to_string()}))).into_response()
        }
    }
}

/// Handles `GET /simulator/state`.
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
    let card_updates: Vec<_> = state.records.card_updates().iter().map(describe_update).collect();
    Json(json!({
        "apps": apps,
        "card_updates": card_updates,
        "messages": state.records.messages(),
        "api_calls": state.records.api_calls(),
    }))
}

async fn deliver(state: &State, body: &[u8]) -> Result<Exchange, ControlError> {
    let request: SendRequest = serde_json::from_slice(body)?;
    let app_id = request.app_id.clone();
    let door = match request.door {
        DoorName::LongConnection => Door::LongConnection,
        DoorName::Webhook => {
            Door::Webhook { url: request.url.clone().ok_or(ControlError::Missing("url"))? }
        }
    };
    let (fragments, locale) = (request.fragments.unwrap_or(1), request.locale.clone());
    let mut delivery = build(request)?.fragments(fragments);
    if let Some(locale) = locale {
        delivery = delivery.locale(&locale);
    }
    Ok(call::send(state, &app_id, &door, &delivery).await?)
}

fn build(request: SendRequest) -> Result<Delivery, ControlError> {
    let value = request.value.unwrap_or_else(|| json!({}));
    let event_type = request.event_type.ok_or(ControlError::Missing("event_type"));
    let body = request.body.unwrap_or_else(|| json!({}));
    if let Some(payload) = request.payload {
        return Ok(Delivery::json(judged_as(request.kind), payload));
    }
    Ok(match request.kind {
        KindName::CardAction => {
            let usual = CardAction::default();
            Delivery::click(CardAction {
                value,
                tag: request.tag.unwrap_or(usual.tag),
                name: request.name,
                form_value: request.form_value,
                open_id: request.open_id.unwrap_or(usual.open_id),
                ..CardAction::default()
            })
        }
        KindName::LinkPreview => {
            Delivery::link_preview(&request.link.ok_or(ControlError::Missing("link"))?)
        }
        KindName::LegacyCard => Delivery::legacy_card(value),
        KindName::Event => Delivery::event(&event_type?, body),
        KindName::EventV1 => Delivery::event_v1(&event_type?, body),
        KindName::ProfileView => Delivery::profile_view(),
        KindName::Challenge => Delivery::challenge(),
        KindName::Other => return Err(ControlError::Missing("payload")),
    })
}

fn judged_as(kind: KindName) -> DeliveryKind {
    match kind {
        KindName::CardAction => DeliveryKind::CardAction,
        KindName::LinkPreview => DeliveryKind::LinkPreview,
        KindName::LegacyCard => DeliveryKind::LegacyCard,
        KindName::Event | KindName::EventV1 => DeliveryKind::Event,
        KindName::Challenge => DeliveryKind::Challenge,
        KindName::ProfileView | KindName::Other => DeliveryKind::Other,
    }
}

fn describe(exchange: &Exchange) -> Value {
    json!({
        "sent": readable(&exchange.sent),
        "received": exchange.received.as_deref().map(readable),
        "code": exchange.code,
        "elapsed_ms": u64::try_from(exchange.elapsed.as_millis()).unwrap_or(u64::MAX),
        "verdict": exchange.verdict,
    })
}

/// JSON as JSON, anything else as text.
fn readable(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
}

fn describe_update(update: &CardUpdate) -> Value {
    json!({
        "app_id": update.app_id,
        "token": update.token,
        "card": update.card,
        "code": update.code,
        "early": update.is_early(),
    })
}
