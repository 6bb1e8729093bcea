//! The flat bodies of the approval center, and the envelope in which plugins get them.

use lark_wire::signature::same_text;

use crate::callback::approval::ApprovalKind;
use crate::callback::raw_object::RawObject;

/// The member that vouches for the body. No plugin sees it.
const TOKEN: &str = "token";
/// The member that the host adds: the path of the request, the only thing that tells two controls or definitions apart.
const PATH: &str = "path";
/// Members that only a decision has.
const OF_A_DECISION: [&str; 2] = ["action_type", "approval_code"];
/// Members that a request for options may have besides its token.
const OF_OPTIONS: [&str; 6] =
    ["employee_id", "user_id", "linkage_params", "page_token", "query", "locale"];

/// Returns whether a flat body has exactly one token, and it is this one.
pub(super) fn vouched_for(body: &RawObject<'_>, token: &str) -> bool {
    let mut found = body.0.iter().filter(|(name, _)| name == TOKEN);
    let (Some((_, found)), None) = (found.next(), found.next()) else { return false };
    serde_json::from_str::<String>(found.get()).is_ok_and(|found| same_text(token, &found))
}

/// Tells which kind of flat body a text is, by its members. For files, in which nothing else says so.
pub(in crate::callback) fn kind_of(body: &str) -> Option<ApprovalKind> {
    let members = RawObject::read(body).ok()?;
    if OF_A_DECISION.iter().all(|name| members.has(name)) {
        Some(ApprovalKind::QuickApproval)
    } else if members.has(TOKEN) && members.0.iter().all(|(name, _)| is_of_options(name)) {
        Some(ApprovalKind::ExternalOptions)
    } else {
        None
    }
}

fn is_of_options(name: &str) -> bool {
    name == TOKEN || OF_OPTIONS.contains(&name)
}

/// Puts a flat body into the envelope of the other callbacks, its values as they came. `path` is the path of the request.
pub(in crate::callback) fn in_envelope(
    kind: ApprovalKind,
    app: &str,
    path: Option<&str>,
    body: &str,
) -> Result<String, serde_json::Error> {
    let members = RawObject::read(body)?;
    let path = path.map(|path| (PATH, text(path)));
    let path = path.iter().map(|(name, path)| (*name, path.as_str()));
    let others = members.0.iter().map(|(name, value)| (&**name, value.get()));
    let others = others.filter(|(name, _)| *name != TOKEN && *name != PATH);
    let event: Vec<_> =
        path.chain(others).map(|(name, value)| format!("{}:{value}", text(name))).collect();
    Ok(format!(
        r#"{{"schema":"2.0","header":{{"event_type":{},"app_id":{}}},"event":{{{}}}}}"#,
        text(kind.event_type()),
        text(app),
        event.join(",")
    ))
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_its_values_and_loses_its_token() {
        let body = r#"{"action_type":"APPROVE","message_id":7690275278685244603,"n":1e400,"token":"t","path":"theirs"}"#;
        let envelope =
            in_envelope(ApprovalKind::QuickApproval, "cli_1", Some("/approval"), body).unwrap();
        assert_eq!(
            envelope,
            r#"{"schema":"2.0","header":{"event_type":"approval.quick_approval","app_id":"cli_1"},"event":{"path":"/approval","action_type":"APPROVE","message_id":7690275278685244603,"n":1e400}}"#
        );
    }

    #[test]
    fn one_token_vouches_for_a_body() {
        for (body, vouched_for) in [
            (r#"{"token":"right"}"#, true),
            (r#"{"user_id":"1","token":"right"}"#, true),
            (r#"{"token":"wrong"}"#, false),
            (r#"{"token":"right","token":"right"}"#, false),
            (r#"{"token":["right"]}"#, false),
            (r#"{"event":{"token":"right"}}"#, false),
            ("{}", false),
        ] {
            assert_eq!(
                super::vouched_for(&RawObject::read(body).unwrap(), "right"),
                vouched_for,
                "{body}"
            );
        }
        assert!(RawObject::read(r#"["token"]"#).is_err());
    }

    #[test]
    fn a_file_s_kind_is_seen_by_its_members() {
        let decision = r#"{"action_type":"REJECT","approval_code":"A","user_id":"u","token":"t"}"#;
        assert_eq!(kind_of(decision), Some(ApprovalKind::QuickApproval));
        let options = r#"{"user_id":"1","linkage_params":{},"token":"t","locale":"zh_cn"}"#;
        assert_eq!(kind_of(options), Some(ApprovalKind::ExternalOptions));
        for other in ["{}", "[]", r#"{"encrypt":"x"}"#, r#"{"token":"t","challenge":"c"}"#] {
            assert_eq!(kind_of(other), None, "{other}");
        }
    }
}
