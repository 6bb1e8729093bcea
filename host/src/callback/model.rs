//! The host's own types for callbacks and events.
//!
//! They mirror `wit/types.wit`. Free-form JSON stays text, so that it is parsed only if somebody asks for it.

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::callback::approval::ApprovalKind;
use crate::callback::approval::ApprovalRequest;
use crate::deadline::Deadline;
use crate::deadline::DeadlineConfig;

/// `header.event_type` of a click on a card.
pub const CARD_ACTION: &str = "card.action.trigger";
/// `header.event_type` of a link preview.
pub const LINK_PREVIEW: &str = "url.preview.get";
/// The console's name for the old card protocol, whose flat body has no header to name its type.
pub const LEGACY_CARD: &str = "card.action.trigger_v1";

/// JSON text that was checked to be well-formed.
pub type Json = String;

/// The metadata that every callback and event shares.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// Absent on some link previews and on every old card.
    pub event_id: Option<String>,
    /// The type of the callback or event, for example `card.action.trigger`.
    pub event_type: String,
    /// The app it is for; empty where the body does not say.
    pub app_id: String,
    /// The tenant it is from; empty where the body does not say.
    pub tenant_key: String,
    /// Milliseconds since the Unix epoch; 0 where the body does not say.
    pub created_ms: u64,
}

/// The person who clicked, or who sees a link.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The person's id within this app, `ou_…`.
    pub open_id: String,
    /// The person's id among all apps of one developer, `on_…`.
    pub union_id: Option<String>,
    /// The person's employee id; present only if the app may read those.
    pub user_id: Option<String>,
    /// Key of the operator's tenant.
    pub tenant_key: Option<String>,
}

impl Operator {
    /// Returns an id that belongs to this person alone, the `open_id` if there is one. `None` if the platform did not say who it
    /// is.
    pub fn any_id(&self) -> Option<&str> {
        let ids = [Some(&self.open_id), self.union_id.as_ref(), self.user_id.as_ref()];
        ids.into_iter().flatten().map(String::as_str).find(|id| !id.is_empty())
    }
}

/// The tenants of a callback. One chat may have people of several tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantPair<'a> {
    /// Key of the tenant that the callback is addressed to; empty where the body does not say.
    pub addressed: &'a str,
    /// Key of the operator's tenant: the addressed one, unless the body names another.
    pub operator: &'a str,
}

/// The message or place that shows the card or link.
#[derive(Clone, Debug, Default)]
pub struct Location {
    /// The kind of place, for example `im_message` or `im_top_notice`.
    pub host: String,
    /// `url_preview` for a card that a link preview put there.
    pub delivery_type: Option<String>,
    /// The link that is shown there.
    pub url: Option<String>,
    /// The token that refreshes the preview later.
    pub preview_token: Option<String>,
    /// Id of the message, `om_…`.
    pub open_message_id: Option<String>,
    /// Id of the chat, `oc_…`.
    pub open_chat_id: Option<String>,
}

/// The component that was touched.
#[derive(Clone, Debug, Default)]
pub struct Action {
    /// The component's type, for example `button` or `select_static`.
    pub tag: String,
    /// The name that the card gives the component.
    pub name: Option<String>,
    /// The value that the card gives the component: an object or a string, as JSON.
    pub value: Option<Json>,
    /// The chosen option of a component for a single choice.
    pub option: Option<String>,
    /// The chosen options of a component for several choices.
    pub options: Vec<String>,
    /// The state of a checker.
    pub checked: Option<bool>,
    /// The text of an input outside a form.
    pub input_value: Option<String>,
    /// The values of a form's fields, as JSON.
    pub form_value: Option<Json>,
    /// The user's time zone, for pickers of dates and times.
    pub timezone: Option<String>,
}

/// A click on a card, by the new or the old protocol.
#[derive(Clone, Debug, Default)]
pub struct CardAction {
    /// The person who clicked.
    pub operator: Operator,
    /// The component that was touched.
    pub action: Action,
    /// The message that shows the card.
    pub location: Location,
    /// Token for updating the card, `c-…`: good for 2 updates within 30 minutes.
    pub update_token: String,
}

/// A client's request for the preview of a link.
#[derive(Clone, Debug, Default)]
pub struct PreviewRequest {
    /// The person who sees the link.
    pub operator: Operator,
    /// The link to preview.
    pub url: String,
    /// The place that shows the link.
    pub location: Location,
}

/// The content of a callback or event, by type.
#[derive(Clone, Debug)]
pub enum Body {
    /// A click on a card, `card.action.trigger`.
    CardAction(CardAction),
    /// A request for a link preview, `url.preview.get`.
    LinkPreview(PreviewRequest),
    /// A click on an old card, `card.action.trigger_v1`.
    LegacyCard(CardAction),
    /// A callback of the approval center.
    Approval(ApprovalRequest),
    /// Every other type: an event, or a callback that this host does not know yet. Holds the `event` object as it was sent.
    Other(Json),
}

/// The type of a [`Body`] without its content. It decides the shape of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A click on a card, `card.action.trigger`.
    CardAction,
    /// A request for a link preview, `url.preview.get`.
    LinkPreview,
    /// A click on an old card, `card.action.trigger_v1`.
    LegacyCard,
    /// A callback of the approval center.
    Approval(ApprovalKind),
    /// An event, or a callback of an unknown type.
    Other,
}

impl Kind {
    /// Returns the kind of that type.
    pub fn of_type(event_type: &str) -> Self {
        match event_type {
            CARD_ACTION => Self::CardAction,
            LINK_PREVIEW => Self::LinkPreview,
            LEGACY_CARD => Self::LegacyCard,
            other => ApprovalKind::of_type(other).map_or(Self::Other, Self::Approval),
        }
    }

    /// Returns the deadline of a callback of this kind whose first byte arrived at `received`.
    pub fn deadline(self, config: DeadlineConfig, received: Instant) -> Deadline {
        match self {
            Self::Approval(ApprovalKind::QuickApproval) => config.of_quick_approval(received),
            _ => config.starting(received),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Other("{}".to_owned())
    }
}

/// One callback or event. The default is empty; the host uses it to ask a plugin about itself.
#[derive(Clone, Debug, Default)]
pub struct Callback {
    /// The metadata that all callbacks share.
    pub header: Header,
    /// The content, by type.
    pub body: Body,
    pub(super) raw: Bytes,
}

impl Callback {
    /// Returns the kind, which decides the shape of the answer.
    pub fn kind(&self) -> Kind {
        match &self.body {
            Body::CardAction(_) => Kind::CardAction,
            Body::LinkPreview(_) => Kind::LinkPreview,
            Body::LegacyCard(_) => Kind::LegacyCard,
            Body::Approval(request) => Kind::Approval(request.kind),
            Body::Other(_) => Kind::Other,
        }
    }

    /// Returns the key of the callback's tenant: the addressed tenant, or the operator's where the body does not name one.
    pub fn tenant_key(&self) -> &str {
        let TenantPair { addressed, operator } = self.tenants();
        if addressed.is_empty() { operator } else { addressed }
    }

    /// Returns both tenants that a callback may name.
    pub fn tenants(&self) -> TenantPair<'_> {
        let addressed = self.header.tenant_key.as_str();
        let operator = self.operator().and_then(|operator| operator.tenant_key.as_deref());
        let operator = operator.filter(|tenant| !tenant.is_empty()).unwrap_or(addressed);
        TenantPair { addressed, operator }
    }

    /// Returns the person who clicked, who sees the link, or who decides; `None` for an event.
    pub fn operator(&self) -> Option<&Operator> {
        match &self.body {
            Body::CardAction(card) | Body::LegacyCard(card) => Some(&card.operator),
            Body::LinkPreview(preview) => Some(&preview.operator),
            Body::Approval(request) => Some(&request.operator),
            Body::Other(_) => None,
        }
    }

    /// Returns the touched component; `None` if this is not a click.
    pub fn action(&self) -> Option<&Action> {
        self.card_action().map(|card| &card.action)
    }

    /// Returns the click, by either card protocol.
    pub fn card_action(&self) -> Option<&CardAction> {
        match &self.body {
            Body::CardAction(card) | Body::LegacyCard(card) => Some(card),
            Body::LinkPreview(_) | Body::Approval(_) | Body::Other(_) => None,
        }
    }

    /// Returns the place that shows the card or link; `None` for an event.
    pub fn location(&self) -> Option<&Location> {
        match &self.body {
            Body::CardAction(card) | Body::LegacyCard(card) => Some(&card.location),
            Body::LinkPreview(preview) => Some(&preview.location),
            Body::Approval(_) | Body::Other(_) => None,
        }
    }

    /// Returns the link that the callback is about.
    pub fn url(&self) -> Option<&str> {
        match &self.body {
            Body::LinkPreview(preview) => Some(&preview.url),
            Body::CardAction(card) | Body::LegacyCard(card) => card.location.url.as_deref(),
            Body::Approval(_) | Body::Other(_) => None,
        }
    }

    /// Returns the `event` object as it was sent; for an old card, which has none, the whole flat body.
    pub fn event_json(&self) -> Json {
        #[derive(serde::Deserialize)]
        struct RawEnvelope<'a> {
            #[serde(borrow)]
            event: Option<&'a serde_json::value::RawValue>,
        }
        if let Body::Other(event) = &self.body {
            return event.clone();
        }
        // The envelope's parser has checked both to be JSON.
        let event = named_fields::from_slice::<RawEnvelope<'_>>(&self.raw)
            .ok()
            .and_then(|envelope| envelope.event);
        event.map_or_else(
            || String::from_utf8_lossy(&self.raw).into_owned(),
            |event| event.get().to_owned(),
        )
    }

    /// Returns the operator's `open_id`; `None` if it is empty or there is no operator.
    pub fn user(&self) -> Option<&str> {
        let open_id = self.operator()?.open_id.as_str();
        Some(open_id).filter(|open_id| !open_id.is_empty())
    }

    /// Returns the verified body's bytes, secrets included.
    pub fn body_bytes(&self) -> Bytes {
        self.raw.clone()
    }

    /// Returns the whole callback for a guest: the JSON as it was sent, without the verification token.
    pub fn raw(&self) -> RawJson {
        RawJson(self.raw.clone())
    }
}

/// The bytes of a callback, kept until a guest asks for them.
#[derive(Clone, Debug)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Returns the JSON without the app's verification token. It is parsed here, and only here, because few guests ask.
    pub fn without_secrets(&self) -> Json {
        // The envelope was parsed from these very bytes, so the empty object below is never what a guest sees.
        let mut value = serde_json::from_slice(&self.0)
            .unwrap_or_else(|_| Value::Object(serde_json::Map::new()));
        if let Some(header) = value.get_mut("header").and_then(Value::as_object_mut) {
            header.shift_remove("token");
        } else if value.get("event").is_some()
            && let Some(envelope) = value.as_object_mut()
        {
            envelope.shift_remove("token");
        }
        value.to_string()
    }
}
