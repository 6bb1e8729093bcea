//! An answer in parts, each of which is checked, and may be dropped, without the others. Cards stay the text that they came as.

use lark_card::CardContext;
use lark_card::fault::At;
use lark_card::fault::Faults;
use lark_card::fault::Rule;
use serde_json::Value;
use serde_json::json;

use crate::callback::json_text;
use crate::callback::model::Json;
use crate::callback::model::Kind;
use crate::callback::nesting;
use crate::callback::nesting::TOO_DEEP;
use crate::callback::reply::Card;
use crate::callback::reply::LegacyReply;
use crate::callback::reply::RawReply;
use crate::callback::reply_check::mends::Notes;
use crate::callback::reply_check::prune;
use crate::callback::reply_check::shape;

/// Levels around a card, or around its variables: `{"card":{"data":{"template_variable":…}}}`. Together with these, an answer
/// stays within the depth that the host reads.
const AROUND_A_PART: usize = 3;

/// The parts of an answer to a click or a link preview.
#[derive(Debug, Default)]
pub(super) struct AnswerParts {
    pub(super) toast: Option<Value>,
    pub(super) inline: Option<Value>,
    pub(super) card: Option<CardPart>,
}

/// A card of an answer.
#[derive(Debug)]
pub(super) struct CardPart {
    pub(super) form: CardForm,
    /// The card, or the template's id and variables. The text is sent.
    data: Json,
    /// The same for the rules to look at.
    value: Value,
}

/// The forms of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardForm {
    Raw,
    Template,
}

impl CardForm {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Template => "template",
        }
    }
}

impl AnswerParts {
    /// Takes a reply apart.
    pub(super) fn of(kind: Kind, raw: RawReply, notes: &mut Notes) -> Self {
        match raw {
            RawReply::Card { toast, card } => Self {
                toast: toast.map(|toast| toast.to_json()),
                card: card.and_then(|card| CardPart::of(&card, &mut notes.faults)),
                inline: None,
            },
            RawReply::Preview { inline, card } => Self {
                inline: inline.map(|inline| inline.to_json()),
                card: card.and_then(|card| CardPart::of(&card, &mut notes.faults)),
                toast: None,
            },
            RawReply::Legacy(LegacyReply::Toast(toast)) => {
                Self { toast: Some(toast.to_json()), ..Self::default() }
            }
            // An old card's answer is the card itself.
            RawReply::Legacy(LegacyReply::Card(Card::Raw(text))) => {
                shape::parts(Kind::LegacyCard, &text, notes).unwrap_or_default()
            }
            RawReply::Legacy(LegacyReply::Card(card @ Card::Template { .. })) => {
                Self { card: CardPart::of(&card, &mut notes.faults), ..Self::default() }
            }
            RawReply::Json(text) => shape::parts(kind, &text, notes).unwrap_or_default(),
            RawReply::Legacy(LegacyReply::Unchanged | LegacyReply::Custom { .. })
            | RawReply::Accepted => Self::default(),
        }
    }

    /// Drops the parts that cannot be shown: a bad card does not take the toast with it.
    pub(super) fn drop_faulty(&mut self, kind: Kind, known: CardContext, notes: &mut Notes) {
        let toast = self.toast.take();
        self.toast = toast.and_then(|toast| prune::toast(toast, &At::Root.key("toast"), notes));
        let inline = self.inline.take();
        self.inline =
            inline.and_then(|inline| prune::inline(inline, &At::Root.key("inline"), notes));
        let before = notes.faults.count();
        if let Some(card) = &mut self.card {
            card.check(kind, known, &mut notes.faults);
        }
        if notes.faults.count() != before {
            self.card = None;
        }
    }

    /// Tells whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.toast.is_none() && self.inline.is_none() && self.card.is_none()
    }

    /// Writes the answer to a callback of that kind.
    pub(super) fn to_json(&self, kind: Kind) -> Json {
        let toast = self.toast.as_ref().map(|toast| format!(r#""toast":{toast}"#));
        let inline = self.inline.as_ref().map(|inline| format!(r#""inline":{inline}"#));
        let card = self.card.as_ref();
        let wrapped = || card.map(|card| format!(r#""card":{}"#, card.wrapped()));
        let members = match kind {
            Kind::CardAction => [toast, wrapped()],
            Kind::LinkPreview => [inline, wrapped()],
            Kind::LegacyCard => [toast, card.map(CardPart::legacy_members)],
            Kind::Approval(_) | Kind::Other => [None, None],
        };
        let members = members.into_iter().flatten().filter(|member| !member.is_empty());
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

impl CardPart {
    /// Reads a card as a plugin returns it; a part that is not JSON is a fault.
    pub(super) fn of(card: &Card, faults: &mut Faults) -> Option<Self> {
        match card {
            Card::Raw(text) => Self::read(CardForm::Raw, text, faults),
            Card::Template { id, version_name, variables } => {
                let mut value = json!({ "template_id": id });
                if let Some(name) = version_name {
                    value["template_version_name"] = name.as_str().into();
                }
                let mut data = value.to_string();
                if let Some(variables) = variables {
                    const PLACE: &str = "/card/data/template_variable";
                    let (text, read) = read(variables, PLACE, faults)?;
                    data.truncate(data.len() - 1);
                    data += &format!(r#","template_variable":{text}}}"#);
                    value["template_variable"] = read;
                }
                Some(Self { form: CardForm::Template, data, value })
            }
        }
    }

    /// Reads the text of a card, or of a template's data.
    pub(super) fn read(form: CardForm, text: &str, faults: &mut Faults) -> Option<Self> {
        let (data, value) = read(text, "/card/data", faults)?;
        Some(Self { form, data, value })
    }

    /// Checks the card by the platform's rules.
    pub(super) fn check(&mut self, kind: Kind, known: CardContext, faults: &mut Faults) {
        let is_bare = kind == Kind::LegacyCard && self.form == CardForm::Raw;
        if is_bare {
            lark_card::check_legacy(&self.value, &At::Root, known, faults);
            return;
        }
        let at = if kind == Kind::LegacyCard { At::Root } else { At::Root.key("card") };
        self.check_wrapped(&at, known, faults);
    }

    /// Checks the card as one with its wrapper at that place.
    pub(super) fn check_wrapped(&mut self, at: &At<'_>, known: CardContext, faults: &mut Faults) {
        let data = std::mem::take(&mut self.value);
        let wrapped = json!({ "type": self.form.as_str(), "data": data });
        lark_card::check_wrapped(&wrapped, at, known, faults);
    }

    /// Returns the card in the form for every answer but an old card's.
    fn wrapped(&self) -> Json {
        format!(r#"{{"type":"{}","data":{}}}"#, self.form.as_str(), self.data)
    }

    /// Returns the members of an old card's answer, which has no wrapper around a card.
    fn legacy_members(&self) -> Json {
        let object = match self.form {
            CardForm::Raw => &self.data,
            CardForm::Template => &self.wrapped(),
        };
        // It was checked to be an object.
        object
            .strip_prefix('{')
            .and_then(|members| members.strip_suffix('}'))
            .unwrap_or_default()
            .to_owned()
    }

    /// Returns the card in the form that `card/update` takes.
    pub(super) fn into_update(self) -> Json {
        match self.form {
            CardForm::Raw => self.data,
            CardForm::Template => self.wrapped(),
        }
    }
}

/// Reads JSON at that place of a reply: its text as it is sent, and its value.
fn read(text: &str, path: &str, faults: &mut Faults) -> Option<(Json, Value)> {
    const LEVELS: usize = TOO_DEEP - AROUND_A_PART;
    let at = At::Under(path);
    if nesting::reaches(text.as_bytes(), LEVELS) {
        faults.push(&at, Rule::Json, format_args!("nested {LEVELS} levels deep or deeper"));
        return None;
    }
    let text = json_text::mend_surrogates(text);
    match json_text::read(&text) {
        Ok(value) => Some((json_text::compact(&text), value)),
        Err(error) => {
            faults.push(&at, Rule::Json, format_args!("not JSON: {error}"));
            None
        }
    }
}
