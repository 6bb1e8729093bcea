//! The handlers that a plugin exports.

use crate::bindings::handlers::exports::lark::callback::callback_handler;
use crate::bindings::handlers::exports::lark::callback::card_action_handler;
use crate::bindings::handlers::exports::lark::callback::event_handler;
use crate::bindings::handlers::exports::lark::callback::legacy_card_handler;
use crate::bindings::handlers::exports::lark::callback::link_preview_handler;
use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::model::Kind;
use crate::runtime::call::command::CommandHandler;
use crate::runtime::code::linked::Linked;

/// Indices of the exported handlers in a plugin's code.
#[derive(Default)]
pub struct Handlers {
    pub(super) card_action: Option<card_action_handler::GuestIndices>,
    pub(super) link_preview: Option<link_preview_handler::GuestIndices>,
    pub(super) legacy_card: Option<legacy_card_handler::GuestIndices>,
    pub(super) event: Option<event_handler::GuestIndices>,
    pub(super) callback: Option<callback_handler::GuestIndices>,
    /// For a plugin without handlers: a program that takes every callback as JSON.
    pub(super) command: Option<CommandHandler>,
    pub(super) info: Option<plugin_info::GuestIndices>,
}

impl Handlers {
    /// Finds the handlers. An interface of the right name with other types is ignored. `None` if there is no handler.
    pub(super) fn find(linked: &Linked) -> Option<Self> {
        let instance_pre = match linked {
            Linked::Component(instance_pre) => instance_pre,
            Linked::Program(_) => {
                return Some(Self { command: Some(CommandHandler::Program), ..Self::default() });
            }
        };
        let mut handlers = Self {
            card_action: card_action_handler::GuestIndices::new(instance_pre).ok(),
            link_preview: link_preview_handler::GuestIndices::new(instance_pre).ok(),
            legacy_card: legacy_card_handler::GuestIndices::new(instance_pre).ok(),
            event: event_handler::GuestIndices::new(instance_pre).ok(),
            callback: callback_handler::GuestIndices::new(instance_pre).ok(),
            command: None,
            info: plugin_info::GuestIndices::new(instance_pre).ok(),
        };
        if handlers.names().is_empty() {
            handlers.command = CommandHandler::exported(instance_pre);
        }
        (!handlers.names().is_empty()).then_some(handlers)
    }

    /// Tells whether there is a handler for that kind of callback.
    pub fn typed(&self, kind: Kind) -> bool {
        match kind {
            Kind::CardAction => self.card_action.is_some(),
            Kind::LinkPreview => self.link_preview.is_some(),
            Kind::LegacyCard => self.legacy_card.is_some(),
            Kind::Approval(_) => false,
            Kind::Other => self.event.is_some(),
        }
    }

    /// Tells whether there is a handler that takes JSON.
    pub fn json(&self) -> bool {
        self.callback.is_some() || self.command.is_some()
    }

    /// Returns the names in the contract, and `command` for a program.
    pub fn names(&self) -> Vec<&'static str> {
        [
            ("card-action-handler", self.card_action.is_some()),
            ("link-preview-handler", self.link_preview.is_some()),
            ("legacy-card-handler", self.legacy_card.is_some()),
            ("event-handler", self.event.is_some()),
            ("callback-handler", self.callback.is_some()),
            ("command", self.command.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, present)| present.then_some(name))
        .collect()
    }

    /// Tells whether both plugins take callbacks of the same kind through the same form.
    pub fn overlaps(&self, other: &Self) -> bool {
        // A program and a `callback-handler` take the same callbacks.
        (self.json() && other.json())
            || self.names().iter().any(|name| other.names().contains(name))
    }
}
