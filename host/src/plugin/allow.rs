//! The allow lists of a plugin or of one of its routes. Without lists, everybody may click.

use std::collections::BTreeSet;

use lark_card::fault::Faults;
use serde::Deserialize;

use crate::callback::fallback::CustomToast;
use crate::callback::model::Callback;
use crate::plugin::toast_config::ToastConfig;

/// `[allow]` of a sidecar file, or `allow` of a route, which replaces it. A user has to be on every list that is present; an
/// empty list allows nobody.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Allow {
    open_ids: Option<BTreeSet<String>>,
    chats: Option<BTreeSet<String>>,
    tenants: Option<BTreeSet<String>>,
    sealed_only: bool,
    refusal: Option<ToastConfig>,
}

impl Allow {
    /// Tells whether the lists permit this callback. They concern clicks only: every other callback is permitted.
    pub fn permits(&self, callback: &Callback) -> bool {
        let Some(click) = callback.card_action() else { return true };
        let named = |list: &Option<BTreeSet<String>>, found: Option<&str>| match (list, found) {
            (None, _) => true,
            (Some(list), Some(found)) => list.contains(found),
            (Some(_), None) => false,
        };
        // A chat may have members of several tenants, and the callback is addressed to one of them.
        let tenant = click.operator.tenant_key.as_deref().unwrap_or(&callback.header.tenant_key);
        named(&self.open_ids, Some(&click.operator.open_id))
            && named(&self.chats, click.location.open_chat_id.as_deref())
            && named(&self.tenants, Some(tenant))
    }

    /// True if clicks with unsealed values are refused.
    pub fn sealed_only(&self) -> bool {
        self.sealed_only
    }

    /// Returns the toast for a click that is refused; `None` if the operator set none.
    pub fn refusal(&self) -> Result<Option<CustomToast>, Faults> {
        self.refusal.as_ref().map(ToastConfig::words).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::model::Body;
    use crate::callback::model::CardAction;
    use crate::callback::model::Header;
    use crate::callback::model::Location;
    use crate::callback::model::Operator;

    fn click(open_id: &str, chat: Option<&str>, tenant: Option<&str>) -> Callback {
        let operator = Operator {
            open_id: open_id.to_owned(),
            tenant_key: tenant.map(str::to_owned),
            ..Operator::default()
        };
        let location = Location { open_chat_id: chat.map(str::to_owned), ..Location::default() };
        let header = Header { tenant_key: "the app's".to_owned(), ..Header::default() };
        let body = Body::CardAction(CardAction { operator, location, ..CardAction::default() });
        let mut callback = Callback::default();
        (callback.header, callback.body) = (header, body);
        callback
    }

    fn allow(text: &str) -> Allow {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_list_that_is_there_must_name_who_clicks() {
        let cases = [
            ("", true),
            ("open_ids = [\"ou_1\", \"ou_2\"]", true),
            ("open_ids = [\"ou_2\"]", false),
            ("open_ids = []", false),
            ("chats = [\"oc_1\"]\ntenants = [\"t1\"]", true),
            ("chats = [\"oc_1\"]\ntenants = [\"t2\"]", false),
            ("chats = [\"oc_2\"]\nopen_ids = [\"ou_1\"]", false),
        ];
        for (text, permitted) in cases {
            let click = click("ou_1", Some("oc_1"), Some("t1"));
            assert_eq!(allow(text).permits(&click), permitted, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_named() {
        assert!(!allow("chats = [\"oc_1\"]").permits(&click("ou_1", None, None)));
        assert!(allow("tenants = [\"the app's\"]").permits(&click("ou_1", None, None)));
        assert!(allow("open_ids = []").permits(&Callback::default()), "no click");
    }
}
