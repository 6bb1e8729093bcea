//! What a plugin may return, and the reply that leaves. What lies between the two is `reply_check`'s.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::callback::model::Json;
use crate::callback::model::Kind;

/// (locale, text)
pub type Translations = Vec<(String, String)>;

/// The colour and icon of a toast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToastKind {
    /// Blue.
    Info,
    /// Green.
    Success,
    /// Orange.
    Warning,
    /// Red.
    Error,
}

/// A line of text that appears over the chat for a moment.
#[derive(Clone, Debug)]
pub struct Toast {
    /// Its colour.
    pub kind: ToastKind,
    /// Its text.
    pub content: String,
    /// Its text in other languages.
    pub i18n: Translations,
}

/// A card as a plugin gives it.
#[derive(Clone, Debug)]
pub enum Card {
    /// Card JSON, 1.0 or 2.0.
    Raw(Json),
    /// A template of the card builder.
    Template {
        /// `AAq…`
        id: String,
        /// Absent: the newest.
        version_name: Option<String>,
        /// A JSON object.
        variables: Option<Json>,
    },
}

/// The text that stands in the place of a link.
#[derive(Clone, Debug, Default)]
pub struct InlinePreview {
    /// In every language that `i18n_title` has no text for.
    pub title: Option<String>,
    /// Wins over `title`.
    pub i18n_title: Translations,
    /// `img_…`
    pub image_key: Option<String>,
    /// Where the link leads, by platform: (`pc`, `https://…`).
    pub urls: Vec<(&'static str, String)>,
}

/// What a handler returned, unchecked.
#[derive(Clone, Debug)]
pub enum RawReply {
    /// To a click.
    Card {
        /// Shown over the chat.
        toast: Option<Toast>,
        /// Takes the place of the card.
        card: Option<Card>,
    },
    /// To a link.
    Preview {
        /// In the message.
        inline: Option<InlinePreview>,
        /// Under the message.
        card: Option<Card>,
    },
    /// To an old card.
    Legacy(LegacyReply),
    /// An event was taken.
    Accepted,
    /// Whatever it is, in the platform's own JSON.
    Json(Json),
}

impl RawReply {
    /// The toast that a handler asked for in place of an answer, where that kind of callback shows toasts.
    pub fn from_toast(kind: Kind, toast: Toast) -> Option<Self> {
        match kind {
            Kind::CardAction => Some(Self::Card { toast: Some(toast), card: None }),
            Kind::LegacyCard => Some(Self::Legacy(LegacyReply::Toast(toast))),
            Kind::LinkPreview | Kind::Other => None,
        }
    }

    /// Bytes of text in it.
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

/// What may be said to an old card.
#[derive(Clone, Debug)]
pub enum LegacyReply {
    /// Nothing changes.
    Unchanged,
    /// Shown over the chat.
    Toast(Toast),
    /// Takes the place of the card.
    Card(Card),
    /// Verbatim.
    Custom {
        /// An HTTP status; redirects are forbidden by the platform.
        status: u16,
        /// The HTTP body.
        body: Json,
    },
}

/// An answer that keeps to the platform's rules. Only [`check`](crate::callback::reply_check::check) and the fallbacks
/// make one; what was said before is remembered.
#[derive(Clone, Debug)]
pub struct Reply(pub(super) Answer);

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Body { status: u16, json: Bytes },
    Accepted,
    Redeliver,
}

/// A reply, as a door's table needs it.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// A JSON object. The status is 200 but for an old card's custom reply.
    Body {
        /// For the webhook.
        status: u16,
        /// The object.
        json: &'a Bytes,
    },
    /// An event was taken.
    Accepted,
    /// An event was not taken: the platform shall send it again.
    Redeliver,
}

impl Reply {
    /// The event was not taken: the platform sends it again after 15 s, 5 min, 1 h and 6 h.
    pub fn redeliver() -> Self {
        Self(Answer::Redeliver)
    }

    /// The event was taken.
    pub fn accepted() -> Self {
        Self(Answer::Accepted)
    }

    /// For a door's table.
    pub fn outgoing(&self) -> Outgoing<'_> {
        match &self.0 {
            Answer::Body { status, json } => Outgoing::Body { status: *status, json },
            Answer::Accepted => Outgoing::Accepted,
            Answer::Redeliver => Outgoing::Redeliver,
        }
    }

    /// The bytes from which [`remembered`](Self::remembered) makes it again; none for what is no answer yet.
    pub fn to_remember(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Answer::Body { status, json } => Some([&status.to_be_bytes(), &json[..]].concat()),
            Answer::Accepted => Some(Vec::new()),
            Answer::Redeliver => None,
        }
    }

    /// What was said before.
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

/// Sets a field, if there is something to set.
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
