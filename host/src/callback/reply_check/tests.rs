//! Tests of answers that break a rule: which parts are left.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::callback::reply::InlinePreview;
use crate::callback::reply::Outgoing;
use crate::callback::reply::ToastKind;

fn left(kind: Kind, raw: RawReply) -> (Option<Value>, Vec<String>) {
    let checked = check(kind, raw, None);
    let paths = checked.faults.found().iter().map(|fault| fault.path.clone()).collect();
    let reply = checked.reply.map(|reply| match reply.outgoing() {
        Outgoing::Body { json, .. } => serde_json::from_slice(json).unwrap(),
        Outgoing::Accepted | Outgoing::Redeliver => Value::Null,
    });
    (reply, paths)
}

fn as_json(kind: Kind, answer: &Value) -> (Option<Value>, Vec<String>) {
    left(kind, RawReply::Json(answer.to_string()))
}

fn toast(i18n: &[(&str, &str)]) -> Toast {
    Toast {
        kind: ToastKind::Success,
        content: "done".to_owned(),
        i18n: i18n.iter().map(|(locale, text)| ((*locale).into(), (*text).into())).collect(),
    }
}

#[test]
fn a_bad_card_is_dropped_and_the_toast_kept() {
    let card = r#"{"schema":"2.0","body":{"elements":[{"tag":"note"}]}}"#;
    let raw = RawReply::Card { toast: Some(toast(&[])), card: Some(Card::Raw(card.to_owned())) };
    let (reply, faults) = left(Kind::CardAction, raw);
    assert_eq!(reply, Some(json!({ "toast": { "type": "success", "content": "done" } })));
    assert_eq!(faults, ["/card/data/body/elements/0/tag"]);
}

#[test]
fn a_bad_card_alone_leaves_nothing() {
    for card in ["{", "[]", r#"{"schema":"2.0","elements":[]}"#] {
        let raw = RawReply::Card { toast: None, card: Some(Card::Raw(card.to_owned())) };
        assert_eq!(left(Kind::CardAction, raw).0, None, "{card}");
    }
}

#[test]
fn a_bad_translation_does_not_take_the_toast_with_it() {
    let raw =
        RawReply::Card { toast: Some(toast(&[("zh_cn", "好"), ("hi_in", "?")])), card: None };
    let (reply, faults) = left(Kind::CardAction, raw);
    let expected = json!({ "type": "success", "content": "done", "i18n": { "zh_cn": "好" } });
    assert_eq!(reply, Some(json!({ "toast": expected })));
    assert_eq!(faults, ["/toast/i18n/hi_in"]);
}

#[test]
fn malay_is_for_toasts_and_hindi_for_titles() {
    let title = |locale: &str| RawReply::Preview {
        inline: Some(InlinePreview {
            i18n_title: vec![(locale.to_owned(), "t".to_owned())],
            ..InlinePreview::default()
        }),
        card: None,
    };
    let shown = RawReply::Card { toast: Some(toast(&[("ms_my", "siap")])), card: None };
    assert!(left(Kind::CardAction, shown).1.is_empty());
    assert!(left(Kind::LinkPreview, title("hi_in")).1.is_empty());
    assert_eq!(left(Kind::LinkPreview, title("ms_my")).1, ["/inline/i18n_title/ms_my"]);
}

#[test]
fn the_fields_of_a_toast_are_checked() {
    let answer = json!({ "toast": { "type": "happy", "content": "x" } });
    let (reply, faults) = as_json(Kind::CardAction, &answer);
    assert_eq!(reply, Some(json!({ "toast": { "content": "x" } })));
    assert_eq!(faults, ["/toast/type"]);
    assert_eq!(as_json(Kind::CardAction, &json!({ "toast": { "content": 1 } })).0, None);
    assert_eq!(as_json(Kind::CardAction, &json!({ "toast": "x" })).0, None);
    assert_eq!(as_json(Kind::CardAction, &json!({})).0, Some(json!({})));
    assert_eq!(as_json(Kind::CardAction, &json!([])).0, None);
}

#[test]
fn the_fields_of_a_preview_are_checked() {
    let answer = json!({ "inline": { "title": 1, "image_key": "img_1", "url": { "pc": "https://a", "fridge": "x", "web": 2 } } });
    let (reply, faults) = as_json(Kind::LinkPreview, &answer);
    let expected = json!({ "inline": { "image_key": "img_1", "url": { "pc": "https://a" } } });
    assert_eq!(reply, Some(expected));
    assert_eq!(faults, ["/inline/title", "/inline/url/fridge", "/inline/url/web"]);
}

#[test]
fn an_old_cards_answer_is_the_card_itself() {
    let answer = json!({ "toast": { "content": "x" }, "elements": [{ "tag": "carousel" }] });
    let (reply, faults) = as_json(Kind::LegacyCard, &answer);
    assert_eq!(reply, Some(json!({ "toast": { "content": "x" } })));
    assert_eq!(faults, ["/elements/0/tag"]);
    let sound = json!({ "elements": [{ "tag": "hr" }] });
    assert_eq!(as_json(Kind::LegacyCard, &sound), (Some(sound), vec![]));
}

#[test]
fn a_custom_reply_is_json_and_no_redirect() {
    let reply = |status, body: &str| {
        left(
            Kind::LegacyCard,
            RawReply::Legacy(LegacyReply::Custom { status, body: body.to_owned() }),
        )
    };
    assert_eq!(reply(200, "{}").0, Some(json!({})));
    assert_eq!(reply(302, "{}"), (None, vec!["/status".to_owned()]));
    assert_eq!(reply(200, "{"), (None, vec!["/body".to_owned()]));
}

#[test]
fn an_update_is_the_card_or_the_template_beside_its_type() {
    let raw = Card::Raw(r#"{ "elements": [] }"#.to_owned());
    assert_eq!(check_update(&raw, None).unwrap(), r#"{"elements":[]}"#);
    assert!(check_update(&raw, Some(CardVersion::V2)).is_err());
    let template = Card::Template { id: "AAq1".to_owned(), version_name: None, variables: None };
    let expected = r#"{"type":"template","data":{"template_id":"AAq1"}}"#;
    assert_eq!(check_update(&template, Some(CardVersion::V2)).unwrap(), expected);
}
