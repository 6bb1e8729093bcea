//! Tests of answers that break a rule: which parts are left.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::callback::json_text;
use crate::callback::reply::InlinePreview;
use crate::callback::reply::Outgoing;
use crate::callback::reply::ToastKind;

fn left(kind: Kind, raw: RawReply) -> (Option<Value>, Vec<String>) {
    let checked = check(kind, raw, None);
    let faults = &checked.notes.faults;
    assert!(checked.reply.is_some() || !faults.is_empty(), "refused without a reason");
    let paths = faults.found().iter().map(|fault| fault.path.clone()).collect();
    let reply = checked.reply.map(|reply| match reply.outgoing() {
        Outgoing::Body { json, .. } => serde_json::from_slice(json).unwrap(),
        Outgoing::Accepted | Outgoing::Redeliver => Value::Null,
    });
    (reply, paths)
}

fn as_json(kind: Kind, answer: &Value) -> (Option<Value>, Vec<String>) {
    left(kind, RawReply::Json(answer.to_string()))
}

/// Returns the answer's text, the number of faults and the words for the log.
fn said(kind: Kind, reply: &str) -> (Option<String>, usize, String) {
    let checked = check(kind, RawReply::Json(reply.to_owned()), None);
    let reply = checked.reply.map(|reply| match reply.outgoing() {
        Outgoing::Body { json, .. } => String::from_utf8(json.to_vec()).unwrap(),
        Outgoing::Accepted | Outgoing::Redeliver => String::new(),
    });
    let words = checked.notes.words().unwrap_or_default();
    (reply, checked.notes.faults.count(), words)
}

fn is_mended(kind: Kind, reply: &str, expected: &str, words: &str) {
    let (answer, faults, said) = said(kind, reply);
    assert_eq!(answer.as_deref(), Some(expected), "{reply}: {said}");
    assert_eq!(faults, 0, "{reply}: {said}");
    assert!(said.starts_with("mended: ") && said.contains(words), "{reply}: {said}");
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

const HR: &str = r#"{"elements":[{"tag":"hr"}]}"#;
const V2: &str = r#"{"schema":"2.0","body":{"elements":[{"tag":"hr"}]}}"#;
const SHOWN: &str = r#"{"card":{"type":"raw","data":{"elements":[{"tag":"hr"}]}}}"#;
const SHOWN_2: &str =
    r#"{"card":{"type":"raw","data":{"schema":"2.0","body":{"elements":[{"tag":"hr"}]}}}}"#;
const TEMPLATE: &str = r#"{"card":{"type":"template","data":{"template_id":"A"}}}"#;

#[test]
fn a_card_without_its_wrapper_is_wrapped() {
    for kind in [Kind::CardAction, Kind::LinkPreview] {
        for (reply, shown) in [
            (HR, SHOWN),
            (V2, SHOWN_2),
            (r#"{"card":{"elements":[{"tag":"hr"}]}}"#, SHOWN),
            (r#"{"card":{"type":"raw","elements":[{"tag":"hr"}]}}"#, SHOWN),
            (r#"{"msg_type":"interactive","card":{"elements":[{"tag":"hr"}]}}"#, SHOWN),
            (r#"{"code":0,"msg":"ok","elements":[{"tag":"hr"}]}"#, SHOWN),
            (r#"{"type":"raw","data":{"elements":[{"tag":"hr"}]}}"#, SHOWN),
            (r#"{"card":{"data":{"elements":[{"tag":"hr"}]}}}"#, SHOWN),
            (r#"{"card":{"type":"card_json","data":{"elements":[{"tag":"hr"}]}}}"#, SHOWN),
            (r#"{"card":{"type":"raw","data":"{\"elements\":[{\"tag\":\"hr\"}]}"}}"#, SHOWN),
            (r#"{"card":"{\"elements\":[{\"tag\":\"hr\"}]}"}"#, SHOWN),
            (r#"{"type":"template","data":{"template_id":"A"}}"#, TEMPLATE),
            (r#"{"template_id":"A","template_variable":null}"#, TEMPLATE),
            (r#"{"card":{"template_id":"A"}}"#, TEMPLATE),
            (r#"{"card":{"type":null,"data":{"template_id":"A"}}}"#, TEMPLATE),
        ] {
            is_mended(kind, reply, shown, "");
        }
    }
    let both = r#"{"toast":{"content":"x"},"header":{},"elements":[]}"#;
    let shown =
        r#"{"toast":{"content":"x"},"card":{"type":"raw","data":{"header":{},"elements":[]}}}"#;
    is_mended(Kind::CardAction, both, shown, "a bare card");
}

#[test]
fn a_mended_card_is_still_held_to_the_rules() {
    let (reply, faults, words) = said(Kind::CardAction, r#"{"elements":[{"tag":"carousel"}]}"#);
    assert_eq!((reply, faults), (None, 1), "{words}");
    assert!(words.contains("/card/data/elements/0/tag"), "{words}");
}

#[test]
fn what_is_no_member_of_the_answer_is_named() {
    let ok = r#"{"toast":{"content":"x"},"code":0,"msg":"ok"}"#;
    is_mended(Kind::CardAction, ok, r#"{"toast":{"content":"x"}}"#, "`code`, `msg`");
    let ok = r#"{"inline":{"title":"x","colour":1},"toast":{}}"#;
    is_mended(Kind::LinkPreview, ok, r#"{"inline":{"title":"x"}}"#, "`colour`");
    is_mended(Kind::LinkPreview, ok, r#"{"inline":{"title":"x"}}"#, "`toast`");
    let bare = r#"{"type":"success","content":"x"}"#;
    is_mended(
        Kind::CardAction,
        bare,
        r#"{"toast":{"type":"success","content":"x"}}"#,
        "a bare toast",
    );
    is_mended(
        Kind::LinkPreview,
        r#"{"title":"x"}"#,
        r#"{"inline":{"title":"x"}}"#,
        "a bare preview",
    );
    let many: String = (0..100).map(|number| format!(r#""m{number}":0,"#)).collect();
    is_mended(
        Kind::CardAction,
        &format!(r#"{{{many}"toast":{{"content":"x"}}}}"#),
        r#"{"toast":{"content":"x"}}"#,
        "and 95 more",
    );
    for (kind, reply, named) in [
        (Kind::CardAction, r#"{"code":0,"msg":"ok"}"#, "`code`, `msg`"),
        (Kind::CardAction, r#"{"code":0,"toast":null}"#, "`code`"),
        (Kind::CardAction, r#"{"msg":"success"}"#, "`msg`"),
        (Kind::CardAction, r#"{"inline":{"title":"x"}}"#, "`inline`"),
        (Kind::LinkPreview, r#"{"toast":{"content":"x"}}"#, "`toast`"),
        (Kind::LinkPreview, r#"{"errcode":0}"#, "`errcode`"),
    ] {
        let (answer, faults, words) = said(kind, reply);
        assert_eq!((answer, faults), (None, 1), "{reply}: {words}");
        assert!(words.contains(named) && words.contains("200672"), "{reply}: {words}");
    }
    for broken in
        [r#"{"card":{}}"#, r#"{"card":{"type":"raw"}}"#, r#"{"card":7}"#, r#"{"card":"text"}"#]
    {
        let (answer, faults, words) = said(Kind::CardAction, broken);
        assert!(answer.is_none() && faults == 1 && words.starts_with("/card"), "{broken}: {words}");
    }
}

#[test]
fn an_old_cards_answer_has_no_wrapper() {
    is_mended(Kind::LegacyCard, SHOWN, HR, "its wrapper was taken off");
    is_mended(Kind::LegacyCard, r#"{"type":"raw","data":{"elements":[{"tag":"hr"}]}}"#, HR, "");
    is_mended(Kind::LegacyCard, r#"{"code":0}"#, "{}", "`code`");
    let template = r#"{"type":"template","data":{"template_id":"A"}}"#;
    is_mended(Kind::LegacyCard, TEMPLATE, template, "");
    let unchanged = |reply: &str, answer: &str| {
        let expected = (Some(answer.to_owned()), 0, String::new());
        assert_eq!(said(Kind::LegacyCard, reply), expected, "{reply}");
    };
    unchanged(r#"{"msg":"success"}"#, "{}");
    unchanged(template, template);
    unchanged(
        r#"{"type":"template","data":{"template_id":"A","template_version_name":null}}"#,
        template,
    );
    unchanged(r#"{"toast":null,"config":null,"elements":[{"tag":"hr"}]}"#, HR);
    let raw = RawReply::Legacy(LegacyReply::Card(Card::Raw(HR.to_owned())));
    assert_eq!(left(Kind::LegacyCard, raw), (Some(serde_json::from_str(HR).unwrap()), vec![]));
}

#[test]
fn null_is_absent() {
    let is = |kind, reply: &str, answer: &str| {
        assert_eq!(said(kind, reply), (Some(answer.to_owned()), 0, String::new()), "{reply}");
    };
    for nothing in [
        "null",
        " null\n",
        "{}",
        r#"{"card":null}"#,
        r#"{"toast":null,"card":null}"#,
        r#"{"code":null}"#,
        r#"{"toast":{}}"#,
        r#"{"toast":{"content":null,"i18n":null}}"#,
    ] {
        is(Kind::CardAction, nothing, "{}");
    }
    is(Kind::LinkPreview, r#"{"inline":null,"card":null}"#, "{}");
    is(Kind::LinkPreview, r#"{"inline":{"title":null,"url":null}}"#, "{}");
    is(Kind::LegacyCard, r#"{"toast":null}"#, "{}");
    is(Kind::Other, "null", "{}");
    is(
        Kind::CardAction,
        r#"{"toast":{"type":null,"content":"x","i18n":{"zh_cn":null,"en_us":"y"}},"card":null}"#,
        r#"{"toast":{"content":"x","i18n":{"en_us":"y"}}}"#,
    );
    is(
        Kind::CardAction,
        r#"{"toast":{"content":"x","i18n":{"zh_cn":null}}}"#,
        r#"{"toast":{"content":"x"}}"#,
    );
    is(
        Kind::LinkPreview,
        r#"{"inline":{"title":"x","i18n_title":null,"image_key":null,"url":{"pc":"https://a","ios":null}}}"#,
        r#"{"inline":{"title":"x","url":{"pc":"https://a"}}}"#,
    );
    is(
        Kind::CardAction,
        r#"{"card":{"type":"template","data":{"template_id":"A","template_variable":null,"template_version_name":null}}}"#,
        TEMPLATE,
    );
    is_mended(Kind::CardAction, r#"{"toast":{"type":"info"}}"#, "{}", "shows nothing");
}

#[test]
fn numbers_and_texts_go_out_as_they_came() {
    let value = r#"{"big":18446744073709551616,"float":0.10000000000000001,"e":5e36,"out":1e400}"#;
    let text = r#"{"tag":"plain_text","content":"x"}"#;
    let button = format!(r#"{{"tag":"button","text":{text},"value":{value}}}"#);
    let card = format!(r#"{{"elements":[{{"tag":"action","actions":[{button}]}}]}}"#);
    let shown = format!(r#"{{"card":{{"type":"raw","data":{card}}}}}"#);
    let is = |answer: Option<String>| assert_eq!(answer.as_deref(), Some(&*shown));
    is(said(Kind::CardAction, &shown).0);
    is(said(Kind::CardAction, &card).0);
    assert_eq!(said(Kind::LegacyCard, &card).0.as_ref(), Some(&card));
    assert_eq!(said(Kind::Other, value).0.as_deref(), Some(value));
    let typed = RawReply::Card { toast: None, card: Some(Card::Raw(card.clone())) };
    assert_eq!(check_late(Kind::CardAction, typed).card.as_ref(), Some(&card));
    assert_eq!(check_update(&Card::Raw(card.clone()), None).unwrap(), card);
    let variables = Some(value.to_owned());
    let template = Card::Template { id: "A".to_owned(), version_name: None, variables };
    let update = check_update(&template, None).unwrap();
    assert!(update.ends_with(&format!(r#""template_variable":{value}}}}}"#)), "{update}");
    let preview = card_as_preview(&card);
    let Outgoing::Body { json, .. } = preview.outgoing() else { panic!() };
    assert_eq!(json, shown.as_bytes());

    let half = r#"{"toast":{"content":"cut \ud83d"}}"#;
    assert_eq!(
        said(Kind::CardAction, half).0.as_deref(),
        Some("{\"toast\":{\"content\":\"cut \u{fffd}\"}}")
    );
    let (deep, far) = ("[".repeat(2000), "]".repeat(2000));
    let (answer, faults, _) = said(Kind::Other, &format!(r#"{{"a":{deep}{far}}}"#));
    assert_eq!((answer, faults), (None, 1));
    assert!(json_text::read::<Value>("1e400").is_ok());
}
