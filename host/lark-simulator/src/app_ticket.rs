//! A store app's tickets: made when they are asked for, and pushed to the app as an event.

use aviary_state::Mutex;
use serde_json::json;

use crate::delivery::Delivery;
use crate::identifier;

/// "App ticket invalid".
pub(super) const TICKET_INVALID: i64 = 10_012;

/// The one that is good. Until one is pushed there is none.
#[derive(Default)]
pub(super) struct AppTickets(Mutex<Option<String>>);

impl AppTickets {
    /// A new one, on its way to the app. The one before is good no more, which is the strictest reading.
    pub(super) fn push(&self) -> Delivery {
        let ticket = identifier::hex(32);
        *self.0.lock() = Some(ticket.clone());
        Delivery::event_v1("app_ticket", json!({ "app_ticket": ticket }))
    }

    pub(super) fn is_good(&self, text: &str) -> bool {
        self.0.lock().as_deref() == Some(text)
    }

    /// None is good any more.
    pub(super) fn revoke(&self) {
        *self.0.lock() = None;
    }
}
