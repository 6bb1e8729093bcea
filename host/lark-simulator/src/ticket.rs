//! The one-time ticket that ties a WebSocket handshake to the discovery before it.

use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::time::Instant;

use crate::identifier;

/// Lifetime of a ticket. The platform's own value is not documented; clients use a ticket at once.
const LIFETIME: Duration = Duration::from_secs(60);
/// Most tickets per app, so that a client which only ever discovers cannot fill memory.
const MAX_TICKETS: usize = 1024;

/// Result of redeeming a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redemption {
    /// The ticket is good, and now used up.
    Accepted,
    /// The ticket is this app's, but used before or too old.
    Stale,
    /// The ticket is not one of this app's.
    Unknown,
}

/// The tickets that were issued, by their text.
pub(super) struct Tickets(Mutex<Bounded<String, Ticket>>);

impl Default for Tickets {
    fn default() -> Self {
        Self(Mutex::new(Bounded::new(MAX_TICKETS)))
    }
}

struct Ticket {
    issued: Instant,
    used: bool,
}

impl Tickets {
    pub(super) fn issue(&self, now: Instant) -> String {
        let text = identifier::hex(32);
        self.0.lock().insert(text.clone(), Ticket { issued: now, used: false });
        text
    }

    pub(super) fn redeem(&self, text: &str, now: Instant) -> Redemption {
        let mut tickets = self.0.lock();
        match tickets.get_mut(text) {
            None => Redemption::Unknown,
            Some(ticket) if ticket.used || now > ticket.issued + LIFETIME => Redemption::Stale,
            Some(ticket) => {
                ticket.used = true;
                Redemption::Accepted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_once_and_not_for_ever() {
        let tickets = Tickets::default();
        let now = Instant::now();
        let used = tickets.issue(now);
        assert_eq!(tickets.redeem(&used, now), Redemption::Accepted);
        assert_eq!(tickets.redeem(&used, now), Redemption::Stale);
        let old = tickets.issue(now);
        let later = now + LIFETIME + Duration::from_secs(1);
        assert_eq!(tickets.redeem(&old, later), Redemption::Stale);
        assert_eq!(tickets.redeem("made-up", now), Redemption::Unknown);
    }
}
