//! Answers to the approval center: the check of a plugin's reply, and the answer that reports a failure.
//!
//! The rules are those of the platform's page on external options; its page on quick approvals says nothing of a good answer.

use std::collections::HashSet;

use lark_card::fault::At;
use lark_card::fault::Faults;
use lark_card::fault::Rule;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::callback::approval::ApprovalKind;
use crate::callback::reply::Answer;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;

/// The status of a decision that failed: the platform reads the `message` of an answer above 400.
const FAILED_STATUS: u16 = 422;
/// The `code` of options that failed: the documentation says any but 0.
const FAILED_CODE: i64 = 1;
/// Languages of the options' texts.
const LOCALES: [&str; 3] = ["zh_cn", "en_us", "ja_jp"];

/// Makes the answer that tells a person of a failure.
pub fn failed(kind: ApprovalKind, words: &str) -> Reply {
    match kind {
        ApprovalKind::ExternalOptions => Reply::ok(&json!({ "code": FAILED_CODE, "msg": words })),
        // The documentation has the switch as text. With it, the platform shows the words alone.
        ApprovalKind::QuickApproval => {
            let body = json!({ "message": words, "without_prefix": "true" });
            Reply(Answer::Body { status: FAILED_STATUS, json: body.to_string().into() })
        }
    }
}

/// Turns a plugin's reply into an answer, and lists the rules that it breaks. `None` if the platform could not read it.
pub(in crate::callback) fn check(
    kind: ApprovalKind,
    raw: RawReply,
    faults: &mut Faults,
) -> Option<Reply> {
    let text = match raw {
        RawReply::Json(text) => text,
        _ => {
            faults.push(&At::Root, Rule::Type, "the approval center is answered with JSON");
            return None;
        }
    };
    let answer = match serde_json::from_str(&text) {
        Ok(Value::Object(answer)) => answer,
        Ok(_) => {
            faults.push(&At::Root, Rule::Type, "an answer is an object");
            return None;
        }
        Err(error) => {
            faults.push(&At::Root, Rule::Json, error);
            return None;
        }
    };
    if kind == ApprovalKind::ExternalOptions && !options(&answer, faults) {
        return None;
    }
    // The plugin's own bytes, so that no number changes.
    Some(Reply(Answer::Body { status: 200, json: text.into() }))
}

/// Checks the answer with options. Returns false if the platform could not read it.
fn options(answer: &Map<String, Value>, faults: &mut Faults) -> bool {
    match answer.get("code").map(Value::as_i64) {
        Some(Some(0)) => {}
        // A failure that the plugin reports itself.
        Some(Some(_)) => return true,
        _ => {
            let words = "`code` is a number: 0, or another one for a failure";
            faults.push(&At::Root.key("code"), Rule::Required, words);
            return false;
        }
    }
    let (data, result) = (At::Root.key("data"), "result");
    let at = data.key(result);
    let Some(found) =
        answer.get("data").and_then(|data| data.get(result)).and_then(Value::as_object)
    else {
        let words = "an object with `options` and `i18nResources`; the host encrypts it where a key is configured";
        faults.push(&at, Rule::Required, words);
        return false;
    };
    let (Some(options), Some(resources)) = (list(found, "options"), list(found, "i18nResources"))
    else {
        let missing = if list(found, "options").is_none() { "options" } else { "i18nResources" };
        faults.push(&at.key(missing), Rule::Required, format!("`{missing}` is a list"));
        return false;
    };
    let values = values(options, &at, faults);
    texts(resources, &values, &at, faults);
    if found.get("hasMore") == Some(&Value::Bool(true)) && text(found, "nextPageToken").is_none() {
        let words = "where there is more, a page has the token of the next one";
        faults.push(&at.key("nextPageToken"), Rule::Required, words);
    }
    true
}

/// Checks the options, and returns the keys of their texts.
fn values<'a>(options: &'a [Value], at: &At<'_>, faults: &mut Faults) -> Vec<&'a str> {
    let (list, mut ids, mut values) = (at.key("options"), HashSet::new(), Vec::new());
    for (index, option) in options.iter().enumerate() {
        let at = list.index(index);
        let Some(option) = option.as_object() else {
            faults.push(&at, Rule::Type, "an option is an object");
            continue;
        };
        match text(option, "id") {
            Some(id) if ids.insert(id) => {}
            Some(_) => faults.push(&at.key("id"), Rule::DuplicateId, "another option has this id"),
            None => faults.push(&at.key("id"), Rule::Required, "an option has an id, a text"),
        }
        match text(option, "value") {
            Some(value) => values.push(value),
            None => {
                faults.push(&at.key("value"), Rule::Required, "the key of the option's text");
            }
        }
    }
    values
}

/// Checks that every option has its text in every language that is there.
fn texts(resources: &[Value], values: &[&str], at: &At<'_>, faults: &mut Faults) {
    let list = at.key("i18nResources");
    if resources.is_empty() {
        faults.push(&list, Rule::Required, "without a language, the platform shows empty options");
    }
    for (index, resource) in resources.iter().enumerate() {
        let at = list.index(index);
        let locale = resource.get("locale").and_then(Value::as_str).unwrap_or_default();
        if !LOCALES.contains(&locale) {
            let words = format!("{locale:?} is not one of {}", LOCALES.join(", "));
            faults.push(&at.key("locale"), Rule::Locale, words);
        }
        let Some(texts) = resource.get("texts").and_then(Value::as_object) else {
            faults.push(
                &at.key("texts"),
                Rule::Required,
                "the texts of the options, by their keys",
            );
            continue;
        };
        for value in values.iter().filter(|value| text(texts, value).is_none()) {
            let words = format!("there is no text for the option with the value {value:?}");
            faults.push(&at.key("texts").key(value), Rule::Required, words);
        }
    }
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a [Value]> {
    object.get(name)?.as_array().map(Vec::as_slice)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::reply::Outgoing;

    fn checked(kind: ApprovalKind, reply: &str) -> (Option<String>, String) {
        let mut faults = Faults::default();
        let reply = check(kind, RawReply::Json(reply.to_owned()), &mut faults);
        let body = reply.map(|reply| match reply.outgoing() {
            Outgoing::Body { status: 200, json } => String::from_utf8_lossy(json).into_owned(),
            other => panic!("{other:?}"),
        });
        (body, faults.to_string())
    }

    fn documented() -> Value {
        json!({
            "code": 0, "msg": "success!",
            "data": { "result": {
                "options": [
                    { "id": "1", "value": "@i18n@one", "isDefault": true },
                    { "id": "2", "value": "@i18n@two" },
                ],
                "i18nResources": [
                    { "locale": "zh_cn", "isDefault": true, "texts": { "@i18n@one": "一", "@i18n@two": "二" } },
                    { "locale": "en_us", "texts": { "@i18n@one": "one", "@i18n@two": "two" } },
                ],
                "hasMore": true, "nextPageToken": "next",
            } },
        })
    }

    #[test]
    fn the_documented_answer_goes_out_as_it_is() {
        let documented = documented().to_string();
        let (body, faults) = checked(ApprovalKind::ExternalOptions, &documented);
        assert_eq!((body.as_deref(), faults.as_str()), (Some(documented.as_str()), ""));
        let failure = r#"{"code": 40301, "msg": "not today"}"#;
        assert_eq!(checked(ApprovalKind::ExternalOptions, failure).0.as_deref(), Some(failure));
        let decided = r#"{"n":18446744073709551617}"#;
        assert_eq!(checked(ApprovalKind::QuickApproval, "{}").0.as_deref(), Some("{}"));
        assert!(checked(ApprovalKind::QuickApproval, decided).1.is_empty());
    }

    #[test]
    fn what_the_platform_cannot_read_is_not_sent() {
        for (reply, named) in [
            ("text", "/: "),
            ("[]", "object"),
            ("{}", "/code"),
            (r#"{"code":"0"}"#, "/code"),
            (r#"{"code":0}"#, "/data/result"),
            (r#"{"code":0,"data":{"result":"sealed"}}"#, "/data/result"),
            (r#"{"code":0,"data":{"result":{"options":[]}}}"#, "/data/result/i18nResources"),
        ] {
            let (body, faults) = checked(ApprovalKind::ExternalOptions, reply);
            assert!(body.is_none() && faults.contains(named), "{reply}: {faults}");
        }
        assert!(checked(ApprovalKind::QuickApproval, "[]").0.is_none());
    }

    #[test]
    fn what_it_would_show_badly_is_named() {
        for (pointer, value, named) in [
            ("/data/result/i18nResources", json!([]), "empty options"),
            ("/data/result/i18nResources/1/locale", json!("en"), "/i18nResources/1/locale"),
            ("/data/result/i18nResources/1/texts", json!({}), "@i18n@one"),
            ("/data/result/options/1/id", json!("1"), "another option has this id"),
            ("/data/result/options/1/id", json!(2), "/options/1/id"),
            ("/data/result/nextPageToken", json!(null), "nextPageToken"),
        ] {
            let mut answer = documented();
            *answer.pointer_mut(pointer).unwrap() = value;
            let (body, faults) = checked(ApprovalKind::ExternalOptions, &answer.to_string());
            assert!(body.is_some() && faults.contains(named), "{pointer}: {faults}");
        }
    }

    #[test]
    fn a_failure_is_told_in_the_form_of_its_kind() {
        let sent = |kind| match failed(kind, "no").outgoing() {
            Outgoing::Body { status, json } => (status, String::from_utf8_lossy(json).into_owned()),
            other => panic!("{other:?}"),
        };
        let options = (200, r#"{"code":1,"msg":"no"}"#.to_owned());
        assert_eq!(sent(ApprovalKind::ExternalOptions), options);
        let decision = (422, r#"{"message":"no","without_prefix":"true"}"#.to_owned());
        assert_eq!(sent(ApprovalKind::QuickApproval), decision);
    }
}
