//! The requests that handlers make most often: sending, answering and changing messages, changing a card, refreshing link
//! previews. Each function names the grant that it needs. They ask the host, so they work in a component only.
//!
//! ```no_run
//! # use aviary_sdk::{CardAction, CardReply, Failure, Toast};
//! use aviary_sdk::message::{Content, Receiver, send};
//!
//! fn on_click(action: CardAction) -> Result<CardReply, Failure> {
//!     send(&Receiver::open_id(action.operator.open_id), &Content::text("Your request was approved"))?;
//!     Ok(Toast::success("Approved").into())
//! }
//! ```

use serde_json::Value;
use serde_json::json;

use crate::Card;
use crate::Failure;
use crate::open_api::ApiError;
use crate::open_api::ApiRequest;
use crate::open_api::ApiResponse;
use crate::open_api::Method;
use crate::open_api::call;

/// Recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    kind: &'static str,
    id: String,
}

impl Receiver {
    /// Addresses a person by an id of this app (`ou_…`).
    pub fn open_id(id: impl Into<String>) -> Self {
        Self { kind: "open_id", id: id.into() }
    }

    /// Addresses a person by an id that all apps of one developer share (`on_…`).
    pub fn union_id(id: impl Into<String>) -> Self {
        Self { kind: "union_id", id: id.into() }
    }

    /// Addresses a person by the tenant's own user id.
    pub fn user_id(id: impl Into<String>) -> Self {
        Self { kind: "user_id", id: id.into() }
    }

    /// Addresses a chat (`oc_…`).
    pub fn chat_id(id: impl Into<String>) -> Self {
        Self { kind: "chat_id", id: id.into() }
    }
}

/// Content of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    kind: &'static str,
    json: String,
}

impl Content {
    /// A plain text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: "text", json: json!({ "text": text.into() }).to_string() }
    }

    /// A card message, from the builder, from JSON or from a template.
    pub fn card(card: impl Into<Card>) -> Self {
        let json = match card.into() {
            Card::Raw(json) => json,
            Card::Template(template) => {
                let mut data = json!({ "template_id": template.id });
                if let Some(version) = template.version_name {
                    data["template_version_name"] = version.into();
                }
                let variables = template.variables.as_deref().map(serde_json::from_str::<Value>);
                if let Some(Ok(variables)) = variables {
                    data["template_variable"] = variables;
                }
                json!({ "type": "template", "data": data }).to_string()
            }
        };
        Self { kind: "interactive", json }
    }
}

/// Reason why the platform did not carry out the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// The request did not reach the platform, or was not granted.
    Api(ApiError),
    /// The platform rejected the request.
    Refused {
        /// The platform's error code.
        code: i64,
        /// The platform's error message.
        message: String,
        /// Log id that the platform's support asks for.
        log_id: Option<String>,
    },
    /// The answer, with this HTTP status, could not be understood.
    Unreadable(u16),
}

impl core::fmt::Display for MessageError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Api(error) => write!(formatter, "open API: {error:?}"),
            Self::Refused { code, message, log_id } => {
                let log_id = log_id.as_deref().unwrap_or("none");
                write!(formatter, "the platform says {code}: {message} (log id {log_id})")
            }
            Self::Unreadable(status) => {
                write!(formatter, "the platform says HTTP {status}, and no code")
            }
        }
    }
}

impl std::error::Error for MessageError {}

impl From<MessageError> for Failure {
    fn from(error: MessageError) -> Self {
        Self::internal(error)
    }
}

impl From<ApiError> for MessageError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// Sends a message and returns its id. Grant: `POST /open-apis/im/v1/messages`.
///
/// # Errors
/// [`MessageError`] if the platform did not carry out the request.
pub fn send(to: &Receiver, content: &Content) -> Result<String, MessageError> {
    message_id(&call(&send_request(to, content))?)
}

/// Answers a message and returns the answer's id. Grant: `POST /open-apis/im/v1/messages/*/reply`.
///
/// # Errors
/// [`MessageError`] if the platform did not carry out the request.
pub fn reply(message: &str, content: &Content) -> Result<String, MessageError> {
    let body = json!({ "msg_type": content.kind, "content": content.json });
    message_id(&call(&ApiRequest::post(
        format!("/open-apis/im/v1/messages/{message}/reply"),
        &body,
    ))?)
}

/// Replaces the card of a message, for up to 14 days after it was sent. The card before and after it must be shared
/// (`update_multi`). Grant: `PATCH /open-apis/im/v1/messages/*`.
///
/// # Errors
/// [`MessageError`] if the platform did not carry out the request.
pub fn patch(message: &str, card: impl Into<Card>) -> Result<(), MessageError> {
    let body = json!({ "content": Content::card(card).json });
    let path = format!("/open-apis/im/v1/messages/{message}");
    done(&call(&ApiRequest::new(Method::Patch, path).body(&body))?).map(drop)
}

/// Tells clients to ask again for these link previews: one to ten preview tokens. With no open ids everybody in the chat
/// asks. Grant: `POST /open-apis/im/v2/url_previews/batch_update`.
///
/// # Errors
/// [`MessageError`] if the platform did not carry out the request.
pub fn refresh_previews(tokens: &[&str], open_ids: &[&str]) -> Result<(), MessageError> {
    let mut body = json!({ "preview_tokens": tokens });
    if !open_ids.is_empty() {
        body["open_ids"] = json!(open_ids);
    }
    done(&call(&ApiRequest::post("/open-apis/im/v2/url_previews/batch_update", &body))?).map(drop)
}

fn send_request(to: &Receiver, content: &Content) -> ApiRequest {
    let body = json!({ "receive_id": to.id, "msg_type": content.kind, "content": content.json });
    ApiRequest::post("/open-apis/im/v1/messages", &body).query("receive_id_type", to.kind)
}

fn done(response: &ApiResponse) -> Result<Value, MessageError> {
    let unreadable = || MessageError::Unreadable(response.status);
    let body = response.body_json().map_err(|_| unreadable())?;
    match body["code"].as_i64().ok_or_else(unreadable)? {
        0 => Ok(body),
        code => Err(MessageError::Refused {
            code,
            message: body["msg"].as_str().unwrap_or_default().to_owned(),
            log_id: response.log_id.clone(),
        }),
    }
}

fn message_id(response: &ApiResponse) -> Result<String, MessageError> {
    let body = done(response)?;
    let id = body.pointer("/data/message_id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or(MessageError::Unreadable(response.status))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::message::Content;
    use crate::message::MessageError;
    use crate::message::Receiver;
    use crate::message::message_id;
    use crate::message::send_request;
    use crate::open_api::ApiResponse;

    #[test]
    fn a_message_is_what_the_platform_takes() {
        let request = send_request(&Receiver::open_id("ou_1"), &Content::text("a \"b\""));
        assert_eq!(request.query, [("receive_id_type".to_owned(), "open_id".to_owned())]);
        let body: serde_json::Value =
            serde_json::from_str(&request.body.unwrap_or_default()).unwrap_or_default();
        let content = r#"{"text":"a \"b\""}"#;
        assert_eq!(body, json!({ "receive_id": "ou_1", "msg_type": "text", "content": content }));
    }

    #[test]
    fn the_platform_s_verdict_is_an_error() {
        let response = |body: &str| ApiResponse {
            status: 400,
            body: body.to_owned(),
            log_id: Some("L1".to_owned()),
        };
        let refused = message_id(&response(r#"{"code":230020,"msg":"too fast"}"#));
        let Err(MessageError::Refused { code: 230_020, message, log_id }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((message.as_str(), log_id.as_deref()), ("too fast", Some("L1")));
        assert_eq!(message_id(&response("<html>")), Err(MessageError::Unreadable(400)));
        let sent = message_id(&response(r#"{"code":0,"data":{"message_id":"om_1"}}"#));
        assert_eq!(sent.as_deref(), Ok("om_1"));
    }
}
