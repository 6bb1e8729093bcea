//! Before a plugin is asked: who clicks, what the value is worth, how old an event is, and whether the same has happened
//! before.

use std::sync::Arc;
use std::time::Duration;

use sha2::Digest as _;
use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::model::Callback;
use crate::callback::model::CardAction;
use crate::callback::model::Kind;
use crate::callback::reply::Reply;
use crate::callback::seal::Owner;
use crate::callback::seal::SealFault;
use crate::deadline::Deadline;
use crate::dispatch::Dispatcher;
use crate::dispatch::cached;
use crate::dispatch::cached::Found;
use crate::dispatch::cached::Slot;
use crate::dispatch::once::Entered;
use crate::dispatch::once::Ticket;
use crate::dispatch::route::Picked;
use crate::dispatch::still_working;
use crate::plugin::allow::Allow;
use crate::plugin::decision::Decision;
use crate::plugin::decision::decide;
use crate::plugin::decision::host_words;
use crate::plugin::registry::Plugin;
use crate::store::marks::Mark;
use crate::store::update::now_ms;
use crate::telemetry::Outcome;

/// How long an event is remembered. The platform sends one again for seven hours.
const EVENTS_REMEMBERED: Duration = Duration::from_secs(8 * 60 * 60);

/// What a callback holds while it is answered: the right to be the one that is answered, and the one use of its value.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    same: Option<Ticket>,
    value: Option<Ticket>,
    preview: Option<Slot>,
}

impl Tickets {
    /// It was answered like this. Dropped without a word, it was not, and may be tried again.
    pub(super) async fn done(self, reply: &Reply, until: Instant) {
        if let Some(same) = self.same {
            same.done(reply, until).await;
        }
        if let Some(value) = self.value {
            // That it was used is all that is remembered of it.
            value.done(&Reply::accepted(), until).await;
        }
        if let Some(preview) = self.preview {
            preview.fill(reply);
        }
    }

    /// The place for a preview that is made after all.
    pub(super) fn take_preview(&mut self) -> Option<Slot> {
        self.preview.take()
    }
}

impl Dispatcher {
    /// Lets a callback through, with tickets if it shall happen once, or says what is answered in its place.
    pub(super) async fn gate(
        &self,
        picked: Picked<'_>,
        callback: &Arc<Callback>,
        deadline: Deadline,
    ) -> Result<Tickets, Decision> {
        let Picked { plugin, route, .. } = picked;
        match callback.kind() {
            Kind::LinkPreview => return self.preview(picked, callback, deadline).await,
            Kind::Other => not_too_old(plugin, callback)?,
            Kind::CardAction | Kind::LegacyCard => {}
        }
        let allow = plugin.allow(route);
        if !allow.permits(callback) {
            return Err(not_allowed(callback, allow, "not among those who may click"));
        }
        let once = self.value(plugin, allow, callback)?;
        let same = match self.mark(plugin, callback) {
            Some((mark, keep)) => Some(self.first(plugin, callback, &mark, keep, deadline).await?),
            None => None,
        };
        let Some((number, keep)) = once else { return Ok(Tickets { same, ..Tickets::default() }) };
        let mark = Mark::new(&self.app, "value", &number);
        match self.once.enter(&mark, keep, deadline.hard(), deadline.soft()).await {
            Entered::First(ticket) => Ok(Tickets { same, value: Some(ticket), preview: None }),
            Entered::Before(_) | Entered::Meanwhile => {
                let reason = Some("the value was good for one click, and that was made".to_owned());
                Err(host_words(callback, Reason::UsedUp, Outcome::Refused, reason))
            }
        }
    }

    /// What was made a moment ago, or the right to make it.
    async fn preview(
        &self,
        picked: Picked<'_>,
        callback: &Arc<Callback>,
        deadline: Deadline,
    ) -> Result<Tickets, Decision> {
        let kept = |reply| Err(Decision { reply, outcome: Outcome::Cached, reason: None });
        match self.cached.find(picked.plugin, callback) {
            None => Ok(Tickets::default()),
            Some(Found::Nothing(slot)) => Ok(Tickets { preview: Some(slot), ..Tickets::default() }),
            Some(Found::Fresh(reply) | Found::Stale(reply, None)) => kept(reply),
            Some(Found::Stale(reply, Some(slot))) => {
                self.make_anew(picked, callback, slot, deadline);
                kept(reply)
            }
            Some(Found::InTheMaking(making)) => {
                match cached::made(making, deadline.soft()).await {
                    Some(reply) => kept(reply),
                    // Nothing came of it, and there may be time to try again.
                    None if Instant::now() < deadline.soft() => Ok(Tickets::default()),
                    None => Err(still_working(callback, picked.plugin)),
                }
            }
        }
    }

    /// Asks the plugin although the answer is given already.
    fn make_anew(
        &self,
        Picked { plugin, handler, .. }: Picked<'_>,
        callback: &Arc<Callback>,
        slot: Slot,
        deadline: Deadline,
    ) {
        let (dispatcher, plugin, callback) =
            (self.clone(), Arc::clone(plugin), Arc::clone(callback));
        self.late.spawn(async move {
            // Nobody reads it, but its instance may serve another call, whose tape somebody does.
            let tape = dispatcher.tape(deadline);
            let started = dispatcher.start(&plugin, handler, &callback, deadline, tape).await;
            // The next one who asks tries again.
            let Ok(mut running) = started else { return };
            let decision = decide(&callback, running.report().await.result);
            if decision.outcome == Outcome::Answered {
                slot.fill(&decision.reply);
            }
        });
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
            Entered::Before(reply) => {
                Err(Decision { reply, outcome: Outcome::Repeated, reason: None })
            }
            Entered::Meanwhile => {
                let reason = Some("the same is being answered already".to_owned());
                Err(Decision { reason, ..still_working(callback, plugin) })
            }
        }
    }

    /// Checks the value's seal. If it is good for one click: its number, and how long that has to be remembered.
    fn value(
        &self,
        plugin: &Plugin,
        allow: &Allow,
        callback: &Callback,
    ) -> Result<Option<(String, Duration)>, Decision> {
        let Some(click) = callback.card_action() else { return Ok(None) };
        let owner = Owner { app: &self.app, plugin: plugin.name() };
        let value = click.action.value.as_deref().unwrap_or_default();
        let clicked_by = &click.operator.open_id;
        let refused =
            |why, reason: String| Err(host_words(callback, why, Outcome::Refused, Some(reason)));
        match plugin.seal_key().check(owner, value, clicked_by, now_ms() / 1000) {
            None if allow.sealed_only() => {
                refused(Reason::Forged, "the value has no seal".to_owned())
            }
            None => Ok(None),
            Some(Ok(genuine)) => {
                Ok(genuine.once.map(|(number, secs)| (number, Duration::from_secs(secs))))
            }
            Some(Err(fault @ SealFault::Forged)) => refused(Reason::Forged, fault.to_string()),
            Some(Err(fault @ SealFault::Expired)) => refused(Reason::Expired, fault.to_string()),
            Some(Err(fault @ SealFault::NotTheirs)) => {
                Err(not_allowed(callback, allow, &fault.to_string()))
            }
        }
    }

    /// What makes two callbacks the same, and for how long.
    fn mark(&self, plugin: &Plugin, callback: &Callback) -> Option<(Mark, Duration)> {
        match (callback.kind(), callback.card_action()) {
            (Kind::Other, _) => {
                let id = callback.header.event_id.as_deref()?;
                Some((Mark::new(&self.app, "event", id), EVENTS_REMEMBERED))
            }
            (Kind::CardAction | Kind::LegacyCard, Some(click)) => {
                let window = plugin.repeat_window()?;
                Some((Mark::new(&self.app, "click", &fingerprint(plugin, click)), window))
            }
            _ => None,
        }
    }
}

fn not_too_old(plugin: &Plugin, callback: &Callback) -> Result<(), Decision> {
    let created = callback.header.created_ms;
    let age = Duration::from_millis(now_ms().saturating_sub(created));
    match plugin.oldest_event() {
        Some(oldest) if created > 0 && age > oldest => {
            let (age, oldest) = (age.as_secs(), oldest.as_secs());
            let reason = Some(format!("the event is {age} s old, and the plugin takes {oldest} s"));
            // Acknowledged, because it does not get younger.
            Err(Decision { reply: Reply::accepted(), outcome: Outcome::TooOld, reason })
        }
        _ => Ok(()),
    }
}

/// The operator's words for that, or the host's.
fn not_allowed(callback: &Callback, allow: &Allow, reason: &str) -> Decision {
    let reason = Some(reason.to_owned());
    // Checked when the sidecar file was read.
    let words = allow.refusal().ok().flatten();
    match words.and_then(|words| words.reply(callback.kind())) {
        Some(reply) => Decision { reply, outcome: Outcome::Refused, reason },
        None => host_words(callback, Reason::NotAllowed, Outcome::Refused, reason),
    }
}

/// The same person, the same message, the same element, and the same put into it.
fn fingerprint(plugin: &Plugin, click: &CardAction) -> String {
    let CardAction { operator, action, location, .. } = click;
    let mut hash = sha2::Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(plugin.name());
    add(&operator.open_id);
    add(&action.tag);
    let optional = [
        &location.open_message_id,
        &location.url,
        &action.name,
        &action.value,
        &action.option,
        &action.input_value,
        &action.form_value,
    ];
    for text in optional {
        add(text.as_deref().unwrap_or_default());
    }
    action.options.iter().for_each(|option| add(option));
    add(match action.checked {
        Some(true) => "checked",
        Some(false) => "not checked",
        None => "",
    });
    hex::encode(hash.finalize())
}
