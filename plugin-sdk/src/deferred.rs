//! Changing the card after the answer. This asks the host, so it works in a component only; called
//! from a native unit test it panics.

use crate::Card;
use crate::bindings::lark::callback::deferred;

pub use crate::bindings::lark::callback::deferred::DeferError;

/// Replaces the touched card once this callback's answer is on its way. The host keeps the order,
/// retries, and respects the platform's rate; the call itself only checks the card and queues it.
///
/// The platform lets a callback's token be used twice within 30 minutes. A card is at most 30 KB of
/// JSON and must be of the version (1.0 or 2.0) of the card it replaces.
///
/// # Errors
/// [`DeferError::NoCard`] if this callback has no card to update, [`DeferError::InvalidCard`] with the
/// broken limit and a JSON path, [`DeferError::UsedUp`] if both uses are spoken for.
pub fn update_card(card: impl Into<Card>) -> Result<(), DeferError> {
    deferred::update_card(&card.into())
}
