//! `lark:callback/deferred`: cards that shall be shown once the answer is on the wire.

use crate::bindings::handlers::lark::callback::types;
use crate::bindings::lark::callback::deferred;
use crate::callback::model::Json;
use crate::callback::reply::Card;
use crate::callback::reply_check::check_update;

/// Updates that one callback's token is good for, by the platform's documentation.
pub const MAX_UPDATES: usize = 2;

/// What one call asked to be shown later.
#[derive(Debug, Default)]
pub struct DeferredCtx {
    has_card: bool,
    cards: Vec<Json>,
}

impl DeferredCtx {
    /// For a callback with a card to update, or without one.
    pub fn new(has_card: bool) -> Self {
        Self { has_card, cards: Vec::new() }
    }

    /// The cards in the order they were asked for, ready for `card/update`.
    pub fn into_cards(self) -> Vec<Json> {
        self.cards
    }
}

impl deferred::Host for DeferredCtx {
    fn update_card(&mut self, card: types::Card) -> Result<(), deferred::DeferError> {
        if !self.has_card {
            return Err(deferred::DeferError::NoCard);
        }
        if self.cards.len() == MAX_UPDATES {
            return Err(deferred::DeferError::UsedUp);
        }
        // The platform does not say which version of card JSON is on screen.
        let update = check_update(&Card::from(card), None)
            .map_err(|faults| deferred::DeferError::InvalidCard(faults.to_string()))?;
        self.cards.push(update);
        Ok(())
    }
}

impl From<types::Card> for Card {
    fn from(card: types::Card) -> Self {
        match card {
            types::Card::Raw(json) => Self::Raw(json),
            types::Card::Template(template) => Self::Template {
                id: template.id,
                version_name: template.version_name,
                variables: template.variables,
            },
        }
    }
}
