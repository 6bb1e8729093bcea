//! Judges an answer as a user's client would: decides what is shown, or which error.

mod approval;
mod shape;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::card;
use crate::card::CardFault;
use crate::delivery::CardSchema;
use crate::delivery::Delivery;
use crate::delivery::DeliveryKind;
use crate::delivery::Viewer;
use crate::user_error::Complaint;
use crate::user_error::UserError;

/// Code of success, as an HTTP status and in a reply frame.
const OK: i64 = 200;
/// The fields that make the top level of a legacy answer a card.
const LEGACY_CARD_FIELDS: [&str; 9] = [
    "schema",
    "body",
    "config",
    "header",
    "elements",
    "i18n_elements",
    "card_link",
    "type",
    "data",
];

/// The answer as the user sees it. With an error, nothing else is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// The toast, in the viewer's locale.
    pub toast: Option<ToastShown>,
    /// The card that replaces the one on screen, always as `{"type": "raw" | "template", "data": {…}}`.
    pub card: Option<Value>,
    /// The `inline` part of a link preview, as answered.
    pub preview: Option<Value>,
    /// The title of the preview, in the viewer's locale.
    pub preview_title: Option<String>,
    /// The texts of a form's options, in the viewer's locale.
    pub options: Option<Vec<String>>,
    /// True if the service answered 200 in time. An event that was not acknowledged is delivered again.
    pub acknowledged: bool,
    /// The error the client shows. Never set for an event, which nobody looks at.
    pub error: Option<UserError>,
}

/// A toast on screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToastShown {
    /// Icon of the toast.
    pub kind: ToastKind,
    /// Text of the toast.
    pub text: String,
}

/// Icons of toasts; there are four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ToastKind {
    /// The icon of a toast without a type.
    Info,
    /// A tick, for success.
    Success,
    /// A cross, for an error.
    Error,
    /// An exclamation mark, for a warning.
    Warning,
}

/// The answer of the service, from either door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There was no long connection to send on.
    NotOnline,
    /// There was no TCP connection to the webhook.
    Unreachable,
    /// The webhook's connection broke, or it was not HTTP.
    Broken,
    /// No answer came in time.
    None,
    /// A reply frame whose payload cannot be read.
    Garbled { code: Option<i64>, reason: String },
    /// A status and, except for a bare acknowledgement, a body.
    Given { code: i64, body: Option<Bytes> },
}

/// Returns the verdict on `answer` to `delivery`.
pub(super) fn judge(delivery: &Delivery, answer: &Answer) -> Verdict {
    if let Some(callback) = delivery.for_approval() {
        return approval::judge(callback, &delivery.viewer, answer);
    }
    let acknowledged = matches!(answer, Answer::Given { code: OK, .. });
    if delivery.kind == DeliveryKind::Event {
        return Verdict { acknowledged, ..Verdict::default() };
    }
    let judged = accepted_body(answer).and_then(|body| judge_body(delivery, body));
    match judged {
        Ok(shown) => Verdict { acknowledged, ..shown },
        Err(error) => Verdict { acknowledged, error: Some(error), ..Verdict::default() },
    }
}

/// Returns the body of an answer with status 200.
fn accepted_body(answer: &Answer) -> Result<&Bytes, UserError> {
    match answer {
        Answer::NotOnline => Err(Complaint::NotOnline.because("the app has no connection")),
        Answer::Unreachable => Err(Complaint::Unreachable.because("no TCP connection")),
        Answer::Broken => Err(Complaint::Broken.because("the connection broke")),
        Answer::None => Err(Complaint::NoAnswer.because("no answer within the limit")),
        Answer::Garbled { code: Some(code), .. } if *code != OK => Err(not_ok(*code)),
        Answer::Garbled { reason, .. } => Err(Complaint::WrongFormat.because(reason)),
        Answer::Given { code, .. } if *code != OK => Err(not_ok(*code)),
        Answer::Given { body: None, .. } => Err(Complaint::MissingData.because("no `data`")),
        Answer::Given { body: Some(body), .. } => Ok(body),
    }
}

fn not_ok(code: i64) -> UserError {
    Complaint::NotOk.because(format!("status {code}"))
}

fn judge_body(delivery: &Delivery, body: &Bytes) -> Result<Verdict, UserError> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Complaint::WrongFormat.because(format!("not JSON: {error}")))?;
    let fields = match value {
        Value::Object(fields) => fields,
        // Two official clients answer `null` for a handler that returns nothing, which is common.
        Value::Null => Map::new(),
        _ => return Err(Complaint::WrongFormat.because("not a JSON object")),
    };
    let viewer = &delivery.viewer;
    match delivery.kind {
        DeliveryKind::CardAction => Ok(Verdict {
            toast: shape::toast(&fields, &viewer.locale)?,
            card: wrapped_card(&fields, viewer.on_screen)?,
            ..Verdict::default()
        }),
        DeliveryKind::LinkPreview => {
            let preview = shape::inline(&fields, &viewer.locale)?;
            let (preview, preview_title) = preview.unzip();
            Ok(Verdict {
                preview,
                preview_title: preview_title.flatten(),
                // The card of a preview replaces no other card, so there is no version to match.
                card: wrapped_card(&fields, CardSchema::Unknown)?,
                ..Verdict::default()
            })
        }
        DeliveryKind::LegacyCard => legacy(fields, viewer),
        DeliveryKind::Challenge => challenge(&fields, delivery.challenge_text().as_deref()),
        DeliveryKind::Event | DeliveryKind::Approval(_) | DeliveryKind::Other => {
            Ok(Verdict::default())
        }
    }
}

fn wrapped_card(
    fields: &Map<String, Value>,
    on_screen: CardSchema,
) -> Result<Option<Value>, UserError> {
    let card = fields.get("card").filter(|card| !card.is_null());
    if let Some(card) = card {
        card::check_wrapped(card, on_screen).map_err(|fault| card_error(&fault))?;
    }
    Ok(card.cloned())
}

/// Judges an answer of the old protocol, which has the card itself at the top level, beside the toast.
fn legacy(mut fields: Map<String, Value>, viewer: &Viewer) -> Result<Verdict, UserError> {
    let toast = shape::toast(&fields, &viewer.locale)?;
    fields.retain(|key, _| LEGACY_CARD_FIELDS.contains(&key.as_str()));
    let card = match fields.get("type").and_then(Value::as_str) {
        _ if fields.is_empty() => None,
        Some("template") => {
            let data = fields.remove("data").unwrap_or_default();
            card::check_template(&data).map_err(|fault| card_error(&fault))?;
            Some(serde_json::json!({"type": "template", "data": data}))
        }
        _ => {
            let card = Value::Object(fields);
            card::check_raw(&card, viewer.on_screen).map_err(|fault| card_error(&fault))?;
            Some(serde_json::json!({"type": "raw", "data": card}))
        }
    };
    Ok(Verdict { toast, card, ..Verdict::default() })
}

fn challenge(fields: &Map<String, Value>, sent: Option<&str>) -> Result<Verdict, UserError> {
    let echoed = fields.get("challenge").and_then(Value::as_str);
    if echoed.is_some() && echoed == sent {
        Ok(Verdict::default())
    } else {
        Err(Complaint::WrongFormat.because("`challenge` was not echoed"))
    }
}

fn card_error(fault: &CardFault) -> UserError {
    let complaint = match fault {
        CardFault::Wrong(_) | CardFault::TooLarge(_) => Complaint::WrongCard,
        CardFault::EmptyName(_) => Complaint::EmptyName,
        CardFault::Downgrade => Complaint::Downgrade,
    };
    complaint.because(fault.to_string())
}
