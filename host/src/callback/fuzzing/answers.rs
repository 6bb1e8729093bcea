//! The fuzz target for the answers of plugins.

use lark_card::CardVersion;
use serde_json::Value;

use crate::callback::json_text;
use crate::callback::model::Kind;
use crate::callback::reply::Card;
use crate::callback::reply::InlinePreview;
use crate::callback::reply::LegacyReply;
use crate::callback::reply::Outgoing;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply::Toast;
use crate::callback::reply::ToastKind;
use crate::callback::reply_check::Notes;
use crate::callback::reply_check::check;
use crate::callback::reply_check::check_late;
use crate::callback::reply_check::check_update;

/// Maximum bytes of card JSON that the platform accepts.
const MAX_CARD_BYTES: usize = 30 * 1024;
/// Extra bytes allowed for a template, whose wrapper does not count towards the limit.
const WRAPPER_BYTES: usize = 64;
/// Maximum number of faults that the checker reports.
const MOST_FAULTS: usize = 20;
/// JSON escapes one byte as at most six, plus a few bytes around the text.
const MOST_ESCAPED: usize = 6;
const OWN_WORDS_BYTES: usize = 512;

fn named_well(notes: &Notes) {
    let faults = &notes.faults;
    assert!(notes.words().is_none_or(|words| !words.is_empty()), "a reason without words");
    assert!(
        faults.found().len() <= MOST_FAULTS
            && (faults.beyond() == 0 || faults.found().len() == MOST_FAULTS)
    );
}

/// Three bytes select the kind of callback, the form of the answer and the version of the card it replaces; the answer's text
/// follows.
pub fn reply(input: &[u8]) {
    let Some(([kind, form, replaces], text)) = input.split_first_chunk::<3>() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let kind =
        [Kind::CardAction, Kind::LinkPreview, Kind::LegacyCard, Kind::Other][usize::from(kind % 4)];
    let replaces = [None, Some(CardVersion::V1), Some(CardVersion::V2)][usize::from(replaces % 3)];
    let raw = raw_reply(*form, text);
    let is_custom = matches!(raw, RawReply::Legacy(LegacyReply::Custom { .. }));
    let most_bytes = MOST_ESCAPED * raw.text_size() + OWN_WORDS_BYTES;
    let checked = check(kind, raw.clone(), replaces);
    named_well(&checked.notes);
    assert!(checked.reply.is_some() || checked.notes.words().is_some(), "refused without a reason");
    if let Some(reply) = &checked.reply {
        remembered_as_it_was(reply);
        if let Outgoing::Body { status, json } = reply.outgoing() {
            assert!(json.len() <= most_bytes, "{} bytes of {}", json.len(), text.len());
            assert!((200..=599).contains(&status) && !(300..400).contains(&status), "{status}");
            if is_custom {
                assert!(serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok());
            } else {
                leaves_as_it_should(kind, json, replaces);
            }
        }
    }
    let late = check_late(kind, raw.clone());
    named_well(&late.notes);
    if let Some(card) = late.card {
        let value = json_text::read::<Value>(&card).expect("a late card is JSON");
        assert!(value.is_object() && card.len() <= MAX_CARD_BYTES + WRAPPER_BYTES, "{card}");
    }
    if let RawReply::Card { card: Some(card), .. } = raw
        && let Ok(update) = check_update(&card, replaces)
    {
        assert!(update.len() <= MAX_CARD_BYTES + WRAPPER_BYTES, "{update}");
    }
}

/// Asserts that a checked answer is JSON without faults and that its card is not too large.
fn leaves_as_it_should(kind: Kind, json: &[u8], replaces: Option<CardVersion>) {
    let text = std::str::from_utf8(json).expect("JSON is text");
    let answer = json_text::read::<Value>(text).expect("an answer is JSON");
    assert!(answer.is_object(), "{text}");
    if let Some(data) = answer.pointer("/card/data")
        && matches!(kind, Kind::CardAction | Kind::LinkPreview)
    {
        assert!(data.to_string().len() <= MAX_CARD_BYTES, "{text}");
    }
    let again = check(kind, RawReply::Json(text.to_owned()), replaces);
    assert_eq!(again.notes.words(), None, "{text}");
    let Some(again) = again.reply else { panic!("{text}: nothing is left of it") };
    match again.outgoing() {
        Outgoing::Body { json: again, .. } => assert_eq!(again, json, "checking changes it again"),
        Outgoing::Accepted | Outgoing::Redeliver => panic!("{text}: it is no answer any more"),
    }
}

fn remembered_as_it_was(reply: &Reply) {
    let Some(bytes) = reply.to_remember() else { return };
    let again = Reply::remembered(&bytes);
    assert_eq!(format!("{:?}", again.outgoing()), format!("{:?}", reply.outgoing()));
}

fn raw_reply(form: u8, text: &str) -> RawReply {
    let (first, rest) = text.split_once('\n').unwrap_or(("", text));
    let toast = || Toast {
        kind: ToastKind::Info,
        content: first.to_owned(),
        i18n: vec![("en_us".to_owned(), first.to_owned()), (first.to_owned(), String::new())],
    };
    let template = || {
        let (version, variables) = rest.split_once('\n').unwrap_or(("", rest));
        Card::Template {
            id: first.to_owned(),
            version_name: (!version.is_empty()).then(|| version.to_owned()),
            variables: (!variables.is_empty()).then(|| variables.to_owned()),
        }
    };
    let card = |text: &str| Some(Card::Raw(text.to_owned()));
    match form % 10 {
        0 => RawReply::Json(text.to_owned()),
        1 => RawReply::Card { toast: None, card: card(text) },
        2 => RawReply::Card { toast: Some(toast()), card: card(rest) },
        3 => RawReply::Card { toast: None, card: Some(template()) },
        4 => {
            let inline = InlinePreview {
                title: Some(first.to_owned()),
                i18n_title: vec![(first.to_owned(), rest.to_owned())],
                image_key: None,
                urls: vec![("pc", rest.to_owned())],
            };
            RawReply::Preview { inline: Some(inline), card: card(rest) }
        }
        5 => {
            let status = first.parse().unwrap_or(200);
            RawReply::Legacy(LegacyReply::Custom { status, body: rest.to_owned() })
        }
        6 => RawReply::Legacy(LegacyReply::Card(Card::Raw(text.to_owned()))),
        7 => RawReply::Legacy(LegacyReply::Card(template())),
        8 => RawReply::Legacy(LegacyReply::Toast(toast())),
        _ => RawReply::Accepted,
    }
}
