//! `POST /open-apis/interactive/v1/card/update`: the delayed update of the card a callback came from.

use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::card;
use crate::card::CardFault;
use crate::delivery::CardSchema;
use crate::open_api::ApiError;
use crate::open_api::Call;
use crate::record::CardUpdate;
use crate::script::CardUpdateScript;
use crate::update_token::TokenFault;

/// Recorded code of an update that was neither taken nor answered.
const NEVER_SAID: i64 = -1;

impl From<TokenFault> for ApiError {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Unknown => Self::new(300_020, "the token is malformed or unknown"),
            TokenFault::OtherApp => Self::new(200_310, "the card was sent by another app"),
            TokenFault::Expired => Self::new(300_030, "the token has expired"),
            TokenFault::UsedUp => Self::new(300_040, "the token has been used up"),
        }
    }
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, ApiError> {
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let script = call.app.scripts().card_update.clone();
    let outcome = match script {
        CardUpdateScript::Normal | CardUpdateScript::TakeAndHang => check(call, &body),
        CardUpdateScript::Refuse { status, code } => Err(ApiError {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            code,
            msg: "as the script says".to_owned(),
        }),
        CardUpdateScript::Hang => Err(ApiError::new(NEVER_SAID, "nobody reads this")),
    };
    let token = body["token"].as_str().unwrap_or_default();
    call.state.records.add_card_update(CardUpdate {
        app_id: call.app.settings.id.clone(),
        token: token.to_owned(),
        card: body["card"].clone(),
        code: outcome.as_ref().map_or_else(|error| error.code, |()| 0),
        arrived: call.arrived,
        answered: call.state.update_tokens.answer_mark(token),
    });
    outcome.map(|()| json!({"code": 0, "msg": "ok"}))
}

fn check(call: &Call<'_>, body: &Value) -> Result<(), ApiError> {
    if !body.is_object() {
        return Err(ApiError::new(100_030, "the body is not a JSON object"));
    }
    let token = body["token"].as_str().ok_or(TokenFault::Unknown)?;
    let app_id = &call.app.settings.id;
    call.state
        .update_tokens
        .redeem(app_id, token, call.arrived, |on_screen| check_card(&body["card"], on_screen))
}

fn check_card(card: &Value, on_screen: CardSchema) -> Result<(), ApiError> {
    let checked = match card["type"].as_str() {
        Some("template") => card::check_template(&card["data"]),
        _ => card::check_raw(card, on_screen),
    };
    checked.map_err(|fault| match fault {
        CardFault::TooLarge(_) => ApiError::new(100_000, fault.to_string()),
        CardFault::Wrong(_) | CardFault::EmptyName(_) | CardFault::Downgrade => {
            ApiError::new(11_311, fault.to_string())
        }
    })
}
