//! Takes a reply apart that a plugin gave in the platform's own JSON. A form that the platform would refuse is mended where its
//! meaning is certain: people forget the wrapper around a card, or reply what another protocol wants.

use lark_card::CardContext;
use lark_card::fault::At;
use lark_card::fault::Rule;
use serde_json::Value;

use crate::callback::json_text;
use crate::callback::json_text::mend_surrogates;
use crate::callback::model::Json;
use crate::callback::model::Kind;
use crate::callback::nesting;
use crate::callback::nesting::TOO_DEEP;
use crate::callback::raw_object::RawObject;
use crate::callback::raw_object::is_null;
use crate::callback::reply_check::mends::Notes;
use crate::callback::reply_check::parts::AnswerParts;
use crate::callback::reply_check::parts::CardForm;
use crate::callback::reply_check::parts::CardPart;
use crate::callback::reply_check::prune::INLINE_MEMBERS;
use crate::callback::reply_check::prune::TOAST_MEMBERS;
use crate::callback::reply_check::prune::TOAST_TYPES;
use crate::callback::reply_check::prune::quoted;

/// The members by which a card shows itself, of either version.
const CARD_MEMBERS: [&str; 5] = ["schema", "header", "body", "elements", "i18n_elements"];
/// The members that may stand beside those in a card.
const OTHER_CARD_MEMBERS: [&str; 3] = ["config", "card_link", "i18n_header"];

/// Members that are no part of a card, and stand beside its members where people copy a message or another protocol's answer.
const FOREIGN_MEMBERS: [&str; 4] = ["type", "msg_type", "code", "msg"];

/// Checks a reply to a callback of a type that the host does not know, and returns it as it came.
pub(super) fn passed_on(text: &str, notes: &mut Notes) -> Option<Json> {
    let text = mend_surrogates(text);
    let object = object(&text, notes)?;
    Some(json_text::compact(&object.to_json()))
}

/// Takes a reply apart. `None` if it is nothing that can be answered, and the fault is named.
pub(super) fn parts(kind: Kind, text: &str, notes: &mut Notes) -> Option<AnswerParts> {
    let text = mend_surrogates(text);
    let mut reply = SortedReply::sort(kind, object(&text, notes)?);
    let card = match (kind, reply.card) {
        (Kind::LegacyCard, _) => legacy_card(&mut reply, notes),
        (_, Some(card)) => wrapped(card, &At::Root.key("card"), notes),
        (_, None) => bare_card(&mut reply, notes),
    };
    reply.mend_bare_texts(kind, notes);
    reply.leave_out_the_rest(kind, card.is_some(), notes);
    let read = |part: Option<Json>| part.and_then(|part| json_text::read::<Value>(&part).ok());
    Some(AnswerParts { toast: read(reply.toast), inline: read(reply.inline), card })
}

/// Reads an object. `null` is what clients answer for a handler that returns nothing, and counts as an empty one.
fn object<'a>(text: &'a str, notes: &mut Notes) -> Option<RawObject<'a>> {
    if is_null(text) {
        return Some(RawObject::default());
    }
    let faults = &mut notes.faults;
    match RawObject::read(text) {
        // The values have not been read yet, and may have any depth.
        Ok(_) if nesting::reaches(text.as_bytes(), TOO_DEEP) => {
            let words = format_args!("nested {TOO_DEEP} levels deep or deeper");
            faults.push(&At::Root, Rule::Json, words);
        }
        Ok(object) => return Some(object),
        Err(error) if error.is_data() => {
            faults.push(&At::Root, Rule::Type, "the answer must be a JSON object");
        }
        Err(error) => {
            faults.push(&At::Root, Rule::Json, format_args!("the answer is not JSON: {error}"));
        }
    }
    None
}

/// The members of a reply, by the part of the answer that they are.
struct SortedReply<'a> {
    toast: Option<Json>,
    inline: Option<Json>,
    card: Option<&'a str>,
    /// The other members. They are an old card, where the reply is to a click on one.
    rest: RawObject<'a>,
}

impl<'a> SortedReply<'a> {
    fn sort(kind: Kind, members: RawObject<'a>) -> Self {
        let mut reply = Self { toast: None, inline: None, card: None, rest: RawObject::default() };
        for (name, value) in members.without_nulls().0 {
            match (kind, &*name) {
                (Kind::CardAction | Kind::LegacyCard, "toast") => {
                    reply.toast = Some(value.get().to_owned());
                }
                (Kind::LinkPreview, "inline") => reply.inline = Some(value.get().to_owned()),
                (_, "card") => reply.card = Some(value.get()),
                _ => reply.rest.0.push((name, value)),
            }
        }
        reply
    }

    /// Takes all members that are not a part of the answer yet.
    fn take_rest(&mut self) -> Json {
        std::mem::take(&mut self.rest).to_json()
    }

    /// Gives a toast, or the text for a link, the wrapper that it came without.
    fn mend_bare_texts(&mut self, kind: Kind, notes: &mut Notes) {
        let consists_of =
            |members: &[&str]| self.rest.0.iter().all(|(name, _)| members.contains(&&**name));
        let is_toast = self.rest.text("type").is_some_and(|icon| TOAST_TYPES.contains(&&*icon))
            && self.rest.has_any(&["content", "i18n"])
            && consists_of(&TOAST_MEMBERS);
        let is_inline = self.rest.has_any(&["title", "i18n_title"]) && consists_of(&INLINE_MEMBERS);
        match kind {
            Kind::CardAction | Kind::LegacyCard if is_toast && self.toast.is_none() => {
                notes.mends.push(&At::Root, "a bare toast; it was put into `toast`");
                self.toast = Some(self.take_rest());
            }
            Kind::LinkPreview if is_inline && self.inline.is_none() => {
                notes.mends.push(&At::Root, "a bare preview; it was put into `inline`");
                self.inline = Some(self.take_rest());
            }
            _ => {}
        }
    }

    /// Leaves out what is no member of such an answer. If there is nothing else, the reply has no meaning, and is refused.
    fn leave_out_the_rest(&mut self, kind: Kind, has_card: bool, notes: &mut Notes) {
        let Some(names) = quoted(self.rest.0.iter().map(|(name, _)| name)) else { return };
        let members = match kind {
            Kind::CardAction => "`toast` and `card`",
            Kind::LinkPreview => "`inline` and `card`",
            Kind::LegacyCard | Kind::Approval(_) | Kind::Other => {
                "`toast` and the members of a card"
            }
        };
        let has_parts =
            has_card || self.card.is_some() || self.toast.is_some() || self.inline.is_some();
        // An old card's answer is card JSON 1.0, in which unknown members do no harm.
        if has_parts || kind == Kind::LegacyCard {
            // The official SDK's own answer for a handler that returns nothing.
            let is_usual =
                kind == Kind::LegacyCard && self.rest.text("msg").as_deref() == Some("success");
            if !(is_usual && self.rest.0.len() == 1) {
                let words =
                    format!("left out {names}: the members of such an answer are {members}");
                notes.mends.push(&At::Root, words);
            }
        } else {
            let words = format!(
                "{names}: the members of such an answer are {members}, and without one of them its user would see an error (200672); to change nothing, reply {{}}"
            );
            notes.faults.push(&At::Root, Rule::UnknownProperty, words);
        }
        self.rest = RawObject::default();
    }
}

fn is_card(object: &RawObject<'_>) -> bool {
    object.has_any(&CARD_MEMBERS)
}

/// Reads a card that stands where its wrapper should.
fn read_bare(form: CardForm, mut object: RawObject<'_>, notes: &mut Notes) -> Option<CardPart> {
    FOREIGN_MEMBERS.iter().for_each(|name| object.remove(name));
    CardPart::read(form, &object.without_nulls().to_json(), &mut notes.faults)
}

/// Finds a card among the members where only its wrapper may stand.
fn bare_card(reply: &mut SortedReply<'_>, notes: &mut Notes) -> Option<CardPart> {
    let (form, words) = if is_card(&reply.rest) {
        (CardForm::Raw, "a bare card; it was put into `card`, as {\"type\":\"raw\",\"data\":…}")
    } else if is_template(&reply.rest) {
        (
            CardForm::Template,
            "a bare template; it was put into `card`, as {\"type\":\"template\",\"data\":…}",
        )
    } else if reply.rest.get("data").is_some_and(is_card_or_template) {
        let card = reply.take_rest();
        notes.mends.push(&At::Root, "`type` and `data` belong into `card`; they were put there");
        return wrapped(&card, &At::Root.key("card"), notes);
    } else {
        return None;
    };
    notes.mends.push(&At::Root, words);
    read_bare(form, std::mem::take(&mut reply.rest), notes)
}

/// Finds the card in an answer of the old protocol, which has none of the wrappers of the new one.
fn legacy_card(reply: &mut SortedReply<'_>, notes: &mut Notes) -> Option<CardPart> {
    let unwrapped = "an old card's answer is the card itself; its wrapper was taken off";
    if is_card(&reply.rest) || reply.rest.has_any(&OTHER_CARD_MEMBERS) {
        return CardPart::read(CardForm::Raw, &reply.take_rest(), &mut notes.faults);
    }
    match (reply.rest.text("type").as_deref(), reply.card) {
        (Some("template"), _) => wrapped(&reply.take_rest(), &At::Root, notes),
        (Some("raw"), _) => {
            notes.mends.push(&At::Root, unwrapped);
            wrapped(&reply.take_rest(), &At::Root, notes)
        }
        (_, Some(card)) => {
            let at = At::Root.key("card");
            notes.mends.push(&at, unwrapped);
            wrapped(card, &at, notes)
        }
        (_, None) => None,
    }
}

/// Reads `{"type": "raw" | "template", "data": {…}}`, and what people write in its place.
fn wrapped(json: &str, at: &At<'_>, notes: &mut Notes) -> Option<CardPart> {
    if let Some(inside) = object_in_text(json) {
        notes.mends.push(at, "must be an object and is text; the object in the text was used");
        return wrapped(&inside, at, notes);
    }
    let object = RawObject::read(json).unwrap_or_default();
    let (form, data) = (object.text("type"), object.get("data"));
    match (form.as_deref(), data) {
        (Some("raw"), Some(data)) => read_data(CardForm::Raw, data, at, notes),
        (Some("template"), Some(data)) => read_data(CardForm::Template, data, at, notes),
        _ if is_card(&object) => {
            notes.mends.push(at, "a bare card; it was made the `data` of `type` \"raw\"");
            read_bare(CardForm::Raw, object, notes)
        }
        _ if is_template(&object) => {
            notes.mends.push(at, "a bare template; it was made the `data` of `type` \"template\"");
            read_bare(CardForm::Template, object, notes)
        }
        (_, Some(data)) if is_card_or_template(data) => {
            let form = match RawObject::read(data) {
                Ok(data) if is_template(&data) => CardForm::Template,
                _ => CardForm::Raw,
            };
            let words = format_args!("missing or wrong; it was made \"{}\"", form.as_str());
            notes.mends.push(&at.key("type"), words);
            read_data(form, data, at, notes)
        }
        _ => {
            // The rules name what is wrong with it.
            let known = CardContext { text_bytes: 0, replaces: None };
            let value = json_text::read::<Value>(json).unwrap_or_default();
            lark_card::check_wrapped(&value, at, known, &mut notes.faults);
            None
        }
    }
}

fn read_data(form: CardForm, data: &str, at: &At<'_>, notes: &mut Notes) -> Option<CardPart> {
    let inside = object_in_text(data);
    if inside.is_some() {
        let words = "must be an object and is text; the object in the text was used";
        notes.mends.push(&at.key("data"), words);
    }
    let data = inside.as_deref().unwrap_or(data);
    match (form, RawObject::read(data)) {
        (CardForm::Template, Ok(object)) => {
            CardPart::read(form, &object.without_nulls().to_json(), &mut notes.faults)
        }
        (CardForm::Raw, _) | (CardForm::Template, Err(_)) => {
            CardPart::read(form, data, &mut notes.faults)
        }
    }
}

fn is_template(object: &RawObject<'_>) -> bool {
    object.text("template_id").is_some()
}

/// Tells whether the data of a wrapper, or the text in it, is a card or a template.
fn is_card_or_template(data: &str) -> bool {
    let inside = object_in_text(data);
    let object = RawObject::read(inside.as_deref().unwrap_or(data));
    object.is_ok_and(|object| is_card(&object) || is_template(&object))
}

/// Returns the JSON object in a JSON string.
fn object_in_text(json: &str) -> Option<Json> {
    let text: Json = serde_json::from_str(json).ok()?;
    RawObject::read(&text).is_ok().then(|| mend_surrogates(&text).into_owned())
}
