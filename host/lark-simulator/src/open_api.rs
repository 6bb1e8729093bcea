//! The server API that handlers reach: access tokens, card updates, messages. Any other path is accepted and recorded,
//! so that a test can see what got through.

mod card_update;
mod message;
mod token;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::access_token::Holder;
use crate::app::App;
use crate::discovery::HANG_LIMIT;
use crate::identifier;
use crate::open_api::token::TOKEN_PATHS;
use crate::record::ApiCall;
use crate::script::ApplicationScript;
use crate::script::CardUpdateScript;
use crate::state::State;

/// Largest request, in bytes: a card of 100 KB, in a message, with room to spare.
pub(super) const MAX_REQUEST_BYTES: usize = 1024 * 1024;

const CARD_UPDATE_PATH: &str = "/open-apis/interactive/v1/card/update";
const MESSAGES_PATH: &str = "/open-apis/im/v1/messages";
const APPLICATION_PATH: &str = "/open-apis/application/v6/applications/me";

/// An error answer of the server API.
#[derive(Debug, PartialEq, Eq)]
struct ApiError {
    status: StatusCode,
    code: i64,
    msg: String,
}

impl ApiError {
    /// Creates an error with HTTP 400, as most business errors have it.
    fn new(code: i64, msg: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, msg: msg.into() }
    }
}

/// A request that carried a valid access token.
struct Call<'a> {
    state: &'a State,
    app: &'a App,
    tenant_key: String,
    parts: &'a request::Parts,
    body: &'a [u8],
    arrived: Instant,
}

impl Call<'_> {
    fn is_card_update(&self) -> bool {
        self.parts.method == Method::POST && self.parts.uri.path() == CARD_UPDATE_PATH
    }
}

/// Handles every request to the server API, and records it.
pub(super) async fn call(
    extract::State(state): extract::State<Arc<State>>,
    request: Request<Body>,
) -> Response {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_REQUEST_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let is_token_request =
        parts.uri.path().starts_with(TOKEN_PATHS) && parts.method == Method::POST;
    let mut hangs = false;
    let (whose, answer) = if is_token_request {
        (None, token::answer(&state, parts.uri.path(), &body, arrived))
    } else {
        match bearer(&state, &parts.headers, arrived) {
            Ok((app, tenant_key)) => {
                let call =
                    Call { state: &state, app, tenant_key, parts: &parts, body: &body, arrived };
                hangs = call.is_card_update()
                    && matches!(
                        app.scripts().card_update,
                        CardUpdateScript::Hang | CardUpdateScript::TakeAndHang
                    );
                let answer = route(&call);
                (Some((app.settings.id.clone(), call.tenant_key)), answer)
            }
            Err(error) => (None, Err(error)),
        }
    };
    let (status, answer) = match answer {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => (error.status, json!({"code": error.code, "msg": error.msg})),
    };
    let (app_id, tenant_key) = whose.unzip();
    state.records.add_api_call(ApiCall {
        app_id,
        tenant_key,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        // A token request carries the app secret, which no record may keep.
        body: if is_token_request { None } else { serde_json::from_slice(&body).ok() },
        code: answer["code"].as_i64().unwrap_or_default(),
    });
    if hangs {
        tokio::time::sleep(HANG_LIMIT).await;
    }
    let mut response = (status, Json(answer)).into_response();
    if let Ok(log_id) = HeaderValue::from_str(&identifier::hex(34)) {
        response.headers_mut().insert("X-Tt-Logid", log_id);
    }
    response
}

/// Returns the app whose access token the request carries, and the tenant that the token is for.
fn bearer<'a>(
    state: &'a State,
    headers: &HeaderMap,
    now: Instant,
) -> Result<(&'a App, String), ApiError> {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .ok_or_else(|| ApiError::new(99_991_661, "Missing access token for authorization"))?;
    for app in state.apps() {
        match app.access_tokens.holder(token, now) {
            Some(Holder::Tenant(tenant)) => return Ok((app.as_ref(), tenant)),
            Some(Holder::App) => break,
            None => {}
        }
    }
    let stale = state.apps().find_map(|app| app.access_tokens.stale_code(token));
    Err(ApiError::new(stale.unwrap_or(99_991_663), "Invalid access token for authorization"))
}

fn route(call: &Call<'_>) -> Result<Value, ApiError> {
    match (&call.parts.method, call.parts.uri.path()) {
        _ if call.is_card_update() => card_update::update(call),
        (&Method::POST, MESSAGES_PATH) => message::send(call),
        (&Method::GET, APPLICATION_PATH) => application(call),
        _ => Ok(json!({"code": 0, "msg": "success", "data": {}})),
    }
}

fn application(call: &Call<'_>) -> Result<Value, ApiError> {
    match &call.app.scripts().application {
        ApplicationScript::Tell(app) => {
            Ok(json!({ "code": 0, "msg": "success", "data": { "app": app } }))
        }
        ApplicationScript::Forbid => Err(ApiError::new(
            99_991_672,
            "Access denied. One of the following scopes is required: [application:application:self_manage]",
        )),
    }
}
