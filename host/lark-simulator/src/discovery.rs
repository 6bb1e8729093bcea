//! `POST /callback/ws/endpoint`: checks an app's credentials and hands out the URL of its next connection.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::connections::MAX_CONNECTIONS;
use crate::identifier;
use crate::script::DiscoveryScript;
use crate::script::FRESH_TICKET;
use crate::script::FRESH_URL;
use crate::script::OWN_ADDRESS;
use crate::script::TOO_MANY_CONNECTIONS;
use crate::state::State;
use axum::Json;
use axum::body::Bytes;
use axum::extract;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

/// The id or secret is wrong, or the app may not use long connections.
const BAD_CREDENTIALS: i64 = 1_000_040_345;
/// The system is busy. With an object in `data` one official client takes this code as final, so `data` is left out.
const SYSTEM_BUSY: i64 = 1;
/// Longest scripted silence. No client waits that long, so it only bounds a forgotten task.
pub(super) const HANG_LIMIT: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Credentials {
    #[serde(rename = "AppID", default)]
    app_id: String,
    #[serde(rename = "AppSecret", default)]
    app_secret: String,
}

/// Handles the request, by the app's script.
pub(super) async fn discover(
    extract::State(state): extract::State<Arc<State>>,
    body: Bytes,
) -> Response {
    let Ok(credentials) = named_fields::from_slice::<Credentials>(&body) else {
        let body = json!({"code": 400, "msg": "the request is not JSON"});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    };
    let Ok(app) = state.app(&credentials.app_id) else {
        return refusal(BAD_CREDENTIALS, "app_id or app_secret is wrong");
    };
    app.tally.count(|counters| counters.discoveries += 1);
    let script = app.scripts().discovery.clone();
    match script {
        DiscoveryScript::Normal => {}
        DiscoveryScript::Refuse { code, msg } => return refusal(code, &msg),
        DiscoveryScript::Reply { status, body } => {
            return scripted(status, filled_in(&body, &state, app));
        }
        DiscoveryScript::Hang => {
            tokio::time::sleep(HANG_LIMIT).await;
            return StatusCode::GATEWAY_TIMEOUT.into_response();
        }
    }
    if credentials.app_secret != app.settings.secret.expose() {
        return refusal(BAD_CREDENTIALS, "app_id or app_secret is wrong");
    }
    if app.connections.count() >= MAX_CONNECTIONS {
        return refusal(TOO_MANY_CONNECTIONS, "exceed conn limit");
    }
    let config = app.scripts().client_config;
    let data = json!({"URL": connection_url(&state, app), "ClientConfig": config});
    Json(json!({"code": 0, "msg": "", "data": data})).into_response()
}

/// Builds the URL. `service_id` must not come first: one official client loses the first parameter of the query.
fn connection_url(state: &State, app: &App) -> String {
    format!(
        "{}://{}/ws/v2?fpid=493&aid=552564&device_id={}&access_key={}&service_id={}&ticket={}",
        state.scheme("ws"),
        state.address,
        fastrand::u64(1_000_000_000_000_000_000..10_000_000_000_000_000_000),
        identifier::hex(32),
        app.service_id,
        app.tickets.issue(Instant::now()),
    )
}

fn refusal(code: i64, msg: &str) -> Response {
    let mut body = json!({"code": code, "msg": msg});
    if code != SYSTEM_BUSY {
        // One official client takes an error as final only if `data` is an object.
        body["data"] = Value::Object(serde_json::Map::new());
    }
    Json(body).into_response()
}

fn filled_in(body: &str, state: &State, app: &App) -> String {
    let body = body.replace(OWN_ADDRESS, &state.address.to_string());
    if body.contains(FRESH_URL) {
        return body.replace(FRESH_URL, &connection_url(state, app));
    }
    if body.contains(FRESH_TICKET) {
        return body.replace(FRESH_TICKET, &app.tickets.issue(Instant::now()));
    }
    body
}

fn scripted(status: u16, body: String) -> Response {
    // A number that is not an HTTP status is a mistake in the script, and shows as one.
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}
