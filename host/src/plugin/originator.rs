//! The originator of a callback: a person and that person's tenant. Fair shares of a plugin and pauses are counted by it.
//!
//! An event names its sender in one of several places. If it names nobody, its chat stands in for the person, and if it has no
//! chat either, its tenant does.

use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::model::Location;
use crate::callback::model::Operator;

/// The seed is secret, so that nobody can choose identities whose hashes collide.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A tenant's hash, valid while this process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantId(u64);

/// A user's hash, together with the tenant; valid while this process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(u64);

/// The tenant and the person that a callback comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Originator {
    /// The person's own tenant, where it differs from the one that the callback is addressed to.
    pub tenant: TenantId,
    /// The person, or the chat or tenant that stands in.
    pub user: UserId,
}

/// A user within a tenant.
#[derive(Hash)]
enum Who<'a> {
    Person(&'a str),
    Chat(&'a str),
    Unknown,
}

impl Originator {
    /// Finds the originator of a callback.
    pub fn of(callback: &Callback) -> Self {
        let tenant = callback.tenants().operator;
        let of = |who: Who<'_>| Self {
            tenant: TenantId(SEED.hash_one(tenant)),
            user: UserId(SEED.hash_one((tenant, who))),
        };
        match &callback.body {
            Body::CardAction(card) | Body::LegacyCard(card) => {
                of(Who::of(&card.operator, &card.location))
            }
            Body::LinkPreview(preview) => of(Who::of(&preview.operator, &preview.location)),
            Body::Approval(request) => of(Who::of(&request.operator, &Location::default())),
            Body::Other(event) => of(EventIds::of(event).who()),
        }
    }

    #[cfg(test)]
    pub(crate) fn numbered(tenant: u64, user: u64) -> Self {
        Self { tenant: TenantId(tenant), user: UserId(user) }
    }
}

impl<'a> Who<'a> {
    fn of(operator: &'a Operator, location: &'a Location) -> Self {
        match (operator.any_id(), location.open_chat_id.as_deref()) {
            (Some(id), _) => Self::Person(id),
            (None, Some(chat)) => Self::Chat(chat),
            (None, None) => Self::Unknown,
        }
    }
}

/// The identities in an event. Members of another shape count as absent.
#[derive(Default)]
pub struct EventIds {
    /// The person that the event is about.
    pub open_id: Option<String>,
    /// The chat that the event is about.
    pub chat: Option<String>,
}

impl EventIds {
    /// Finds the identities in the `event` object.
    pub fn of(event: &Json) -> Self {
        #[derive(Deserialize)]
        struct EventBody<'a> {
            #[serde(borrow)]
            sender: Option<&'a RawValue>,
            #[serde(borrow)]
            operator_id: Option<&'a RawValue>,
            #[serde(borrow)]
            operator: Option<&'a RawValue>,
            #[serde(borrow)]
            user_id: Option<&'a RawValue>,
            #[serde(borrow)]
            open_id: Option<&'a RawValue>,
            #[serde(borrow)]
            message: Option<&'a RawValue>,
            #[serde(borrow)]
            chat_id: Option<&'a RawValue>,
            #[serde(borrow)]
            open_chat_id: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Sender<'a> {
            #[serde(borrow)]
            sender_id: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Person {
            open_id: String,
        }
        #[derive(Deserialize)]
        struct MessageBody {
            chat_id: String,
        }
        let Ok(event) = serde_json::from_str::<EventBody<'_>>(event) else {
            return Self::default();
        };
        let person = |ids: Option<&RawValue>| Some(read::<Person>(ids?)?.open_id);
        let sender = event.sender.and_then(read::<Sender<'_>>).map(|sender| sender.sender_id);
        let text = |member: Option<&RawValue>| read::<String>(member?);
        Self {
            open_id: person(sender)
                .or_else(|| person(event.operator_id))
                .or_else(|| person(event.operator))
                .or_else(|| person(event.user_id))
                .or_else(|| text(event.open_id)),
            chat: event
                .message
                .and_then(read::<MessageBody>)
                .map(|message| message.chat_id)
                .or_else(|| text(event.chat_id))
                .or_else(|| text(event.open_chat_id)),
        }
    }

    fn who(&self) -> Who<'_> {
        match (&self.open_id, &self.chat) {
            (Some(open_id), _) if !open_id.is_empty() => Who::Person(open_id),
            (_, Some(chat)) => Who::Chat(chat),
            _ => Who::Unknown,
        }
    }
}

fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::model::CardAction;

    fn click(header: &str, tenant: Option<&str>, open_id: &str) -> Originator {
        let operator = Operator {
            open_id: open_id.to_owned(),
            tenant_key: tenant.map(str::to_owned),
            ..Operator::default()
        };
        let mut callback = Callback::default();
        callback.header.tenant_key = header.to_owned();
        callback.body = Body::CardAction(CardAction { operator, ..CardAction::default() });
        Originator::of(&callback)
    }

    fn event(json: &str) -> Originator {
        let mut callback = Callback::default();
        callback.header.tenant_key = "t".to_owned();
        callback.body = Body::Other(json.to_owned());
        Originator::of(&callback)
    }

    #[test]
    fn a_person_is_told_by_tenant_and_id() {
        let ana = click("t", None, "ana");
        assert_eq!(ana, click("t", Some("t"), "ana"), "the tenant is the same, said or not");
        assert_eq!(ana.tenant, click("t", None, "bo").tenant);
        assert_ne!(ana.user, click("t", None, "bo").user);
        let guest = click("t", Some("u"), "ana");
        assert!(guest.tenant != ana.tenant && guest.user != ana.user);
        assert_ne!(click("a", Some("bc"), "d").user, click("a", Some("b"), "cd").user);
    }

    #[test]
    fn an_event_is_its_sender_s_or_its_chat_s() {
        let sent =
            event(r#"{"sender":{"sender_id":{"open_id":"ana"}},"message":{"chat_id":"oc_1"}}"#);
        let elsewhere =
            event(r#"{"sender":{"sender_id":{"open_id":"ana"}},"message":{"chat_id":"oc_2"}}"#);
        assert_eq!(sent, elsewhere, "one person in two chats is one person");
        for person in [
            r#"{"operator_id":{"open_id":"ana"}}"#,
            r#"{"operator":{"open_id":"ana"}}"#,
            r#"{"user_id":{"open_id":"ana"}}"#,
            r#"{"open_id":"ana","user_id":"867"}"#,
        ] {
            assert_eq!(event(person), sent, "{person}");
        }
        let chat = event(r#"{"chat_id":"oc_1"}"#);
        assert!(chat != sent && chat == event(r#"{"message":{"chat_id":"oc_1"},"sender":"x"}"#));
        assert_eq!(event("{}"), event("[1]"), "of such events only the tenant is known");
        assert_ne!(event("{}"), chat);
    }
}
