//! Answers to the approval center, which shows no codes.

use serde_json::Map;
use serde_json::Value;

use crate::approval::Approval;
use crate::delivery::Viewer;
use crate::user_error::Complaint;
use crate::user_error::UserError;
use crate::verdict::Answer;
use crate::verdict::OK;
use crate::verdict::Verdict;

/// Returns the verdict on an answer of the approval center's callback.
pub(super) fn judge(approval: Approval, viewer: &Viewer, answer: &Answer) -> Verdict {
    let judged = match approval {
        Approval::ExternalOptions => options(viewer, answer),
        Approval::QuickApproval => decision(answer),
    };
    let acknowledged = matches!(answer, Answer::Given { code: OK, .. });
    match judged {
        Ok(options) => Verdict { options, acknowledged, ..Verdict::default() },
        Err(error) => Verdict { error: Some(error), acknowledged, ..Verdict::default() },
    }
}

/// Returns the texts of the options in the viewer's language.
fn options(viewer: &Viewer, answer: &Answer) -> Result<Option<Vec<String>>, UserError> {
    let failed = |reason: &str| Complaint::NoOptions.because(reason);
    let body = match answer {
        Answer::Given { code: OK, body: Some(body) } => body,
        Answer::Given { code, .. } => return Err(failed(&format!("status {code}"))),
        _ => return Err(failed("no answer within the limit")),
    };
    let answer: Value = serde_json::from_slice(body).map_err(|_| failed("not JSON"))?;
    match answer["code"].as_i64() {
        Some(0) => {}
        Some(code) => return Err(failed(&format!("code {code}: {}", answer["msg"]))),
        None => return Err(failed("`code` is not a number")),
    }
    let result = &answer["data"]["result"];
    let options = result["options"].as_array().ok_or_else(|| failed("no list of `options`"))?;
    let resources = result["i18nResources"].as_array();
    let resources = resources.ok_or_else(|| failed("no list of `i18nResources`"))?;
    let texts = texts(resources, &viewer.locale);
    let shown = options.iter().map(|option| {
        let key = option["value"].as_str().ok_or_else(|| failed("an option without a `value`"))?;
        // An option without a text is an empty line.
        Ok(texts.and_then(|texts| texts.get(key)?.as_str()).unwrap_or_default().to_owned())
    });
    Ok(Some(shown.collect::<Result<_, _>>()?))
}

/// Chooses the texts in the viewer's language, else the default ones, else the first.
fn texts<'a>(resources: &'a [Value], locale: &str) -> Option<&'a Map<String, Value>> {
    let find = |wanted: &dyn Fn(&Value) -> bool| resources.iter().find(|resource| wanted(resource));
    let found = find(&|resource| resource["locale"] == locale)
        .or_else(|| find(&|resource| resource["isDefault"] == true))
        .or(resources.first())?;
    found["texts"].as_object()
}

/// Judges the answer to a decision: any good status will do, and a bad one shows the `message`.
fn decision(answer: &Answer) -> Result<Option<Vec<String>>, UserError> {
    match answer {
        Answer::Given { code: OK, .. } => Ok(None),
        Answer::Given { code, body } => {
            let body = body.as_deref().unwrap_or_default();
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let mut error = Complaint::NotDecided.because(format!("status {code}"));
            if let Some(message) = body["message"].as_str() {
                let alone = body["without_prefix"] == "true" || body["without_prefix"] == true;
                error.words =
                    if alone { message.to_owned() } else { format!("{} {message}", error.words) };
            }
            Err(error)
        }
        _ => Err(Complaint::NotDecided.because("no answer within the limit")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::delivery::CardSchema;

    fn judged(approval: Approval, status: i64, body: &Value) -> Verdict {
        let viewer = Viewer { locale: "en_us".into(), on_screen: CardSchema::Unknown };
        let body = Some(body.to_string().into());
        judge(approval, &viewer, &Answer::Given { code: status, body })
    }

    #[test]
    fn options_are_shown_in_the_viewer_s_language() {
        let answer = json!({ "code": 0, "data": { "result": {
            "options": [{ "id": "1", "value": "one" }, { "id": "2", "value": "two" }],
            "i18nResources": [
                { "locale": "zh_cn", "isDefault": true, "texts": { "one": "一", "two": "二" } },
                { "locale": "en_us", "texts": { "one": "One" } },
            ],
        } } });
        let shown = judged(Approval::ExternalOptions, 200, &answer);
        assert_eq!(shown.options.unwrap(), ["One", ""]);
        for wrong in
            [json!({}), json!({ "code": 1, "msg": "no" }), json!({ "code": 0, "data": {} })]
        {
            assert!(judged(Approval::ExternalOptions, 200, &wrong).error.is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_decision_that_fails_shows_its_message() {
        assert!(judged(Approval::QuickApproval, 200, &json!({})).error.is_none());
        let words = |body: &Value| judged(Approval::QuickApproval, 422, body).error.unwrap().words;
        assert_eq!(words(&json!({ "message": "no", "without_prefix": "true" })), "no");
        assert!(words(&json!({ "message": "no" })).ends_with(" no"));
        assert_eq!(words(&json!({})), "The decision could not be submitted.");
    }
}
