//! One app as the platform sees it.

use std::sync::MutexGuard;

use aviary_state::Mutex;
use tokio_util::sync::CancellationToken;

use crate::secret::Secret;
use crate::simulator::access_token::AccessTokens;
use crate::simulator::answers::Answers;
use crate::simulator::app_ticket::AppTickets;
use crate::simulator::config::AppKind;
use crate::simulator::config::ClientConfig;
use crate::simulator::config::SimulatedApp;
use crate::simulator::connections::Connections;
use crate::simulator::delivery::Delivery;
use crate::simulator::delivery::Door;
use crate::simulator::identifier;
use crate::simulator::script::ApplicationScript;
use crate::simulator::script::CardUpdateScript;
use crate::simulator::script::DiscoveryScript;
use crate::simulator::script::HandshakeScript;
use crate::simulator::script::PongScript;
use crate::simulator::script::TicketScript;
use crate::simulator::tally::Changes;
use crate::simulator::tally::Tally;
use crate::simulator::ticket::Tickets;

/// Settings, and everything that belongs to this app alone.
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

/// [`SimulatedApp`] with its gaps filled.
pub(super) struct Settings {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) kind: AppKind,
    pub(super) verification_token: Secret,
    pub(super) encrypt_key: Option<Secret>,
    pub(super) tenant_key: String,
}

/// What the app's client is told, and how it is treated.
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
        let settings = Settings {
            id: app.id,
            secret: app.secret,
            kind: app.kind,
            verification_token: app
                .verification_token
                .unwrap_or_else(|| Secret::new(identifier::hex(32))),
            encrypt_key: app.encrypt_key,
            tenant_key: app.tenant_key,
        };
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
            settings,
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

    /// What somebody sent through the control endpoint last.
    pub(super) fn last_by_hand(&self) -> MutexGuard<'_, Option<(Door, Delivery)>> {
        self.last_by_hand.lock()
    }

    pub(super) fn scripts(&self) -> MutexGuard<'_, Scripts> {
        self.scripts.lock()
    }
}
