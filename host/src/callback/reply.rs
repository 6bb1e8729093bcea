//! From what a plugin returned to what may leave: the only place where a `Reply` is made.
//!
//! A part that breaks a documented rule is dropped and named; the rest of the answer still goes out.

use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::callback::card_check;
use crate::callback::model::Json;
use crate::callback::model::Kind;

/// The locales of a toast, as documented.
const TOAST_LOCALES: [&str; 16] = [
    "zh_cn", "en_us", "zh_hk", "zh_tw", "ja_jp", "id_id", "vi_vn", "th_th", "pt_br", "es_es",
    "ko_kr", "de_de", "fr_fr", "it_it", "ru_ru", "ms_my",
];
/// The locales of a preview's title: Hindi in the place of Malay.
const TITLE_LOCALES: [&str; 16] = [
    "zh_cn", "en_us", "zh_hk", "zh_tw", "ja_jp", "id_id", "vi_vn", "th_th", "pt_br", "es_es",
    "ko_kr", "de_de", "fr_fr", "it_it", "ru_ru", "hi_in",
];
/// The four kinds of toast.
const TOAST_TYPES: [&str; 4] = ["info", "success", "error", "warning"];

/// (locale, text)
pub type Translations = Vec<(String, String)>;

/// The colour and icon of a toast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The card in it, which may still be shown when the answer itself came too late.
    pub fn into_card(self) -> Option<Card> {
        match self {
            Self::Card { card, .. } => card,
            Self::Legacy(LegacyReply::Card(card)) => Some(card),
            Self::Preview { .. } | Self::Legacy(_) | Self::Accepted | Self::Json(_) => None,
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

/// An answer that keeps to the platform's rules. Only [`check`] and the fallbacks make one.
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

    pub(super) fn ok(value: &Value) -> Self {
        Self(Answer::Body { status: 200, json: value.to_string().into() })
    }
}

/// A rule that a plugin's answer broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer into the answer.
    pub path: String,
    /// What is wrong there.
    pub rule: String,
}

impl Fault {
    pub(super) fn new(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { path: path.into(), rule: rule.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", if self.path.is_empty() { "/" } else { &self.path }, self.rule)
    }
}

/// What became of a plugin's answer.
#[derive(Debug)]
pub struct Checked {
    /// What is left of it; `None` if nothing is.
    pub reply: Option<Reply>,
    /// What was dropped, and why.
    pub faults: Vec<Fault>,
}

/// Makes a reply of what a plugin returned to a callback of that kind.
pub fn check(kind: Kind, raw: RawReply) -> Checked {
    let mut faults = Vec::new();
    let reply = match raw {
        RawReply::Accepted => Some(Reply::accepted()),
        RawReply::Legacy(LegacyReply::Custom { status, body }) => custom(status, body, &mut faults),
        other => compose(other, &mut faults).and_then(|mut answer| {
            let had_parts = !answer.is_empty();
            drop_faulty_parts(kind, &mut answer, &mut faults);
            let nothing_left = had_parts && answer.is_empty();
            (!nothing_left).then(|| Reply::ok(&Value::Object(answer)))
        }),
    };
    Checked { reply, faults }
}

fn compose(raw: RawReply, faults: &mut Vec<Fault>) -> Option<Map<String, Value>> {
    let mut answer = Map::new();
    match raw {
        RawReply::Card { toast, card } => {
            put(&mut answer, "toast", toast.map(|toast| toast.to_json()));
            put(&mut answer, "card", card.and_then(|card| card.to_json(faults)));
        }
        RawReply::Preview { inline, card } => {
            put(&mut answer, "inline", inline.map(|inline| inline.to_json()));
            put(&mut answer, "card", card.and_then(|card| card.to_json(faults)));
        }
        RawReply::Legacy(LegacyReply::Toast(toast)) => {
            put(&mut answer, "toast", Some(toast.to_json()))
        }
        RawReply::Legacy(LegacyReply::Card(card)) => answer = card.to_legacy_json(faults)?,
        RawReply::Json(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => answer = object,
            Ok(_) => return refuse(faults, Fault::new("", "the answer must be a JSON object")),
            Err(error) => {
                return refuse(faults, Fault::new("", format!("the answer is not JSON: {error}")));
            }
        },
        RawReply::Legacy(LegacyReply::Unchanged | LegacyReply::Custom { .. })
        | RawReply::Accepted => {}
    }
    // A card that is not JSON at all never reaches the object: if it was the whole answer, nothing is left.
    if answer.is_empty() && !faults.is_empty() { None } else { Some(answer) }
}

fn refuse<T>(faults: &mut Vec<Fault>, fault: Fault) -> Option<T> {
    faults.push(fault);
    None
}

fn put(answer: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        answer.insert(key.to_owned(), value);
    }
}

/// Each part of an answer is checked by itself, so that a bad card does not take the toast with it.
fn drop_faulty_parts(kind: Kind, answer: &mut Map<String, Value>, faults: &mut Vec<Fault>) {
    type Check = fn(&Value) -> Vec<Fault>;
    let parts: &[(&str, Check)] = match kind {
        Kind::CardAction => &[("toast", check_toast), ("card", card_check::check_wrapped)],
        Kind::LinkPreview => &[("inline", check_inline), ("card", card_check::check_wrapped)],
        Kind::LegacyCard => &[("toast", check_toast)],
        Kind::Other => &[],
    };
    for (part, check_part) in parts {
        let Some(value) = answer.get(*part) else { continue };
        if value.is_null() {
            answer.shift_remove(*part);
            continue;
        }
        let found = check_part(value);
        if !found.is_empty() {
            answer.shift_remove(*part);
            faults.extend(
                found
                    .into_iter()
                    .map(|fault| Fault { path: format!("/{part}{}", fault.path), ..fault }),
            );
        }
    }
    if kind == Kind::LegacyCard && answer.keys().any(|key| key != "toast") {
        let toast = answer.shift_remove("toast");
        let found = card_check::check_legacy(answer);
        if !found.is_empty() {
            faults.extend(found);
            answer.clear();
        }
        put(answer, "toast", toast);
    }
}

fn check_toast(toast: &Value) -> Vec<Fault> {
    let Some(toast) = toast.as_object() else { return vec![Fault::new("", "must be an object")] };
    let mut faults = Vec::new();
    match toast.get("type") {
        None => {}
        Some(Value::String(kind)) if TOAST_TYPES.contains(&kind.as_str()) => {}
        Some(_) => faults.push(Fault::new("/type", "must be info, success, error or warning")),
    }
    if toast.get("content").is_some_and(|content| !content.is_string()) {
        faults.push(Fault::new("/content", "must be text"));
    }
    check_translations(toast.get("i18n"), "/i18n", &TOAST_LOCALES, &mut faults);
    faults
}

fn check_inline(inline: &Value) -> Vec<Fault> {
    let Some(inline) = inline.as_object() else { return vec![Fault::new("", "must be an object")] };
    let mut faults = Vec::new();
    for key in ["title", "image_key"] {
        if inline.get(key).is_some_and(|text| !text.is_string()) {
            faults.push(Fault::new(format!("/{key}"), "must be text"));
        }
    }
    if inline.get("url").is_some_and(|url| !url.is_object()) {
        faults.push(Fault::new("/url", "must be an object of addresses by platform"));
    }
    check_translations(inline.get("i18n_title"), "/i18n_title", &TITLE_LOCALES, &mut faults);
    faults
}

fn check_translations(
    found: Option<&Value>,
    path: &str,
    locales: &[&str],
    faults: &mut Vec<Fault>,
) {
    let Some(found) = found else { return };
    let Some(translations) = found.as_object() else {
        faults.push(Fault::new(path, "must be an object of texts by locale"));
        return;
    };
    for (locale, text) in translations {
        if !locales.contains(&locale.as_str()) {
            faults.push(Fault::new(
                format!("{path}/{locale}"),
                format!("not one of {}", locales.join(", ")),
            ));
        } else if !text.is_string() {
            faults.push(Fault::new(format!("{path}/{locale}"), "must be text"));
        }
    }
}

fn custom(status: u16, body: Json, faults: &mut Vec<Fault>) -> Option<Reply> {
    if !(200..=599).contains(&status) || (300..400).contains(&status) {
        return refuse(
            faults,
            Fault::new("/status", format!("{status} is not allowed: 200 to 599, no redirects")),
        );
    }
    match serde_json::from_str::<Value>(&body) {
        Ok(_) => Some(Reply(Answer::Body { status, json: body.into() })),
        Err(error) => refuse(faults, Fault::new("/body", format!("not JSON: {error}"))),
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
    fn text_size(&self) -> usize {
        match self {
            Self::Raw(json) => json.len(),
            Self::Template { id, version_name, variables } => {
                id.len()
                    + version_name.as_ref().map_or(0, String::len)
                    + variables.as_ref().map_or(0, String::len)
            }
        }
    }

    /// `{"type": …, "data": …}`, as every answer but an old card's has it.
    fn to_json(&self, faults: &mut Vec<Fault>) -> Option<Value> {
        Some(json!({ "type": self.type_name(), "data": self.data(faults)? }))
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Raw(_) => "raw",
            Self::Template { .. } => "template",
        }
    }

    fn data(&self, faults: &mut Vec<Fault>) -> Option<Value> {
        match self {
            Self::Raw(text) => parse_part(text, "/card/data", faults),
            Self::Template { id, version_name, variables } => {
                let mut data = json!({ "template_id": id });
                if let Some(name) = version_name {
                    data["template_version_name"] = name.as_str().into();
                }
                if let Some(variables) = variables {
                    data["template_variable"] =
                        parse_part(variables, "/card/data/template_variable", faults)?;
                }
                Some(data)
            }
        }
    }

    /// At the top level, without a wrapper: the old protocol.
    fn to_legacy_json(&self, faults: &mut Vec<Fault>) -> Option<Map<String, Value>> {
        let data = self.data(faults)?;
        let legacy = match self {
            Self::Raw(_) => data,
            Self::Template { .. } => json!({ "type": "template", "data": data }),
        };
        match legacy {
            Value::Object(object) => Some(object),
            _ => refuse(faults, Fault::new("", "the card must be a JSON object")),
        }
    }

    /// What `card/update` takes: the card itself, or the template beside its type.
    pub fn to_update_json(&self) -> Result<Value, Vec<Fault>> {
        let mut faults = Vec::new();
        let card = self.to_json(&mut faults);
        faults.extend(card.iter().flat_map(card_check::check_wrapped));
        match (card, self) {
            (Some(mut wrapped), Self::Raw(_)) if faults.is_empty() => Ok(wrapped["data"].take()),
            (Some(wrapped), Self::Template { .. }) if faults.is_empty() => Ok(wrapped),
            _ => Err(faults),
        }
    }
}

fn parse_part(text: &str, path: &str, faults: &mut Vec<Fault>) -> Option<Value> {
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => refuse(faults, Fault::new(path, format!("not JSON: {error}"))),
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
