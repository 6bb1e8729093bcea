//! The flat bodies of the approval center, and the envelope in which plugins get them.

use std::fmt;

use lark_wire::signature::same_text;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use crate::callback::approval::ApprovalKind;

/// The member that vouches for the body. No plugin sees it.
const TOKEN: &str = "token";
/// The member that the host adds: the path of the request, the only thing that tells two controls or definitions apart.
const PATH: &str = "path";
/// Members that only a decision has.
const OF_A_DECISION: [&str; 2] = ["action_type", "approval_code"];
/// Members that a request for options may have besides its token.
const OF_OPTIONS: [&str; 6] =
    ["employee_id", "user_id", "linkage_params", "page_token", "query", "locale"];

/// The members of a flat body in their order, each value as it came.
pub(super) struct FlatMembers<'a>(Vec<(String, &'a RawValue)>);

impl<'a> FlatMembers<'a> {
    pub(super) fn read(body: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// Returns whether the body has exactly one token, and it is this one.
    pub(super) fn vouched_for(&self, token: &str) -> bool {
        let mut found = self.0.iter().filter(|(name, _)| name == TOKEN);
        let (Some((_, found)), None) = (found.next(), found.next()) else { return false };
        serde_json::from_str::<String>(found.get()).is_ok_and(|found| same_text(token, &found))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(member, _)| member == name)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for FlatMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = FlatMembers<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<FlatMembers<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(FlatMembers(members))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// Tells which kind of flat body a text is, by its members. For files, in which nothing else says so.
pub(in crate::callback) fn kind_of(body: &str) -> Option<ApprovalKind> {
    let members = FlatMembers::read(body).ok()?;
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
    let members = FlatMembers::read(body)?;
    let path = path.map(|path| (PATH, text(path)));
    let path = path.iter().map(|(name, path)| (*name, path.as_str()));
    let others = members.0.iter().map(|(name, value)| (name.as_str(), value.get()));
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
                FlatMembers::read(body).unwrap().vouched_for("right"),
                vouched_for,
                "{body}"
            );
        }
        assert!(FlatMembers::read(r#"["token"]"#).is_err());
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
