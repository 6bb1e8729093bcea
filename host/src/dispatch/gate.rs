//! Checks before a plugin is called: who may click, whether the value's seal is good, how old an event is, and whether the same
//! callback was answered before.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::model::Action;
use crate::callback::model::Callback;
use crate::callback::model::CardAction;
use crate::callback::model::Kind;
use crate::callback::model::Location;
use crate::callback::model::Operator;
use crate::callback::reply::Reply;
use crate::callback::seal::OneClick;
use crate::callback::seal::Owner;
use crate::callback::seal::SealCheck;
use crate::callback::seal::SealFault;
use crate::clock::now_ms;
use crate::deadline::Deadline;
use crate::dispatch::cached;
use crate::dispatch::cached::CacheLookup;
use crate::dispatch::cached::CacheSlot;
use crate::dispatch::cached::Cached;
use crate::dispatch::identity_key::Fields;
use crate::dispatch::once::Entered;
use crate::dispatch::once::Once;
use crate::dispatch::once::Ticket;
use crate::dispatch::route::Picked;
use crate::dispatch::still_working;
use crate::inbox::entry::message_id;
use crate::plugin::allow::Allow;
use crate::plugin::decision::Decision;
use crate::plugin::loaded::Plugin;
use crate::record::Outcome;
use crate::store::Store;
use crate::store::marks::Mark;

/// The time for which an event is remembered. The platform sends one again for seven hours.
pub(super) const EVENTS_REMEMBERED: Duration = Duration::from_secs(8 * 60 * 60);

/// The rights that a callback holds while it is answered: to be the first among its repetitions, to use its value once, and to
/// fill a slot of the preview cache.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    same: Option<Ticket>,
    value: Option<Ticket>,
    preview: Option<CacheSlot>,
}

impl Tickets {
    /// Remembers the answer. A `Tickets` that is dropped instead means that there was none, and the next one may try.
    pub(super) async fn done(self, reply: &Reply, until: Instant) {
        if let Some(same) = self.same {
            same.done(reply, until).await;
        }
        if let Some(value) = self.value {
            // Only the use of the value is remembered, and not its answer.
            value.done(&Reply::accepted(), until).await;
        }
        if let Some(preview) = self.preview {
            preview.fill(reply);
        }
    }

    /// Takes out the slot for a preview that comes after the answer.
    pub(super) fn take_preview(&mut self) -> Option<CacheSlot> {
        self.preview.take()
    }
}

/// The decision on a callback before its plugin is called.
pub(super) enum Passage {
    /// The plugin is asked.
    Open(Tickets),
    /// The plugin is not asked: this is answered in its place.
    Closed(Decision),
    /// The plugin is not called now: an older preview is the answer, and the plugin is to make it again.
    Stale(Decision, CacheSlot),
}

/// The gate in front of the plugins of one app.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    app: Arc<str>,
    once: Once,
    cached: Cached,
}

impl Gate {
    /// Makes a gate that remembers answered callbacks in `store`.
    pub(super) fn new(app: Arc<str>, store: Store) -> Self {
        Self { app, once: Once::new(store), cached: Cached::default() }
    }

    /// Lets a callback through, with tickets if it may be answered only once, or decides on the answer in its place.
    pub(super) async fn pass(
        &self,
        picked: Picked<'_>,
        callback: &Callback,
        deadline: Deadline,
    ) -> Passage {
        if callback.kind() == Kind::LinkPreview {
            return self.preview(picked.plugin, callback, deadline).await;
        }
        match self.admit(picked, callback, deadline).await {
            Ok(tickets) => Passage::Open(tickets),
            Err(decision) => Passage::Closed(decision),
        }
    }

    /// Decides on a click or an event.
    async fn admit(
        &self,
        Picked { plugin, route, .. }: Picked<'_>,
        callback: &Callback,
        deadline: Deadline,
    ) -> Result<Tickets, Decision> {
        if callback.kind() == Kind::Other {
            not_too_old(plugin, callback)?;
        }
        let allow = plugin.policy().allow(route);
        if !allow.permits(callback) {
            return Err(not_allowed(callback, allow, "not among those who may click"));
        }
        let one_click = self.value(plugin, allow, callback)?;
        let same = match self.mark(plugin, callback) {
            Some((mark, keep)) => Some(self.first(plugin, callback, &mark, keep, deadline).await?),
            None => None,
        };
        let Some(OneClick { number, valid_for }) = one_click else {
            return Ok(Tickets { same, ..Tickets::default() });
        };
        let mark = Mark::new(&self.app, "value", &number);
        match self.once.enter(&mark, valid_for, deadline.hard(), deadline.soft()).await {
            Entered::First(ticket) => Ok(Tickets { same, value: Some(ticket), preview: None }),
            Entered::Before(_) | Entered::Meanwhile => {
                let reason = Some("the value was good for one click, and that was made".to_owned());
                Err(Decision::by_host(callback, Reason::UsedUp, reason))
            }
        }
    }

    /// Decides on a link preview: a cached one, or the right to make one.
    async fn preview(
        &self,
        plugin: &Arc<Plugin>,
        callback: &Callback,
        deadline: Deadline,
    ) -> Passage {
        let kept = |reply| Decision::new(reply, Outcome::Cached, None);
        match self.cached.find(plugin, callback) {
            None => Passage::Open(Tickets::default()),
            Some(CacheLookup::Nothing(slot)) => {
                Passage::Open(Tickets { preview: Some(slot), ..Tickets::default() })
            }
            Some(CacheLookup::Fresh(reply) | CacheLookup::Stale(reply, None)) => {
                Passage::Closed(kept(reply))
            }
            Some(CacheLookup::Stale(reply, Some(slot))) => Passage::Stale(kept(reply), slot),
            Some(CacheLookup::Pending(making)) => {
                match cached::made(making, deadline.soft()).await {
                    Some(reply) => Passage::Closed(kept(reply)),
                    // The other request made no preview, and there may be time to try again.
                    None if Instant::now() < deadline.soft() => Passage::Open(Tickets::default()),
                    None => Passage::Closed(still_working(callback, plugin)),
                }
            }
        }
    }

    async fn first(
        &self,
        plugin: &Plugin,
        callback: &Callback,
        mark: &Mark,
        keep: Duration,
        deadline: Deadline,
    ) -> Result<Ticket, Decision> {
        match self.once.enter(mark, keep, deadline.hard(), deadline.soft()).await {
            Entered::First(ticket) => Ok(ticket),
            Entered::Before(reply) => Err(Decision::new(reply, Outcome::Repeated, None)),
            Entered::Meanwhile => {
                let reason = Some("the same is being answered already".to_owned());
                Err(Decision { reason, ..still_working(callback, plugin) })
            }
        }
    }

    /// Checks the seal of a click's value. Returns the one click of a value that is good for one.
    fn value(
        &self,
        plugin: &Plugin,
        allow: &Allow,
        callback: &Callback,
    ) -> Result<Option<OneClick>, Decision> {
        let Some(click) = callback.card_action() else { return Ok(None) };
        let owner = Owner { app: &self.app, plugin: plugin.name() };
        let value = click.action.value.as_deref().unwrap_or_default();
        let clicked_by = &click.operator.open_id;
        let refused = |why, reason: String| Err(Decision::by_host(callback, why, Some(reason)));
        match plugin.seal_key().check(owner, value, clicked_by, now_ms() / 1000) {
            SealCheck::Unsealed if allow.sealed_only() => {
                refused(Reason::Forged, "the value has no seal".to_owned())
            }
            SealCheck::Unsealed => Ok(None),
            SealCheck::Good { once } => Ok(once),
            SealCheck::Bad(fault @ SealFault::Forged) => refused(Reason::Forged, fault.to_string()),
            SealCheck::Bad(fault @ SealFault::Expired) => {
                refused(Reason::Expired, fault.to_string())
            }
            SealCheck::Bad(fault @ SealFault::NotTheirs) => {
                Err(not_allowed(callback, allow, &fault.to_string()))
            }
        }
    }

    /// Returns the mark that equal callbacks share and the time to remember it; `None` if repeated ones are answered again.
    fn mark(&self, plugin: &Plugin, callback: &Callback) -> Option<(Mark, Duration)> {
        match (callback.kind(), callback.card_action()) {
            (Kind::Other, _) => {
                let mark = event_marks(&self.app, callback).into_iter().next()?;
                Some((mark, EVENTS_REMEMBERED))
            }
            (Kind::CardAction | Kind::LegacyCard, Some(click)) => {
                let window = plugin.policy().repeat_window()?;
                let click = fingerprint(plugin.name(), callback, click)?;
                Some((Mark::new(&self.app, "click", &click), window))
            }
            _ => None,
        }
    }
}

/// Returns the marks that an event shares with its repetitions, the widest first: the platform sends one message under several
/// event ids. An empty id is no id.
pub(super) fn event_marks(app: &str, callback: &Callback) -> Vec<Mark> {
    let event_id = callback.header.event_id.as_deref().filter(|id| !id.is_empty());
    let message = message_id(callback).map(|id| ("message", id));
    let event = event_id.map(|id| ("event", id.to_owned()));
    let names = message.into_iter().chain(event);
    names
        .map(|(what, id)| {
            Mark::new(app, what, &Fields::of(what, callback).text(&id).key().to_hex())
        })
        .collect()
}

/// Refuses an event that is older than the plugin takes.
pub(super) fn not_too_old(plugin: &Plugin, callback: &Callback) -> Result<(), Decision> {
    let created = callback.header.created_ms;
    let age = Duration::from_millis(now_ms().saturating_sub(created));
    match plugin.policy().oldest_event() {
        Some(oldest) if created > 0 && age > oldest => {
            let (age, oldest) = (age.as_secs(), oldest.as_secs());
            let reason = Some(format!("the event is {age} s old, and the plugin takes {oldest} s"));
            // The event is acknowledged, because it would be too old the next time, too.
            Err(Decision::new(Reply::accepted(), Outcome::TooOld, reason))
        }
        _ => Ok(()),
    }
}

/// Refuses a click with the toast from the sidecar, or with the host's.
fn not_allowed(callback: &Callback, allow: &Allow, reason: &str) -> Decision {
    let reason = Some(reason.to_owned());
    // The toast was checked when the sidecar was read.
    let words = allow.refusal().ok().flatten();
    match words.and_then(|words| words.reply(callback.kind())) {
        Some(reply) => Decision::new(reply, Outcome::Refused, reason),
        None => Decision::by_host(callback, Reason::NotAllowed, reason),
    }
}

/// Returns a hash that two clicks share if the same person put the same into the same element in the same place. It covers
/// everything that a plugin may see of a click except its event id, time and token, which differ for every click. `None` if the
/// person is unknown, because two unknown people must not count as one. It holds across versions of a plugin: a new version is
/// bound by the old one's answer.
fn fingerprint(plugin: &str, callback: &Callback, click: &CardAction) -> Option<String> {
    let CardAction { operator, action, location, update_token: _ } = click;
    operator.any_id()?;
    let Operator { open_id, union_id, user_id, tenant_key: _ } = operator;
    let Action { tag, name, value, option, options, checked, input_value, form_value, timezone } =
        action;
    let Location { host, delivery_type, url, preview_token, open_message_id, open_chat_id } =
        location;
    let texts = [
        union_id,
        user_id,
        delivery_type,
        url,
        preview_token,
        open_message_id,
        open_chat_id,
        name,
        value,
        option,
        input_value,
        form_value,
        timezone,
    ];
    let fields = Fields::of("click", callback).text(plugin).text(open_id).text(host).text(tag);
    let fields = texts.into_iter().fold(fields, |fields, text| fields.optional(text.as_deref()));
    Some(fields.list(options).flag(*checked).key().to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::model::Body;

    fn click() -> (Callback, CardAction) {
        let mut callback = Callback::default();
        callback.header.tenant_key = "t".to_owned();
        let mut click = CardAction::default();
        click.operator.open_id = "ana".to_owned();
        click.location.open_message_id = Some("om".to_owned());
        (callback, click)
    }

    fn made(change: impl FnOnce(&mut Callback, &mut CardAction)) -> Option<String> {
        let (mut callback, mut click) = click();
        change(&mut callback, &mut click);
        callback.body = Body::CardAction(click.clone());
        fingerprint("p", &callback, &click)
    }

    #[test]
    fn whatever_a_plugin_may_see_of_a_click_makes_it_another() {
        let text = || Some("x".to_owned());
        let keys = [
            made(|_, _| {}),
            made(|callback, _| callback.header.tenant_key = "u".to_owned()),
            made(|callback, _| callback.header.event_type = "another".to_owned()),
            made(|_, click| click.operator.open_id = "bo".to_owned()),
            made(|_, click| click.operator.union_id = text()),
            made(|_, click| click.operator.user_id = text()),
            made(|_, click| click.operator.tenant_key = Some("visitor".to_owned())),
            made(|_, click| click.action.tag = "button".to_owned()),
            made(|_, click| click.action.name = text()),
            made(|_, click| click.action.value = text()),
            made(|_, click| click.action.option = text()),
            made(|_, click| click.action.options = vec!["checked".to_owned()]),
            made(|_, click| click.action.options = vec![String::new()]),
            made(|_, click| click.action.checked = Some(true)),
            made(|_, click| click.action.checked = Some(false)),
            made(|_, click| click.action.input_value = text()),
            made(|_, click| click.action.form_value = text()),
            made(|_, click| click.action.timezone = text()),
            made(|_, click| click.location.host = "im_message".to_owned()),
            made(|_, click| click.location.delivery_type = text()),
            made(|_, click| click.location.url = text()),
            made(|_, click| click.location.preview_token = text()),
            made(|_, click| click.location.open_message_id = text()),
            made(|_, click| click.location.open_chat_id = text()),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(key.is_some() && !keys[index + 1..].contains(key), "key {index} is made twice");
        }
    }

    #[test]
    fn a_second_click_is_the_same_and_a_stranger_s_is_nobody_s() {
        let second = made(|callback, click| {
            callback.header.event_id = Some("another".to_owned());
            callback.header.created_ms = 7;
            click.update_token = "c-2".to_owned();
            click.operator.tenant_key = Some("t".to_owned());
        });
        assert_eq!(second, made(|_, _| {}));
        assert_eq!(made(|_, click| click.operator.open_id = String::new()), None);
    }
}
