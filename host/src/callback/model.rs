//! A callback, understood: the host's own types, one for each thing the platform says.
//!
//! They mirror `wit/types.wit`; free-form JSON stays text, so that nothing parses it unless somebody asks.

use bytes::Bytes;
use serde_json::Value;

/// `header.event_type` of a click on a card.
pub const CARD_ACTION: &str = "card.action.trigger";
/// `header.event_type` of a link preview.
pub const LINK_PREVIEW: &str = "url.preview.get";
/// What the old card protocol is called in the console; its flat body has no header to say so.
pub const LEGACY_CARD: &str = "card.action.trigger_v1";

/// JSON text that was found well-formed.
pub type Json = String;

/// What every callback and event shares.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// Absent on some link previews and on every old card.
    pub event_id: Option<String>,
    /// For example `card.action.trigger`.
    pub event_type: String,
    /// The app it is for; empty where the body does not say.
    pub app_id: String,
    /// The tenant it is from; empty where the body does not say.
    pub tenant_key: String,
    /// Milliseconds since the Unix epoch; 0 where the body does not say.
    pub created_ms: u64,
}

/// Who touched it.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// `ou_…`
    pub open_id: String,
    /// `on_…`
    pub union_id: Option<String>,
    /// Only with the permission to read employee ids.
    pub user_id: Option<String>,
    /// The operator's tenant.
    pub tenant_key: Option<String>,
}

impl Operator {
    /// An id that is this person's alone, the `open_id` where there is one. None: the platform did not say who it is.
    pub fn any_id(&self) -> Option<&str> {
        let ids = [Some(&self.open_id), self.union_id.as_ref(), self.user_id.as_ref()];
        ids.into_iter().flatten().map(String::as_str).find(|id| !id.is_empty())
    }
}

/// Whose callback it is, as far as tenants go. A chat may have people of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantPair<'a> {
    /// The one that the callback is addressed to; empty where the body does not say.
    pub addressed: &'a str,
    /// That of the person behind it: the one it is addressed to, unless the body says another.
    pub operator: &'a str,
}

/// Where it is shown.
#[derive(Clone, Debug, Default)]
pub struct Location {
    /// `im_message`, `im_top_notice`.
    pub host: String,
    /// `url_preview` for a card that a link preview put there.
    pub delivery_type: Option<String>,
    /// The link.
    pub url: Option<String>,
    /// Refreshes the preview later.
    pub preview_token: Option<String>,
    /// `om_…`
    pub open_message_id: Option<String>,
    /// `oc_…`
    pub open_chat_id: Option<String>,
}

/// The component that was touched.
#[derive(Clone, Debug, Default)]
pub struct Action {
    /// `button`, `select_static`, …
    pub tag: String,
    /// The element's name.
    pub name: Option<String>,
    /// An object or a string, as JSON.
    pub value: Option<Json>,
    /// A single choice.
    pub option: Option<String>,
    /// A multiple choice.
    pub options: Vec<String>,
    /// A checker.
    pub checked: Option<bool>,
    /// An input outside a form.
    pub input_value: Option<String>,
    /// A form's fields, as JSON.
    pub form_value: Option<Json>,
    /// For dates and times.
    pub timezone: Option<String>,
}

/// A click on a card, by the new or the old protocol.
#[derive(Clone, Debug, Default)]
pub struct CardAction {
    /// Who.
    pub operator: Operator,
    /// What.
    pub action: Action,
    /// Where.
    pub location: Location,
    /// `c-…`: good for 2 updates within 30 minutes.
    pub update_token: String,
}

/// A client asks what a link looks like.
#[derive(Clone, Debug, Default)]
pub struct PreviewRequest {
    /// Who.
    pub operator: Operator,
    /// The link.
    pub url: String,
    /// Where.
    pub location: Location,
}

/// What it is about.
#[derive(Clone, Debug)]
pub enum Body {
    /// `card.action.trigger`
    CardAction(CardAction),
    /// `url.preview.get`
    LinkPreview(PreviewRequest),
    /// `card.action.trigger_v1`
    LegacyCard(CardAction),
    /// Every other type: an event, or a callback this host does not know yet. The `event` object as it was sent.
    Other(Json),
}

/// The same, without the contents: what decides the shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `card.action.trigger`
    CardAction,
    /// `url.preview.get`
    LinkPreview,
    /// `card.action.trigger_v1`
    LegacyCard,
    /// Every other type.
    Other,
}

impl Default for Body {
    fn default() -> Self {
        Self::Other("{}".to_owned())
    }
}

/// One callback or event. The default one is empty: it stands in where a plugin is asked about itself.
#[derive(Clone, Debug, Default)]
pub struct Callback {
    /// What they all share.
    pub header: Header,
    /// What this one is about.
    pub body: Body,
    pub(super) raw: Bytes,
}

impl Callback {
    /// What decides the shape of the answer.
    pub fn kind(&self) -> Kind {
        match self.body {
            Body::CardAction(_) => Kind::CardAction,
            Body::LinkPreview(_) => Kind::LinkPreview,
            Body::LegacyCard(_) => Kind::LegacyCard,
            Body::Other(_) => Kind::Other,
        }
    }

    /// The tenant that it is from: the one it is addressed to, or that of whoever clicked where the body does not say.
    pub fn tenant_key(&self) -> &str {
        let TenantPair { addressed, operator } = self.tenants();
        if addressed.is_empty() { operator } else { addressed }
    }

    /// Both tenants that a callback may name.
    pub fn tenants(&self) -> TenantPair<'_> {
        let addressed = self.header.tenant_key.as_str();
        let operator = self.operator().and_then(|operator| operator.tenant_key.as_deref());
        let operator = operator.filter(|tenant| !tenant.is_empty()).unwrap_or(addressed);
        TenantPair { addressed, operator }
    }

    /// Who clicked, or who sees the link; nobody stands behind an event.
    pub fn operator(&self) -> Option<&Operator> {
        match &self.body {
            Body::CardAction(card) | Body::LegacyCard(card) => Some(&card.operator),
            Body::LinkPreview(preview) => Some(&preview.operator),
            Body::Other(_) => None,
        }
    }

    /// The touched component, where there is one.
    pub fn action(&self) -> Option<&Action> {
        self.card_action().map(|card| &card.action)
    }

    /// The click, by either card protocol.
    pub fn card_action(&self) -> Option<&CardAction> {
        match &self.body {
            Body::CardAction(card) | Body::LegacyCard(card) => Some(card),
            Body::LinkPreview(_) | Body::Other(_) => None,
        }
    }

    /// Where it is shown, where that is known.
    pub fn location(&self) -> Option<&Location> {
        match &self.body {
            Body::CardAction(card) | Body::LegacyCard(card) => Some(&card.location),
            Body::LinkPreview(preview) => Some(&preview.location),
            Body::Other(_) => None,
        }
    }

    /// The link it is about, where there is one.
    pub fn url(&self) -> Option<&str> {
        match &self.body {
            Body::LinkPreview(preview) => Some(&preview.url),
            Body::CardAction(card) | Body::LegacyCard(card) => card.location.url.as_deref(),
            Body::Other(_) => None,
        }
    }

    /// The `event` object as it was sent; for an old card, which has none, the whole flat body.
    pub fn event_json(&self) -> Json {
        #[derive(serde::Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            event: Option<&'a serde_json::value::RawValue>,
        }
        if let Body::Other(event) = &self.body {
            return event.clone();
        }
        // Both were found to be JSON when the envelope was parsed.
        let event = named_fields::from_slice::<Envelope<'_>>(&self.raw)
            .ok()
            .and_then(|envelope| envelope.event);
        event.map_or_else(
            || String::from_utf8_lossy(&self.raw).into_owned(),
            |event| event.get().to_owned(),
        )
    }

    /// The `open_id` of who clicked, or of who sees the link.
    pub fn user(&self) -> Option<&str> {
        let open_id = self.operator()?.open_id.as_str();
        Some(open_id).filter(|open_id| !open_id.is_empty())
    }

    /// The bytes that it was read from, secrets and all.
    pub fn body_bytes(&self) -> Bytes {
        self.raw.clone()
    }

    /// The whole callback for a guest to read: as it was sent, without the verification token.
    pub fn raw(&self) -> RawJson {
        RawJson(self.raw.clone())
    }
}

/// The bytes of a callback, kept until a guest asks for them.
#[derive(Clone, Debug)]
pub struct RawJson(Bytes);

impl RawJson {
    /// The JSON with the app's verification token removed. It is parsed here, and only here, because few guests ask.
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
