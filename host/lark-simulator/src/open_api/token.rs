//! `/open-apis/auth/v3/`: tokens for apps and tenants, and tickets for store apps.
//!
//! Every request takes the documented fields and no others, so that a client which sends a secret too many is noticed.

use std::sync::Arc;

use crate::access_token::APP_TOKEN_INVALID;
use crate::access_token::Holder;
use crate::app::App;
use crate::app_ticket::TICKET_INVALID;
use crate::call;
use crate::config::AppKind;
use crate::open_api::ApiError;
use crate::script::TicketScript;
use crate::state::State;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

/// Paths of requests that need no token.
pub(super) const TOKEN_PATHS: &str = "/open-apis/auth/v3/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    app_id: String,
    app_secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithTicket {
    app_id: String,
    app_secret: String,
    app_ticket: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForTenant {
    app_access_token: String,
    tenant_key: String,
}

/// The field of the answer that holds the token.
#[derive(Clone, Copy)]
enum Field {
    Tenant,
    App,
}

pub(super) fn answer(
    state: &Arc<State>,
    path: &str,
    body: &[u8],
    now: Instant,
) -> Result<Value, ApiError> {
    match path.strip_prefix(TOKEN_PATHS) {
        Some("tenant_access_token/internal") => {
            let app = identified(state, &read(body)?, AppKind::SelfBuilt)?;
            let tenant = Holder::Tenant(app.settings.tenant_key.clone());
            Ok(obtain(&app, &tenant, Field::Tenant, now))
        }
        Some("app_access_token/internal") => {
            let app = identified(state, &read(body)?, AppKind::SelfBuilt)?;
            Ok(obtain(&app, &Holder::App, Field::App, now))
        }
        Some("app_access_token") => {
            let WithTicket { app_id, app_secret, app_ticket } = read(body)?;
            let app = identified(state, &Identity { app_id, app_secret }, AppKind::Store)?;
            if !app.app_tickets.is_good(&app_ticket) {
                return Err(ApiError::new(TICKET_INVALID, "app_ticket invalid"));
            }
            Ok(obtain(&app, &Holder::App, Field::App, now))
        }
        Some("tenant_access_token") => {
            let ForTenant { app_access_token, tenant_key } = read(body)?;
            let of = |app: &&Arc<App>| {
                app.access_tokens.holder(&app_access_token, now) == Some(Holder::App)
            };
            let app = state.apps().find(of);
            let app =
                app.ok_or_else(|| ApiError::new(APP_TOKEN_INVALID, "app_access_token invalid"))?;
            app.tally.count(|counters| counters.token_requests += 1);
            Ok(obtain(app, &Holder::Tenant(tenant_key), Field::Tenant, now))
        }
        Some("app_ticket/resend") => {
            let app = identified(state, &read(body)?, AppKind::Store)?;
            resend(state, &app);
            Ok(json!({ "code": 0, "msg": "success" }))
        }
        Some(_) | None => Err(ApiError::new(10_003, "invalid param")),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    named_fields::from_slice(body).map_err(|_| ApiError::new(10_003, "invalid param"))
}

fn identified(state: &State, identity: &Identity, kind: AppKind) -> Result<Arc<App>, ApiError> {
    let app = state.app(&identity.app_id).map_err(|_| ApiError::new(10_003, "invalid param"))?;
    app.tally.count(|counters| counters.token_requests += 1);
    if identity.app_secret != app.settings.secret.expose() {
        return Err(ApiError::new(10_014, "app secret invalid"));
    }
    if app.settings.kind != kind {
        return Err(ApiError::new(10_003, "not for this type of app"));
    }
    Ok(Arc::clone(app))
}

fn obtain(app: &App, holder: &Holder, field: Field, now: Instant) -> Value {
    let token = app.access_tokens.obtain(holder, now);
    let field = match field {
        Field::Tenant => "tenant_access_token",
        Field::App => "app_access_token",
    };
    json!({ "code": 0, "msg": "ok", field: token.text, "expire": token.remaining(now).as_secs() })
}

/// Pushes a new ticket. The answer to the request does not wait for it.
fn resend(state: &Arc<State>, app: &App) {
    let door = match app.scripts().ticket.clone() {
        TicketScript::Push(door) => door,
        TicketScript::Silent => return,
    };
    let (delivery, state, id) =
        (app.app_tickets.push(), Arc::clone(state), app.settings.id.clone());
    state.tasks.clone().spawn(async move {
        // An app that is not connected does not get the ticket, and asks again.
        let _ = call::send(&state, &id, &door, &delivery).await;
    });
}
