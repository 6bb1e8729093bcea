//! `lark:callback/deferred`: cards that are to be shown once the answer is on the wire.

use wasmtime::component::HasData;
use wasmtime::component::Linker;

use crate::bindings::handlers::lark::callback::types;
use crate::bindings::lark::callback::deferred;
use crate::callback::model::Json;
use crate::callback::reply::Card;
use crate::callback::reply_check::check_update;
use crate::capability::context::CallContext;
use crate::capability::interface::CONTRACT_VERSION;
use crate::capability::interface::Interface;

pub const INTERFACES: &[Interface] = &[Interface {
    name: "lark:callback/deferred",
    version: CONTRACT_VERSION,
    functions: &["update-card"],
}];

/// Updates that one callback's token is good for, by the platform's documentation.
pub const MAX_UPDATES: usize = 2;

/// The cards that the guest of one call wants shown later, in the order in which it asked, ready for `card/update`.
#[derive(Debug, Default)]
pub struct DeferredCards(Vec<Json>);

impl DeferredCards {
    /// Returns the cards at the end of the call.
    pub fn into_vec(self) -> Vec<Json> {
        self.0
    }
}

/// Collects the cards that a guest defers.
pub struct DeferredView<'a> {
    pub context: &'a CallContext,
    pub state: &'a mut DeferredCards,
}

impl HasData for DeferredView<'static> {
    type Data<'a> = DeferredView<'a>;
}

pub fn link<T>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> DeferredView<'_>,
) -> wasmtime::Result<()> {
    deferred::add_to_linker::<T, DeferredView<'static>>(linker, view)
}

impl deferred::Host for DeferredView<'_> {
    fn update_card(&mut self, card: types::Card) -> Result<(), deferred::DeferError> {
        let click = self.context.callback.card_action();
        if click.is_none_or(|click| click.update_token.is_empty()) {
            return Err(deferred::DeferError::NoCard);
        }
        let DeferredCards(cards) = &mut *self.state;
        if cards.len() == MAX_UPDATES {
            return Err(deferred::DeferError::UsedUp);
        }
        // The platform does not say which version of card JSON the screen shows.
        let update = check_update(&Card::from(card), None)
            .map_err(|faults| deferred::DeferError::InvalidCard(faults.to_string()))?;
        cards.push(update);
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
