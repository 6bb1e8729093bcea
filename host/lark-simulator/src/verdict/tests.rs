//! Tests of the table from answers to what a user sees.

use serde_json::json;

use super::*;

fn click() -> Delivery {
    Delivery::card_action(json!({}))
}

fn given(body: &Value) -> Answer {
    Answer::Given { code: 200, body: Some(body.to_string().into()) }
}

fn error_code(delivery: &Delivery, answer: &Answer) -> Option<u32> {
    let verdict = judge(delivery, answer);
    if verdict.error.is_some() {
        let nothing_shown = verdict.toast.is_none() && verdict.card.is_none();
        assert!(nothing_shown, "an error hides everything else");
    }
    verdict.error.map(|error| error.code)
}

fn code_of(body: &Value) -> Option<u32> {
    error_code(&click(), &given(body))
}

fn toast_of(body: &Value, locale: &str) -> Option<(ToastKind, String)> {
    judge(&click().locale(locale), &given(body)).toast.map(|toast| (toast.kind, toast.text))
}

#[test]
fn no_usable_answer() {
    for (answer, code) in [
        (Answer::NotOnline, 200_340),
        (Answer::None, 200_341),
        (Answer::Unreachable, 200_342),
        (Answer::Broken, 200_080),
        (Answer::Given { code: 500, body: None }, 200_671),
        (Answer::Given { code: 302, body: Some("{}".into()) }, 200_671),
        (Answer::Garbled { code: None, reason: String::new() }, 200_672),
        (Answer::Garbled { code: Some(200), reason: String::new() }, 200_672),
        (Answer::Garbled { code: Some(500), reason: String::new() }, 200_671),
        (Answer::Given { code: 200, body: None }, 108_002),
        (Answer::Given { code: 200, body: Some("".into()) }, 200_672),
        (Answer::Given { code: 200, body: Some("<html>".into()) }, 200_672),
    ] {
        assert_eq!(error_code(&click(), &answer), Some(code), "{answer:?}");
    }
}

#[test]
fn wrong_types_are_a_wrong_format() {
    for body in [
        json!([]),
        json!("ok"),
        json!({"toast": "done"}),
        json!({"toast": {"type": "fatal", "content": "x"}}),
        json!({"toast": {"type": 1, "content": "x"}}),
        json!({"toast": {"content": 7}}),
        json!({"toast": {"content": "x", "i18n": []}}),
        json!({"toast": {"content": "x", "i18n": {"en_us": 1}}}),
        json!({"code": 0, "msg": "ok"}),
        json!({"toast": {"content": "x"}, "code": 0}),
        json!({"header": {}, "elements": []}),
        json!({"schema": "2.0", "body": {"elements": []}}),
        json!({"type": "raw", "data": {"elements": []}}),
        json!({"inline": {"title": "x"}}),
    ] {
        assert_eq!(code_of(&body), Some(200_672), "{body}");
    }
}

#[test]
fn an_empty_object_leaves_everything_as_it_is() {
    let expected = Verdict { acknowledged: true, ..Verdict::default() };
    assert_eq!(judge(&click(), &given(&json!({}))), expected);
    assert_eq!(judge(&click(), &given(&json!(null))), expected);
    assert_eq!(judge(&click(), &given(&json!({"toast": null, "card": null}))), expected);
    assert_eq!(judge(&click(), &given(&json!({"code": null}))), expected);
    let nulls =
        json!({"toast": {"type": null, "content": "x", "i18n": {"zh_cn": null, "en_us": null}}});
    assert_eq!(toast_of(&nulls, "en_us"), Some((ToastKind::Info, "x".into())));
    let template =
        json!({"template_id": "A", "template_variable": null, "template_version_name": null});
    assert_eq!(code_of(&json!({"card": {"type": "template", "data": template}})), None);
}

#[test]
fn a_toast_is_shown_in_the_viewers_language() {
    let both = json!({"toast": {"type": "success", "content": "done",
        "i18n": {"zh_cn": "已处理", "ja_jp": "完了"}}});
    let success = |text: &str| Some((ToastKind::Success, text.to_owned()));
    assert_eq!(toast_of(&both, "zh_cn"), success("已处理"));
    assert_eq!(toast_of(&both, "de_de"), success("done"));
    let only_translations = json!({"toast": {"i18n": {"en_us": "done", "zh_cn": "已处理"}}});
    assert_eq!(toast_of(&only_translations, "de_de"), Some((ToastKind::Info, "done".into())));
    assert_eq!(toast_of(&json!({"toast": {"type": "error"}}), "en_us"), None);
}

#[test]
fn cards() {
    let raw = |data: Value| json!({"card": {"type": "raw", "data": data}});
    let good = raw(json!({"schema": "2.0", "body": {"elements": [{"tag": "hr"}]}}));
    assert_eq!(judge(&click(), &given(&good)).card, Some(good["card"].clone()));
    let template = json!({"card": {"type": "template", "data": {"template_id": "AAq1"}}});
    assert_eq!(code_of(&template), None);
    for absent in [
        raw(json!({})),
        raw(json!({"schema": null, "elements": null})),
        raw(json!({"schema": "2.0", "body": {"elements": null}})),
        raw(json!({"schema": "2.0", "body": null})),
        json!({"card": {"type": "template", "data": {"template_id": "A", "template_variable": null}}}),
    ] {
        assert_eq!(code_of(&absent), None, "{absent}");
    }
    for body in [
        json!({"card": "{}"}),
        json!({"card": {}}),
        json!({"card": {"type": "card_json", "data": {}}}),
        json!({"card": {"type": "raw"}}),
        raw(json!("{\"elements\":[]}")),
        raw(json!({"schema": "3.0"})),
        raw(json!({"elements": {}})),
        raw(json!({"schema": "2.0", "body": []})),
        raw(json!({"elements": ["x".repeat(30 * 1024)]})),
        raw(json!({"elements": vec![json!({"tag": "hr"}); 201]})),
        json!({"card": {"type": "template", "data": {}}}),
        json!({"card": {"type": "template", "data": {"template_id": "A", "template_variable": 1}}}),
    ] {
        assert_eq!(code_of(&body), Some(200_673), "{body:.80}");
    }
}

#[test]
fn the_version_on_screen_decides() {
    let v1 = json!({"card": {"type": "raw", "data": {"elements": []}}});
    let v2 = json!({"card": {"type": "raw", "data": {"schema": "2.0", "body": {"elements": []}}}});
    let code = |schema, body| error_code(&click().on_screen(schema), &given(body));
    assert_eq!(code(CardSchema::V2, &v1), Some(200_830));
    assert_eq!(code(CardSchema::V1, &v2), Some(200_673));
    for (schema, body) in [(CardSchema::V1, &v1), (CardSchema::V2, &v2), (CardSchema::Unknown, &v1)]
    {
        assert_eq!(code(schema, body), None);
    }
}

#[test]
fn components_of_a_form_need_names() {
    let form = |input: Value| {
        let column =
            json!({"tag": "column_set", "columns": [{"tag": "column", "elements": [input]}]});
        let form = json!({"tag": "form", "name": "f", "elements": [column]});
        json!({"card": {"type": "raw", "data": {"schema": "2.0", "body": {"elements": [form]}}}})
    };
    assert_eq!(code_of(&form(json!({"tag": "input", "name": "i"}))), None);
    assert_eq!(code_of(&form(json!({"tag": "input"}))), Some(200_530));
    assert_eq!(code_of(&form(json!({"tag": "button", "name": ""}))), Some(200_530));
    let outside = json!({"card": {"type": "raw", "data": {"elements": [{"tag": "input"}]}}});
    assert_eq!(code_of(&outside), None);
}

#[test]
fn link_previews() {
    let link = Delivery::link_preview("https://issues.example.com/1").locale("zh_cn");
    let body = json!({"inline": {"title": "Issue 1", "i18n_title": {"zh_cn": "问题 1"},
        "url": {"copy_url": "https://x"}}});
    let verdict = judge(&link, &given(&body));
    assert_eq!(verdict.preview, Some(body["inline"].clone()));
    assert_eq!(verdict.preview_title.as_deref(), Some("问题 1"));
    for body in [
        json!({"inline": []}),
        json!({"inline": {"title": 1}}),
        json!({"inline": {"url": "https://x"}}),
        json!({"inline": {"url": {"pc": 1}}}),
        json!({"title": "x"}),
        json!({"toast": {"content": "x"}}),
        json!({"inline": {"title": "x"}, "msg": "ok"}),
    ] {
        assert_eq!(error_code(&link, &given(&body)), Some(200_672), "{body}");
    }
    let bad_card = json!({"inline": {"title": "x"}, "card": {"type": "raw", "data": 1}});
    assert_eq!(error_code(&link, &given(&bad_card)), Some(200_673));
}

#[test]
fn legacy_cards_are_at_the_top_level() {
    let legacy = Delivery::legacy_card(json!({}));
    let card = json!({"header": {}, "elements": []});
    let mut body = card.clone();
    body["toast"] = json!({"content": "ok"});
    let verdict = judge(&legacy, &given(&body));
    assert_eq!(verdict.card, Some(json!({"type": "raw", "data": card})));
    assert_eq!(verdict.toast.map(|toast| toast.text).as_deref(), Some("ok"));
    let template = json!({"type": "template", "data": {"template_id": "A"}});
    assert_eq!(judge(&legacy, &given(&template)).card, Some(template));
    for unchanged in [json!({}), json!({"msg": "success"})] {
        let verdict = judge(&legacy, &given(&unchanged));
        assert_eq!(verdict, Verdict { acknowledged: true, ..Verdict::default() });
    }
    assert_eq!(error_code(&legacy, &given(&json!({"elements": 1}))), Some(200_673));
    let wrapped = json!({"card": {"type": "raw", "data": {"elements": []}}});
    assert_eq!(error_code(&legacy, &given(&wrapped)), Some(200_672));
    assert_eq!(error_code(&legacy, &given(&json!({"type": "template"}))), Some(200_673));
}

#[test]
fn events_are_acknowledged_or_come_again() {
    let event = Delivery::event("im.message.receive_v1", json!({}));
    let acknowledged = |answer: &Answer| {
        let verdict = judge(&event, answer);
        assert_eq!(verdict.error, None, "nobody looks at an event");
        verdict.acknowledged
    };
    assert!(acknowledged(&Answer::Given { code: 200, body: None }));
    assert!(acknowledged(&given(&json!({"msg": "success"}))));
    assert!(!acknowledged(&Answer::Given { code: 500, body: None }));
    assert!(!acknowledged(&Answer::None));
    assert!(!acknowledged(&Answer::NotOnline));
}

#[test]
fn the_challenge_has_to_be_echoed() {
    let delivery = Delivery::challenge();
    let sent = delivery.challenge_text().unwrap();
    assert_eq!(error_code(&delivery, &given(&json!({"challenge": sent}))), None);
    assert_eq!(error_code(&delivery, &given(&json!({"challenge": "x"}))), Some(200_672));
    assert_eq!(error_code(&delivery, &given(&json!({}))), Some(200_672));
    let silent = Delivery::exact(DeliveryKind::Challenge, "{}");
    assert_eq!(error_code(&silent, &given(&json!({}))), Some(200_672));
}
