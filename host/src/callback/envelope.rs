//! From verified bytes to a typed callback: schema 2.0, schema 1.0 events, the flat old card, and the URL check.
//!
//! Every field but the type is optional on the wire, because the platform leaves out what it pleases; a field of the
//! wrong type is an error that names it. Unknown fields are kept in the raw body, unknown types are values.

use std::borrow::Cow;

use lark_wire::signature::same_text;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::callback::approval;
use crate::callback::approval::ApprovalKind;
use crate::callback::approval::ApprovalRequest;
use crate::callback::model::Action;
use crate::callback::model::Body;
use crate::callback::model::CARD_ACTION;
use crate::callback::model::Callback;
use crate::callback::model::CardAction;
use crate::callback::model::Header;
use crate::callback::model::LEGACY_CARD;
use crate::callback::model::LINK_PREVIEW;
use crate::callback::model::Location;
use crate::callback::model::Operator;
use crate::callback::model::PreviewRequest;
use crate::callback::nesting;
use crate::callback::nesting::TOO_DEEP;
use crate::callback::unique_members;
use crate::callback::verify::Proof;
use crate::callback::verify::Verified;
use crate::callback::verify::VerifiedContent;
use crate::callback::verify::WebhookKeys;

/// The content of a verified body.
#[derive(Debug)]
pub enum Inbound {
    /// The console's URL check; the challenge is sent back unchanged.
    Challenge(String),
    /// A callback or an event, which a plugin may answer.
    Callback(Box<Callback>),
}

/// Why a genuine-looking body is not a callback.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not JSON, or a field of the wrong type.
    #[error("the body cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The body holds bytes that are not UTF-8, which JSON always is.
    #[error("the body is not JSON: it holds bytes that are not UTF-8")]
    NotText,
    /// The JSON matches none of the four shapes.
    #[error(
        "the body is neither a schema 2.0 or 1.0 event, nor an old card callback, nor a URL check"
    )]
    UnknownShape,
    /// An old card without a signature; nothing else can prove that one is authentic.
    #[error("an old card callback carries no signature, and nothing else vouches for one")]
    MissingSignature,
    /// The body is signed with the Verification Token, which authenticates old cards only.
    #[error(
        "the body is signed with the Verification Token, which is good for an old card alone: where an `encrypt_key` is configured, everything else is signed with that"
    )]
    WrongKindOfSignature,
    /// The token in the body is not the app's.
    #[error("the verification token in the body is not the configured one")]
    WrongToken,
    /// No Verification Token is configured, and nothing else proves the body authentic.
    #[error(
        "no `verification_token` is configured for this app, and this body is not vouched for by anything else"
    )]
    NoVerificationToken,
    /// The body is nested so deeply that no plugin could read it, and neither could other parts of this host.
    #[error(
        "the body is JSON inside JSON, {TOO_DEEP} levels deep or deeper; no parser of this host goes so far"
    )]
    TooDeep,
    /// A flat old card came over the long connection; the platform sends them to the webhook only.
    #[error("an old card callback came over the long connection, which does not carry them")]
    LegacyOverLongConnection,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    header: Option<WireHeader<'a>>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    challenge: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    uuid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ts: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct WireHeader<'a> {
    event_id: Option<String>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    create_time: Option<Cow<'a, str>>,
    event_type: Option<String>,
    tenant_key: Option<String>,
    app_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireOperator {
    open_id: Option<String>,
    union_id: Option<String>,
    user_id: Option<String>,
    tenant_key: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireContext {
    url: Option<String>,
    preview_token: Option<String>,
    open_message_id: Option<String>,
    open_chat_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireAction {
    tag: Option<String>,
    name: Option<String>,
    // Routes and seals are checked against these two, and plugins read them with parsers of their own.
    #[serde(default, deserialize_with = "unique_members::raw")]
    value: Option<Box<RawValue>>,
    option: Option<String>,
    options: Option<Vec<String>>,
    checked: Option<bool>,
    input_value: Option<String>,
    #[serde(default, deserialize_with = "unique_members::raw")]
    form_value: Option<Box<RawValue>>,
    timezone: Option<String>,
}

/// The `event` of both callbacks of schema 2.0.
#[derive(Deserialize)]
struct WireCallback {
    operator: Option<WireOperator>,
    token: Option<String>,
    action: Option<WireAction>,
    host: Option<String>,
    delivery_type: Option<String>,
    context: Option<WireContext>,
}

/// The flat body of the old card protocol.
#[derive(Deserialize)]
struct WireLegacyCard {
    open_id: Option<String>,
    user_id: Option<String>,
    union_id: Option<String>,
    tenant_key: Option<String>,
    app_id: Option<String>,
    open_message_id: Option<String>,
    open_chat_id: Option<String>,
    token: Option<String>,
    timezone: Option<String>,
    action: Option<WireAction>,
}

/// The fields that the `event` object of every schema 1.0 event has.
#[derive(Deserialize)]
struct WireEventV1 {
    #[serde(rename = "type")]
    kind: Option<String>,
    app_id: Option<String>,
    tenant_key: Option<String>,
}

/// Reads a verified body.
pub fn parse(verified: Verified, keys: &WebhookKeys) -> Result<Inbound, EnvelopeError> {
    let (body, proof) = match verified.content {
        VerifiedContent::UrlCheck(challenge) => return Ok(Inbound::Challenge(challenge)),
        VerifiedContent::Body { body, proof, .. } => (body, proof),
    };
    // The parser does not look into values that it skips, but other parts of the host treat the whole body as text.
    let text = std::str::from_utf8(&body).map_err(|_| EnvelopeError::NotText)?;
    let mut envelope: Envelope<'_> = named_fields::from_str(text)?;
    if let (Some("url_verification"), Some(challenge)) =
        (envelope.kind.as_deref(), &envelope.challenge)
    {
        // The token says that the console asks, and an app without one has nothing to compare.
        check_token(envelope.token.as_deref(), proof, keys, TokenRule::IfConfigured)?;
        return Ok(Inbound::Challenge(challenge.clone().into_owned()));
    }
    let (header, content) = match (envelope.header.take(), envelope.event, envelope.action) {
        (Some(header), event, _) => {
            check_token(header.token.as_deref(), proof, keys, TokenRule::of(proof, keys)?)?;
            let content = schema_2(header.event_type.as_deref(), event)?;
            (header.into_model(), content)
        }
        (None, Some(event), _) => {
            check_token(envelope.token.as_deref(), proof, keys, TokenRule::of(proof, keys)?)?;
            schema_1(&envelope, event)?
        }
        (None, None, Some(_)) => legacy_card(&body, proof)?,
        (None, None, None) => return approval_in_file(text, proof, keys),
    };
    // Checked only now, so that this error is told to authentic senders only. The parser has skipped all nested values so far,
    // which takes no stack.
    if nesting::reaches(&body, TOO_DEEP) {
        return Err(EnvelopeError::TooDeep);
    }
    Ok(Inbound::Callback(Box::new(Callback { header, body: content, raw: body.clone() })))
}

/// Reads a file with a flat body of the approval center. Over HTTP such bodies come to an address of their own.
fn approval_in_file(
    text: &str,
    proof: Proof,
    keys: &WebhookKeys,
) -> Result<Inbound, EnvelopeError> {
    match approval::kind_of(text).filter(|_| proof == Proof::LocalFile) {
        Some(kind) => {
            let body = approval::in_envelope(kind, "", None, text)?.into();
            parse(Verified { content: VerifiedContent::Body { body, proof, signature: None } }, keys)
        }
        None => Err(EnvelopeError::UnknownShape),
    }
}

/// The rule for the token in a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenRule {
    /// The token is the only proof that the body is authentic.
    Required,
    /// A signature proves the body authentic; a wrong token is refused all the same.
    IfConfigured,
}

impl TokenRule {
    /// Returns the rule for a body that is not an old card.
    fn of(proof: Proof, keys: &WebhookKeys) -> Result<Self, EnvelopeError> {
        match proof {
            Proof::Connection | Proof::LocalFile | Proof::OwnToken | Proof::Sha256 => {
                Ok(Self::IfConfigured)
            }
            Proof::Sha1 if keys.has_encrypt_key() => Err(EnvelopeError::WrongKindOfSignature),
            // Without an Encrypt Key the token in the body is all that the platform sends, signed or not.
            Proof::Sha1 | Proof::TokenInBody => Ok(Self::Required),
        }
    }
}

fn check_token(
    found: Option<&str>,
    proof: Proof,
    keys: &WebhookKeys,
    rule: TokenRule,
) -> Result<(), EnvelopeError> {
    if matches!(proof, Proof::Connection | Proof::LocalFile | Proof::OwnToken) {
        return Ok(());
    }
    match (keys.verification_token(), found) {
        (Some(expected), Some(found)) if same_text(expected.expose(), found) => Ok(()),
        (Some(_), Some(_)) => Err(EnvelopeError::WrongToken),
        (Some(_), None) if rule == TokenRule::IfConfigured && proof == Proof::Sha256 => Ok(()),
        (Some(_), None) => Err(EnvelopeError::WrongToken),
        (None, _) if rule == TokenRule::IfConfigured => Ok(()),
        (None, _) => Err(EnvelopeError::NoVerificationToken),
    }
}

impl WireHeader<'_> {
    fn into_model(self) -> Header {
        Header {
            event_id: self.event_id.filter(|id| !id.is_empty()),
            event_type: self.event_type.unwrap_or_default(),
            app_id: self.app_id.unwrap_or_default(),
            tenant_key: self.tenant_key.unwrap_or_default(),
            created_ms: self.create_time.as_deref().map_or(0, created_ms),
        }
    }
}

fn schema_2(event_type: Option<&str>, event: Option<&RawValue>) -> Result<Body, EnvelopeError> {
    let event = event.map_or("{}", RawValue::get);
    match event_type {
        Some(CARD_ACTION) => {
            let wire: WireCallback = named_fields::from_str(event)?;
            Ok(Body::CardAction(CardAction {
                operator: wire.operator.unwrap_or_default().into(),
                action: wire.action.unwrap_or_default().into(),
                location: location(wire.host, wire.delivery_type, wire.context),
                update_token: wire.token.unwrap_or_default(),
            }))
        }
        Some(LINK_PREVIEW) => {
            let wire: WireCallback = named_fields::from_str(event)?;
            let location = location(wire.host, wire.delivery_type, wire.context);
            let url = location.url.clone().unwrap_or_default();
            Ok(Body::LinkPreview(PreviewRequest {
                operator: wire.operator.unwrap_or_default().into(),
                url,
                location,
            }))
        }
        Some(other) => match ApprovalKind::of_type(other) {
            Some(kind) => Ok(Body::Approval(ApprovalRequest::of(kind, event)?)),
            None => Ok(Body::Other(event.to_owned())),
        },
        None => Err(EnvelopeError::UnknownShape),
    }
}

fn schema_1(envelope: &Envelope<'_>, event: &RawValue) -> Result<(Header, Body), EnvelopeError> {
    let common: WireEventV1 = named_fields::from_str(event.get())?;
    let header = Header {
        event_id: envelope.uuid.as_deref().map(str::to_owned),
        event_type: common.kind.ok_or(EnvelopeError::UnknownShape)?,
        app_id: common.app_id.unwrap_or_default(),
        tenant_key: common.tenant_key.unwrap_or_default(),
        created_ms: envelope.ts.as_deref().map_or(0, created_ms),
    };
    Ok((header, Body::Other(event.get().to_owned())))
}

fn legacy_card(body: &[u8], proof: Proof) -> Result<(Header, Body), EnvelopeError> {
    match proof {
        Proof::LocalFile | Proof::Sha1 | Proof::Sha256 => {}
        Proof::Connection => return Err(EnvelopeError::LegacyOverLongConnection),
        Proof::OwnToken => return Err(EnvelopeError::UnknownShape),
        // The flat body's `token` belongs to the card and not to the app: only a signature can authenticate this shape.
        Proof::TokenInBody => return Err(EnvelopeError::MissingSignature),
    }
    let wire: WireLegacyCard = named_fields::from_slice(body)?;
    let mut action: Action = wire.action.unwrap_or_default().into();
    action.timezone = action.timezone.or(wire.timezone);
    let header = Header {
        event_type: LEGACY_CARD.to_owned(),
        app_id: wire.app_id.unwrap_or_default(),
        tenant_key: wire.tenant_key.clone().unwrap_or_default(),
        ..Header::default()
    };
    let card = CardAction {
        operator: Operator {
            open_id: wire.open_id.unwrap_or_default(),
            union_id: wire.union_id,
            user_id: wire.user_id,
            tenant_key: wire.tenant_key,
        },
        action,
        location: Location {
            host: "im_message".to_owned(),
            open_message_id: wire.open_message_id,
            open_chat_id: wire.open_chat_id,
            ..Location::default()
        },
        update_token: wire.token.unwrap_or_default(),
    };
    Ok((header, Body::LegacyCard(card)))
}

fn location(
    host: Option<String>,
    delivery_type: Option<String>,
    context: Option<WireContext>,
) -> Location {
    let context = context.unwrap_or_default();
    Location {
        host: host.unwrap_or_default(),
        delivery_type,
        url: context.url,
        preview_token: context.preview_token,
        open_message_id: context.open_message_id,
        open_chat_id: context.open_chat_id,
    }
}

impl From<WireOperator> for Operator {
    fn from(wire: WireOperator) -> Self {
        Self {
            open_id: wire.open_id.unwrap_or_default(),
            union_id: wire.union_id,
            user_id: wire.user_id,
            tenant_key: wire.tenant_key,
        }
    }
}

impl From<WireAction> for Action {
    fn from(wire: WireAction) -> Self {
        Self {
            tag: wire.tag.unwrap_or_default(),
            name: wire.name,
            value: wire.value.map(text),
            option: wire.option,
            options: wire.options.unwrap_or_default(),
            checked: wire.checked,
            input_value: wire.input_value,
            form_value: wire.form_value.map(text),
            timezone: wire.timezone,
        }
    }
}

fn text(json: Box<RawValue>) -> String {
    Box::<str>::from(json).into_string()
}

/// Reads a time in milliseconds, 0 if it cannot be read. The platform writes seconds (10 digits, with a fraction in schema 1.0),
/// milliseconds (13) and microseconds (16).
fn created_ms(text: &str) -> u64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Ok(number) = whole.parse::<u64>() else { return 0 };
    match whole.len() {
        0..=11 => {
            let mut millis = fraction.chars().chain(std::iter::repeat('0')).take(3);
            let fraction =
                millis.try_fold(0, |sum, digit| Some(sum * 10 + u64::from(digit.to_digit(10)?)));
            number * 1000 + fraction.unwrap_or(0)
        }
        12..=14 => number,
        _ => number / 1000,
    }
}
