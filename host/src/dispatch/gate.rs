//! Before a plugin is asked: whether it wants an event that old, and whether the same has happened before.

use std::time::Duration;

use sha2::Digest as _;

use crate::callback::model::Callback;
use crate::callback::model::CardAction;
use crate::callback::model::Kind;
use crate::callback::reply::Reply;
use crate::deadline::Deadline;
use crate::dispatch::Decision;
use crate::dispatch::Dispatcher;
use crate::dispatch::once::Entered;
use crate::dispatch::once::Ticket;
use crate::dispatch::still_working;
use crate::plugin::registry::Plugin;
use crate::store::marks::Mark;
use crate::store::update::now_ms;
use crate::telemetry::Outcome;

/// How long an event is remembered. The platform sends one again for seven hours.
const EVENTS_REMEMBERED: Duration = Duration::from_secs(8 * 60 * 60);

impl Dispatcher {
    /// Lets a callback through, with a ticket if it shall happen once, or says what is answered in its place.
    pub(super) async fn gate(
        &self,
        plugin: &Plugin,
        callback: &Callback,
        deadline: Deadline,
    ) -> Result<Option<Ticket>, Decision> {
        if callback.kind() == Kind::Other {
            self.not_too_old(plugin, callback)?;
        }
        let Some((mark, keep)) = self.mark(plugin, callback) else { return Ok(None) };
        match self.once.enter(&mark, keep, deadline.hard(), deadline.soft()).await {
            Entered::First(ticket) => Ok(Some(ticket)),
            Entered::Before(reply) => {
                Err(Decision { reply, outcome: Outcome::Repeated, reason: None })
            }
            Entered::Meanwhile => {
                let reason = Some("the same is being answered already".to_owned());
                Err(Decision { reason, ..still_working(callback, plugin) })
            }
        }
    }

    fn not_too_old(&self, plugin: &Plugin, callback: &Callback) -> Result<(), Decision> {
        let created = callback.header.created_ms;
        let age = Duration::from_millis(now_ms().saturating_sub(created));
        match plugin.oldest_event() {
            Some(oldest) if created > 0 && age > oldest => {
                let (age, oldest) = (age.as_secs(), oldest.as_secs());
                let reason =
                    Some(format!("the event is {age} s old, and the plugin takes {oldest} s"));
                // Acknowledged, because it does not get younger.
                Err(Decision { reply: Reply::accepted(), outcome: Outcome::TooOld, reason })
            }
            _ => Ok(()),
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
