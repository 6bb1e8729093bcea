//! One app as the platform sees it.

use std::sync::MutexGuard;

use aviary_state::Mutex;
use tokio_util::sync::CancellationToken;

use crate::access_token::AccessTokens;
use crate::answers::Answers;
use crate::app_ticket::AppTickets;
use crate::changes::Changes;
use crate::config::ClientConfig;
use crate::config::SimulatedApp;
use crate::connections::Connections;
use crate::delivery::Delivery;
use crate::delivery::Door;
use crate::script::ApplicationScript;
use crate::script::CardUpdateScript;
use crate::script::DiscoveryScript;
use crate::script::HandshakeScript;
use crate::script::PongScript;
use crate::script::TicketScript;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::ticket::Tickets;

/// Settings and state of one app.
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) service_id: i32,
    scripts: Mutex<Scripts>,
    pub(super) connections: Connections,
    pub(super) tickets: Tickets,
    pub(super) access_tokens: AccessTokens,
    pub(super) app_tickets: AppTickets,
    pub(super) answers: Answers,
    pub(super) tally: Tally,
    last_by_hand: Mutex<Option<(Door, Delivery)>>,
}

/// Scripts of the app's answers, and the configuration that its clients are told.
pub(super) struct Scripts {
    pub(super) discovery: DiscoveryScript,
    pub(super) handshake: HandshakeScript,
    pub(super) card_update: CardUpdateScript,
    pub(super) application: ApplicationScript,
    pub(super) pong: PongScript,
    pub(super) ticket: TicketScript,
    pub(super) client_config: ClientConfig,
}

impl App {
    pub(super) fn new(
        app: SimulatedApp,
        service_id: i32,
        client_config: ClientConfig,
        changes: &Changes,
        stop: &CancellationToken,
    ) -> Self {
        let scripts = Scripts {
            discovery: DiscoveryScript::Normal,
            handshake: HandshakeScript::Normal,
            card_update: CardUpdateScript::Normal,
            application: ApplicationScript::default(),
            pong: PongScript::Normal,
            ticket: TicketScript::default(),
            client_config,
        };
        Self {
            settings: Settings::new(app),
            service_id,
            scripts: Mutex::new(scripts),
            connections: Connections::new(changes.clone(), stop.clone()),
            tickets: Tickets::default(),
            access_tokens: AccessTokens::default(),
            app_tickets: AppTickets::default(),
            answers: Answers::default(),
            tally: Tally::new(changes.clone()),
            last_by_hand: Mutex::default(),
        }
    }

    /// The door and delivery that somebody sent last through the control endpoint.
    pub(super) fn last_by_hand(&self) -> MutexGuard<'_, Option<(Door, Delivery)>> {
        self.last_by_hand.lock()
    }

    pub(super) fn scripts(&self) -> MutexGuard<'_, Scripts> {
        self.scripts.lock()
    }
}
