//! Where the handlers of a plugin are in its code.

use crate::bindings::handlers::exports::lark::callback::callback_handler;
use crate::bindings::handlers::exports::lark::callback::card_action_handler;
use crate::bindings::handlers::exports::lark::callback::event_handler;
use crate::bindings::handlers::exports::lark::callback::legacy_card_handler;
use crate::bindings::handlers::exports::lark::callback::link_preview_handler;
use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::model::Kind;
use crate::runtime::call::command::Command;
use crate::runtime::code::linked::Linked;

/// Where a plugin's handlers are, for those it exports.
#[derive(Default)]
pub struct Handlers {
    pub(super) card_action: Option<card_action_handler::GuestIndices>,
    pub(super) link_preview: Option<link_preview_handler::GuestIndices>,
    pub(super) legacy_card: Option<legacy_card_handler::GuestIndices>,
    pub(super) event: Option<event_handler::GuestIndices>,
    pub(super) callback: Option<callback_handler::GuestIndices>,
    /// Where there is no handler: the program takes every callback as JSON.
    pub(super) command: Option<Command>,
    pub(super) info: Option<plugin_info::GuestIndices>,
}

impl Handlers {
    /// Finds them. An interface of the right name and the wrong shape is as good as none, and then so is the plugin.
    pub(super) fn find(linked: &Linked) -> Option<Self> {
        let instance_pre = match linked {
            Linked::Component(instance_pre) => instance_pre,
            Linked::Program(_) => {
                return Some(Self { command: Some(Command::Program), ..Self::default() });
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
            handlers.command = Command::exported(instance_pre);
        }
        (!handlers.names().is_empty()).then_some(handlers)
    }

    /// Whether there is one made for that kind of callback.
    pub fn typed(&self, kind: Kind) -> bool {
        match kind {
            Kind::CardAction => self.card_action.is_some(),
            Kind::LinkPreview => self.link_preview.is_some(),
            Kind::LegacyCard => self.legacy_card.is_some(),
            Kind::Other => self.event.is_some(),
        }
    }

    /// Whether there is one that takes JSON.
    pub fn json(&self) -> bool {
        self.callback.is_some() || self.command.is_some()
    }

    /// As they are called in the contract, and `command` for a program.
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

    /// Whether both take some of the same callbacks.
    pub fn overlaps(&self, other: &Self) -> bool {
        // A program and a `callback-handler` take the same things.
        (self.json() && other.json())
            || self.names().iter().any(|name| other.names().contains(name))
    }
}
