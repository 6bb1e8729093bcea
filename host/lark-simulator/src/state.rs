//! State that all tasks of one simulator share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use aviary_state::Mutex;
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::SimulatorError;
use crate::app::App;
use crate::changes::Changes;
use crate::config::SimulatorConfig;
use crate::exchange::SendError;
use crate::host_words::HostWords;
use crate::loopback_client::LoopbackClient;
use crate::loopback_client::loopback_url;
use crate::record::Records;
use crate::update_token::UpdateTokens;

/// `Frame.service` of the first app, as in the captured frames.
const FIRST_SERVICE_ID: i32 = 33_554_678;

/// State of the whole platform.
pub(super) struct State {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ServerConfig>>,
    apps: HashMap<String, Arc<App>>,
    pub(super) update_tokens: UpdateTokens,
    pub(super) records: Records,
    pub(super) client: LoopbackClient,
    webhooks: Mutex<Vec<Url>>,
    pub(super) host_words: HostWords,
    pub(super) changes: Changes,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl State {
    pub(super) fn new(
        config: SimulatorConfig,
        address: SocketAddr,
    ) -> Result<Self, SimulatorError> {
        let changes = Changes::new();
        let stop = CancellationToken::new();
        let mut apps = HashMap::new();
        for (settings, service_id) in config.apps.into_iter().zip(FIRST_SERVICE_ID..) {
            let id = settings.id.clone();
            let app = App::new(settings, service_id, config.client_config, &changes, &stop);
            if apps.insert(id.clone(), Arc::new(app)).is_some() {
                return Err(SimulatorError::DuplicateApp { id });
            }
        }
        Ok(Self {
            address,
            tls: config.tls,
            apps,
            update_tokens: UpdateTokens::default(),
            records: Records::new(changes.clone()),
            client: LoopbackClient::new()?,
            webhooks: Mutex::default(),
            host_words: HostWords::new(changes.clone()),
            changes,
            tasks: TaskTracker::new(),
            stop,
        })
    }

    /// Returns `http` or `ws`, with an `s` where there is a certificate.
    pub(super) fn scheme(&self, plain: &str) -> String {
        if self.tls.is_some() { format!("{plain}s") } else { plain.to_owned() }
    }

    /// Lets somebody on the page or at the control endpoints have deliveries sent to this webhook.
    pub(super) fn open_webhook(&self, url: &str) -> Result<(), SendError> {
        let url = loopback_url(url)?;
        let mut webhooks = self.webhooks.lock();
        if !webhooks.contains(&url) {
            webhooks.push(url);
        }
        Ok(())
    }

    /// Returns the first of the opened webhooks.
    pub(super) fn first_webhook(&self) -> Option<String> {
        self.webhooks.lock().first().map(Url::to_string)
    }

    /// Returns the URL as it was opened. Another port of this machine may trust requests from this machine.
    pub(super) fn opened_webhook(&self, url: &str) -> Result<String, SendError> {
        let wanted = loopback_url(url)?;
        let webhooks = self.webhooks.lock();
        let unknown = || SendError::UnknownWebhook { url: url.to_owned() };
        webhooks.iter().find(|known| **known == wanted).map(Url::to_string).ok_or_else(unknown)
    }

    pub(super) fn app(&self, id: &str) -> Result<&Arc<App>, SendError> {
        self.apps.get(id).ok_or_else(|| SendError::UnknownApp { id: id.to_owned() })
    }

    pub(super) fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }
}
