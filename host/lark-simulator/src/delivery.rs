//! One callback or event on its way to the host, and the options of its delivery.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use crate::approval::Approval;
use crate::identifier;
use crate::sample;
use crate::settings::Settings;

/// Most fragments of one message. More would only test patience; the receiver's own limit is lower.
const MAX_FRAGMENTS: usize = 4096;

/// The way that a delivery takes to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// A random long connection of the app.
    LongConnection,
    /// A POST to this URL, which has to be on loopback.
    Webhook {
        /// URL of the webhook, for example `http://127.0.0.1:8080/callback`.
        url: String,
    },
}

/// Kind of a delivery, which decides how the answer is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryKind {
    /// A click on a card: `card.action.trigger`.
    CardAction,
    /// A link that is to be shown: `url.preview.get`.
    LinkPreview,
    /// A click on a card of the old protocol: `card.action.trigger_v1`, flat, never encrypted, webhook only.
    LegacyCard,
    /// Any event, 1.0 or 2.0.
    Event,
    /// The URL check, webhook only.
    Challenge,
    /// A callback of the approval center: flat, to an address of its own, webhook only.
    Approval(Approval),
    /// Another callback: the answer only has to be a JSON object.
    Other,
}

/// Signature of a webhook body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// Signed as by the platform: with SHA-256 if the app has an Encrypt Key, with SHA-1 for a legacy card, not at all for a URL
    /// check.
    #[default]
    Platform,
    /// Signed as by the platform, and a URL check too.
    Always,
    /// Signed with a key that is not the app's.
    WrongKey,
    /// Sent without the three headers.
    Unsigned,
    /// Signed, and one byte added to the body afterwards.
    Tampered,
}

/// Encryption of a webhook body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Encrypted if the app has an Encrypt Key and it is not a legacy card.
    #[default]
    Platform,
    /// Never encrypted, whatever keys there are.
    Plain,
    /// Encrypted with a key that is not the app's.
    WrongKey,
}

/// Order in which the fragments of a message are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FragmentOrder {
    /// In order, as by the platform.
    #[default]
    InOrder,
    /// The last one first.
    Reversed,
    /// In a random order.
    Shuffled,
}

/// The version of the card that the user clicked on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CardSchema {
    /// Unknown: no version rule is checked.
    #[default]
    Unknown,
    /// A card of JSON 1.0.
    V1,
    /// A card of JSON 2.0.
    V2,
}

/// One callback or event. Sending it twice sends the same event id twice, as a redelivery or a double click would.
#[derive(Clone, Debug)]
pub struct Delivery {
    payload: Payload,
    pub(super) kind: DeliveryKind,
    pub(super) framing: Framing,
    pub(super) sealing: Sealing,
    pub(super) viewer: Viewer,
}

#[derive(Clone, Debug)]
enum Payload {
    /// JSON whose missing fields that depend on the app (its id, token and tenant) are filled in when it is sent.
    Json(Value),
    /// Bytes that are sent unchanged.
    Exact(Bytes),
}

/// Options for the long connection.
#[derive(Clone, Debug)]
pub(super) struct Framing {
    pub(super) fragments: usize,
    pub(super) order: FragmentOrder,
    pub(super) gap: Duration,
    pub(super) frame_type: String,
}

/// Options for the webhook.
#[derive(Clone, Debug, Default)]
pub(super) struct Sealing {
    pub(super) signing: Signing,
    pub(super) encryption: Encryption,
    pub(super) age: Duration,
    pub(super) nonce: Option<String>,
}

/// The user who looks at the answer.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) locale: String,
    pub(super) on_screen: CardSchema,
}

/// Constructors for each kind of delivery.
impl Delivery {
    /// Creates a click on a button with this `value`.
    pub fn card_action(value: Value) -> Self {
        Self::click(sample::CardAction { value, ..sample::CardAction::default() })
    }

    /// Creates a click with all its details.
    pub fn click(action: sample::CardAction) -> Self {
        Self::json(DeliveryKind::CardAction, sample::card_action(action))
    }

    /// Creates the preview of a link that is about to be shown.
    pub fn link_preview(url: &str) -> Self {
        Self::json(DeliveryKind::LinkPreview, sample::link_preview(url))
    }

    /// Creates a click on a card of the old protocol.
    pub fn legacy_card(value: Value) -> Self {
        Self::json(DeliveryKind::LegacyCard, sample::legacy_card(value))
    }

    /// Creates an event of schema 2.0.
    pub fn event(event_type: &str, body: Value) -> Self {
        Self::json(DeliveryKind::Event, sample::event(event_type, body))
    }

    /// Creates an event of schema 1.0.
    pub fn event_v1(event_type: &str, body: Value) -> Self {
        Self::json(DeliveryKind::Event, sample::event_v1(event_type, body))
    }

    /// Creates `profile.view.get`, a callback that is in the official SDKs but not in the public list.
    pub fn profile_view() -> Self {
        Self::json(DeliveryKind::Other, sample::profile_view())
    }

    /// Creates a callback of the approval center, with these members besides or instead of the usual ones.
    pub fn approval(approval: Approval, members: &Value) -> Self {
        let mut payload = approval.sample();
        for (name, value) in members.as_object().into_iter().flatten() {
            payload[name] = value.clone();
        }
        Self::json(DeliveryKind::Approval(approval), payload)
    }

    /// Creates the URL check of the console.
    pub fn challenge() -> Self {
        let payload = json!({"challenge": identifier::hex(32), "type": "url_verification"});
        Self::json(DeliveryKind::Challenge, payload)
    }

    /// Creates a delivery with any payload. Where the payload has no app id, verification token or tenant key, the app's are
    /// filled in.
    pub fn json(kind: DeliveryKind, payload: Value) -> Self {
        Self::new(kind, Payload::Json(payload))
    }

    /// Creates a delivery from a recorded payload. Its kind follows from its content; its event id becomes a fresh one.
    pub fn recorded(mut payload: Value) -> Self {
        if let Some((approval, mut payload)) = Approval::recorded(&payload) {
            if let Some(members) = payload.as_object_mut() {
                // It is filled in again, with the token that the app has here.
                members.shift_remove("token");
            }
            return Self::json(DeliveryKind::Approval(approval), payload);
        }
        let event_type = payload.pointer("/header/event_type").and_then(Value::as_str);
        let is_flat = payload.get("action").is_some() && payload.get("event").is_none();
        let kind = match event_type {
            Some("card.action.trigger") => DeliveryKind::CardAction,
            Some("url.preview.get") => DeliveryKind::LinkPreview,
            Some("profile.view.get") => DeliveryKind::Other,
            None if is_flat => DeliveryKind::LegacyCard,
            Some(_) | None => DeliveryKind::Event,
        };
        renew(&mut payload);
        Self::json(kind, payload)
    }

    /// Returns the same delivery with a fresh event id, so that it does not count as a repetition.
    #[must_use]
    pub fn anew(&self) -> Self {
        let mut again = self.clone();
        if let Payload::Json(payload) = &mut again.payload {
            renew(payload);
        }
        again
    }

    /// Returns true if only the webhook carries such a delivery.
    pub fn is_for_webhook_only(&self) -> bool {
        use DeliveryKind::{Approval, Challenge, LegacyCard};
        matches!(self.kind, Approval(_) | LegacyCard | Challenge)
    }

    /// Returns the callback of the approval center that this is, which goes to an address of its own.
    pub fn for_approval(&self) -> Option<Approval> {
        match self.kind {
            DeliveryKind::Approval(approval) => Some(approval),
            _ => None,
        }
    }

    /// Creates a delivery of exactly these bytes, JSON or not.
    pub fn exact(kind: DeliveryKind, payload: impl Into<Bytes>) -> Self {
        Self::new(kind, Payload::Exact(payload.into()))
    }

    fn new(kind: DeliveryKind, payload: Payload) -> Self {
        Self {
            payload,
            kind,
            framing: Framing {
                fragments: 1,
                order: FragmentOrder::InOrder,
                gap: Duration::ZERO,
                frame_type: "event".into(),
            },
            sealing: Sealing::default(),
            viewer: Viewer { locale: "en_us".into(), on_screen: CardSchema::Unknown },
        }
    }
}

fn renew(payload: &mut Value) {
    for at in ["/header/event_id", "/uuid"] {
        if let Some(id) = payload.pointer_mut(at) {
            *id = identifier::event_id().into();
        }
    }
}

/// Options of the delivery.
impl Delivery {
    /// Splits the payload into this many fragments, at random places, inside characters too.
    #[must_use]
    pub fn fragments(mut self, fragments: usize) -> Self {
        self.framing.fragments = fragments.clamp(1, MAX_FRAGMENTS);
        self
    }

    /// Sets the order in which fragments are sent.
    #[must_use]
    pub fn order(mut self, order: FragmentOrder) -> Self {
        self.framing.order = order;
        self
    }

    /// Sets the pause between two fragments.
    #[must_use]
    pub fn fragment_gap(mut self, gap: Duration) -> Self {
        self.framing.gap = gap;
        self
    }

    /// Sets the `type` header of the frames, `event` by default; the platform has been seen to send `card`.
    #[must_use]
    pub fn frame_type(mut self, frame_type: &str) -> Self {
        frame_type.clone_into(&mut self.framing.frame_type);
        self
    }

    /// Sets the signature of the webhook body.
    #[must_use]
    pub fn signing(mut self, signing: Signing) -> Self {
        self.sealing.signing = signing;
        self
    }

    /// Sets the encryption of the webhook body.
    #[must_use]
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.sealing.encryption = encryption;
        self
    }

    /// Signs with a timestamp this far in the past.
    #[must_use]
    pub fn aged(mut self, age: Duration) -> Self {
        self.sealing.age = age;
        self
    }

    /// Signs with this nonce every time, instead of a fresh one.
    #[must_use]
    pub fn nonce(mut self, nonce: &str) -> Self {
        self.sealing.nonce = Some(nonce.to_owned());
        self
    }

    /// Sets the locale of the user who looks at the answer, `en_us` by default.
    #[must_use]
    pub fn locale(mut self, locale: &str) -> Self {
        locale.clone_into(&mut self.viewer.locale);
        self
    }

    /// Sets the version of the card on screen.
    #[must_use]
    pub fn on_screen(mut self, schema: CardSchema) -> Self {
        self.viewer.on_screen = schema;
        self
    }
}

/// Values in the payload.
impl Delivery {
    /// Returns `header.event_id`, or the `uuid` of a 1.0 event.
    pub fn event_id(&self) -> Option<String> {
        let payload = self.parsed()?;
        let id = payload.pointer("/header/event_id").or_else(|| payload.get("uuid"))?;
        id.as_str().map(str::to_owned)
    }

    /// Returns the credential for updating the card that was clicked.
    pub fn update_token(&self) -> Option<String> {
        let payload = self.parsed()?;
        let token = payload.pointer("/event/token").or_else(|| payload.get("token"))?.as_str()?;
        token.starts_with("c-").then(|| token.to_owned())
    }

    pub(super) fn challenge_text(&self) -> Option<String> {
        self.parsed()?.get("challenge")?.as_str().map(str::to_owned)
    }

    fn parsed(&self) -> Option<Value> {
        match &self.payload {
            Payload::Json(payload) => Some(payload.clone()),
            Payload::Exact(bytes) => serde_json::from_slice(bytes).ok(),
        }
    }

    /// Returns the payload as this app's host gets it.
    pub(super) fn body(&self, app: &Settings) -> Bytes {
        match &self.payload {
            Payload::Exact(bytes) => bytes.clone(),
            Payload::Json(payload) => {
                let mut payload = payload.clone();
                fill_gaps(&mut payload, self.kind, app);
                payload.to_string().into()
            }
        }
    }
}

fn fill_gaps(payload: &mut Value, kind: DeliveryKind, app: &Settings) {
    let token = app.verification_token.expose();
    if kind == DeliveryKind::LegacyCard {
        // The `token` of a legacy card is the card's own.
        return fill(payload, &[("tenant_key", &app.tenant_key)]);
    }
    if let Some(header) = payload.get_mut("header") {
        fill(header, &[("app_id", &app.id), ("token", token), ("tenant_key", &app.tenant_key)]);
        if let Some(operator) = payload.pointer_mut("/event/operator") {
            fill(operator, &[("tenant_key", &app.tenant_key)]);
        }
        return;
    }
    fill(payload, &[("token", token)]);
    if let Some(event) = payload.get_mut("event") {
        fill(event, &[("app_id", &app.id), ("tenant_key", &app.tenant_key)]);
    }
}

fn fill(object: &mut Value, fields: &[(&str, &str)]) {
    let Some(object) = object.as_object_mut() else { return };
    for (key, text) in fields {
        object.entry(*key).or_insert_with(|| Value::from(*text));
    }
}
