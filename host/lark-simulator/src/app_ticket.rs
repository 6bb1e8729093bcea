//! Tickets of a store app: made on request, and pushed to the app as an event.

use aviary_state::Mutex;
use serde_json::json;

use crate::delivery::Delivery;
use crate::identifier;

/// The code for "App ticket invalid".
pub(super) const TICKET_INVALID: i64 = 10_012;

/// The valid ticket; `None` until one is pushed.
#[derive(Default)]
pub(super) struct AppTickets(Mutex<Option<String>>);

impl AppTickets {
    /// Makes a new ticket and the event that brings it to the app. The one before becomes invalid, which is the strictest
    /// reading.
    pub(super) fn push(&self) -> Delivery {
        let ticket = identifier::hex(32);
        *self.0.lock() = Some(ticket.clone());
        Delivery::event_v1("app_ticket", json!({ "app_ticket": ticket }))
    }

    pub(super) fn is_good(&self, text: &str) -> bool {
        self.0.lock().as_deref() == Some(text)
    }

    /// Makes every ticket invalid.
    pub(super) fn revoke(&self) {
        *self.0.lock() = None;
    }
}
