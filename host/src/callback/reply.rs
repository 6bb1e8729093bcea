//! The replies that a plugin may return, and the checked answer that the host sends. [`reply_check`](super::reply_check) turns
//! one into the other.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::callback::model::Json;
use crate::callback::model::Kind;

/// Pairs of a locale and the text for it.
pub type Translations = Vec<(String, String)>;

/// The colour and icon of a toast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToastKind {
    /// An informative message, in blue.
    Info,
    /// A success, in green.
    Success,
    /// A warning, in orange.
    Warning,
    /// An error, in red.
    Error,
}

/// A line of text that appears over the chat for a moment.
#[derive(Clone, Debug)]
pub struct Toast {
    /// The toast's colour and icon.
    pub kind: ToastKind,
    /// The text in the default language.
    pub content: String,
    /// The text in other languages.
    pub i18n: Translations,
}

/// A card as a plugin returns it.
#[derive(Clone, Debug)]
pub enum Card {
    /// Card JSON, 1.0 or 2.0.
    Raw(Json),
    /// A template of the card builder.
    Template {
        /// Id of the template, `AAq…`.
        id: String,
        /// Name of the template's version; `None` for the newest.
        version_name: Option<String>,
        /// Values for the template's variables, a JSON object.
        variables: Option<Json>,
    },
}

/// The text that replaces a link in a message.
#[derive(Clone, Debug, Default)]
pub struct InlinePreview {
    /// The title in every language that `i18n_title` has no text for.
    pub title: Option<String>,
    /// Titles by locale, preferred to `title`.
    pub i18n_title: Translations,
    /// Key of the icon, `img_…`.
    pub image_key: Option<String>,
    /// Link targets by platform, for example (`pc`, `https://…`).
    pub urls: Vec<(&'static str, String)>,
}

/// A handler's reply, not yet checked.
#[derive(Clone, Debug)]
pub enum RawReply {
    /// A reply to a click.
    Card {
        /// The toast to show over the chat.
        toast: Option<Toast>,
        /// The card that replaces the clicked one.
        card: Option<Card>,
    },
    /// A reply to a request for a link preview.
    Preview {
        /// The text that replaces the link in the message.
        inline: Option<InlinePreview>,
        /// The card below the message.
        card: Option<Card>,
    },
    /// A reply to a click on an old card.
    Legacy(LegacyReply),
    /// The plugin has handled an event.
    Accepted,
    /// A reply of any kind, in the platform's own JSON.
    Json(Json),
}

impl RawReply {
    /// Makes a reply of the toast that a handler gave in place of one; `None` if that kind of callback does not show toasts.
    pub fn from_toast(kind: Kind, toast: Toast) -> Option<Self> {
        match kind {
            Kind::CardAction => Some(Self::Card { toast: Some(toast), card: None }),
            Kind::LegacyCard => Some(Self::Legacy(LegacyReply::Toast(toast))),
            Kind::LinkPreview | Kind::Approval(_) | Kind::Other => None,
        }
    }

    /// Counts the bytes of text in the reply.
    pub fn text_size(&self) -> usize {
        match self {
            Self::Card { toast, card } => {
                toast.as_ref().map_or(0, Toast::text_size)
                    + card.as_ref().map_or(0, Card::text_size)
            }
            Self::Preview { inline, card } => {
                inline.as_ref().map_or(0, InlinePreview::text_size)
                    + card.as_ref().map_or(0, Card::text_size)
            }
            Self::Legacy(LegacyReply::Toast(toast)) => toast.text_size(),
            Self::Legacy(LegacyReply::Card(card)) => card.text_size(),
            Self::Legacy(LegacyReply::Custom { body, .. }) | Self::Json(body) => body.len(),
            Self::Legacy(LegacyReply::Unchanged) | Self::Accepted => 0,
        }
    }
}

/// A plugin's reply to a click on an old card.
#[derive(Clone, Debug)]
pub enum LegacyReply {
    /// The card stays as it is.
    Unchanged,
    /// The toast to show over the chat.
    Toast(Toast),
    /// The card that replaces the clicked one.
    Card(Card),
    /// An answer that is sent verbatim.
    Custom {
        /// An HTTP status; redirects are forbidden by the platform.
        status: u16,
        /// The HTTP body, as JSON.
        body: Json,
    },
}

/// An answer that keeps to the platform's rules. Only [`check`](crate::callback::reply_check::check), the fallbacks and
/// [`remembered`](Self::remembered) make one.
#[derive(Clone, Debug)]
pub struct Reply(pub(super) Answer);

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Body { status: u16, json: Bytes },
    Accepted,
    Redeliver,
}

/// An answer in the form in which a door sends it.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// A JSON object. The status is 200 except for an old card's custom reply.
    Body {
        /// The HTTP status; only the webhook sends it.
        status: u16,
        /// The text of the JSON object.
        json: &'a Bytes,
    },
    /// The event was handled.
    Accepted,
    /// The event was not handled: the platform is asked to send it again.
    Redeliver,
}

impl Reply {
    /// Answers that the event was not handled: the platform sends it again after 15 s, 5 min, 1 h and 6 h.
    pub fn redeliver() -> Self {
        Self(Answer::Redeliver)
    }

    /// Answers that the event was handled.
    pub fn accepted() -> Self {
        Self(Answer::Accepted)
    }

    /// Returns the answer in the form in which a door sends it.
    pub fn outgoing(&self) -> Outgoing<'_> {
        match &self.0 {
            Answer::Body { status, json } => Outgoing::Body { status: *status, json },
            Answer::Accepted => Outgoing::Accepted,
            Answer::Redeliver => Outgoing::Redeliver,
        }
    }

    /// Returns the bytes from which [`remembered`](Self::remembered) restores the answer; `None` for a request to send the event
    /// again, which is not a final answer.
    pub fn to_remember(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Answer::Body { status, json } => Some([&status.to_be_bytes(), &json[..]].concat()),
            Answer::Accepted => Some(Vec::new()),
            Answer::Redeliver => None,
        }
    }

    /// Restores an answer from the bytes of [`to_remember`](Self::to_remember).
    pub fn remembered(bytes: &[u8]) -> Self {
        match bytes {
            [high, low, json @ ..] => {
                let status = u16::from_be_bytes([*high, *low]);
                Self(Answer::Body { status, json: Bytes::copy_from_slice(json) })
            }
            _ => Self::accepted(),
        }
    }

    pub(super) fn ok(value: &Value) -> Self {
        Self(Answer::Body { status: 200, json: value.to_string().into() })
    }
}

/// Sets a field of `object`, unless the value is `None`.
pub(super) fn put(object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value);
    }
}

fn translations_size(pairs: &Translations) -> usize {
    pairs.iter().map(|(locale, text)| locale.len() + text.len()).sum()
}

impl Toast {
    fn text_size(&self) -> usize {
        self.content.len() + translations_size(&self.i18n)
    }

    pub(super) fn to_json(&self) -> Value {
        let kind = match self.kind {
            ToastKind::Info => "info",
            ToastKind::Success => "success",
            ToastKind::Warning => "warning",
            ToastKind::Error => "error",
        };
        let mut toast = json!({ "type": kind, "content": self.content });
        if !self.i18n.is_empty() {
            toast["i18n"] = translations(&self.i18n);
        }
        toast
    }
}

impl Card {
    pub(super) fn text_size(&self) -> usize {
        match self {
            Self::Raw(json) => json.len(),
            Self::Template { id, version_name, variables } => {
                id.len()
                    + version_name.as_ref().map_or(0, String::len)
                    + variables.as_ref().map_or(0, String::len)
            }
        }
    }
}

impl InlinePreview {
    fn text_size(&self) -> usize {
        let texts =
            [&self.title, &self.image_key].into_iter().flatten().map(String::len).sum::<usize>();
        let urls = self.urls.iter().map(|(_, url)| url.len()).sum::<usize>();
        texts + urls + translations_size(&self.i18n_title)
    }

    pub(super) fn to_json(&self) -> Value {
        let mut inline = Map::new();
        put(&mut inline, "title", self.title.as_deref().map(Value::from));
        put(
            &mut inline,
            "i18n_title",
            (!self.i18n_title.is_empty()).then(|| translations(&self.i18n_title)),
        );
        put(&mut inline, "image_key", self.image_key.as_deref().map(Value::from));
        let urls: Map<_, _> =
            self.urls.iter().map(|(key, url)| ((*key).to_owned(), url.as_str().into())).collect();
        put(&mut inline, "url", (!urls.is_empty()).then_some(Value::Object(urls)));
        Value::Object(inline)
    }
}

fn translations(pairs: &Translations) -> Value {
    Value::Object(
        pairs.iter().map(|(locale, text)| (locale.clone(), text.as_str().into())).collect(),
    )
}
