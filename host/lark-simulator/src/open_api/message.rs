//! `POST /open-apis/im/v1/messages`: a message to somebody.

use crate::identifier;
use crate::open_api::ApiError;
use crate::open_api::Call;
use crate::record::SentMessage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use url::form_urlencoded;

const RECEIVE_ID_TYPES: [&str; 5] = ["open_id", "user_id", "union_id", "email", "chat_id"];

#[derive(Deserialize)]
struct MessageRequest {
    receive_id: String,
    msg_type: String,
    content: String,
    uuid: Option<String>,
}

pub(super) fn send(call: &Call<'_>) -> Result<Value, ApiError> {
    let query = call.parts.uri.query().unwrap_or_default();
    let receive_id_type = form_urlencoded::parse(query.as_bytes())
        .find_map(|(key, value)| (key == "receive_id_type").then(|| value.into_owned()))
        .filter(|kind| RECEIVE_ID_TYPES.contains(&kind.as_str()))
        .ok_or_else(|| ApiError::new(99_992_402, "field validation failed: receive_id_type"))?;
    let request: MessageRequest = named_fields::from_slice(call.body)
        .map_err(|error| ApiError::new(230_001, format!("invalid request parameter: {error}")))?;
    if serde_json::from_str::<Value>(&request.content).is_err() {
        return Err(ApiError::new(
            230_001,
            "invalid request parameter: content is not a JSON string",
        ));
    }
    let message = SentMessage {
        app_id: call.app.settings.id.clone(),
        message_id: format!("om_{}", identifier::hex(32)),
        receive_id_type,
        receive_id: request.receive_id,
        msg_type: request.msg_type.clone(),
        content: request.content.clone(),
        uuid: request.uuid,
    };
    let message_id = call.state.records.add_message(message);
    Ok(json!({
        "code": 0,
        "msg": "success",
        "data": {
            "message_id": message_id,
            "msg_type": request.msg_type,
            "create_time": identifier::unix_millis().to_string(),
            "body": {"content": request.content},
        },
    }))
}
