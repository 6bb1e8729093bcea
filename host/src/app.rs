//! The host, put together: from a checked configuration to open doors, and back to silence.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::admin;
use crate::admin::Health;
use crate::config::AppConfig;
use crate::config::Config;
use crate::dispatch::Dispatcher;
use crate::dispatch::admission::Admission;
use crate::dispatch::late::Late;
use crate::ingress::long_connection::LongConnection;
use crate::ingress::long_connection::status::Connections;
use crate::ingress::webhook;
use crate::ingress::webhook::WebhookApp;
use crate::open_api::transport::OpenApi;
use crate::open_api::transport::http_client;
use crate::plugin::engine::EngineError;
use crate::plugin::engine::GuestEngine;
use crate::plugin::registry::Registry;
use crate::plugin::reload::Folder;
use crate::plugin::status::FolderHandle;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::update::StoredUpdate;
use crate::telemetry;
use crate::telemetry::CallbackRecord;
use crate::telemetry::Observers;
use crate::tls;

/// How long a stopping host finishes what is under way. Kubernetes kills after 30 s by default.
const DRAIN: Duration = Duration::from_secs(25);

/// A running host.
#[derive(Debug)]
pub struct Host {
    shutdown: Shutdown,
    health: Health,
    observers: Observers,
    webhook: Option<SocketAddr>,
    admin: Option<(SocketAddr, tokio::task::JoinHandle<()>)>,
}

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The WebAssembly engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A port that cannot be had.
    #[error("{what}.listen: cannot listen on {address}: {error}")]
    Listen {
        /// `webhook` or `admin`.
        what: &'static str,
        /// As configured.
        address: SocketAddr,
        /// The system's words.
        error: std::io::Error,
    },
    /// The file that outlives the process.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client.
    #[error("cannot set up the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

impl Host {
    /// Loads the plugins, then opens the doors.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        telemetry::start_metrics();
        let shutdown = Shutdown::new();
        let observers = Observers::default();
        let engine = Arc::new(GuestEngine::new(config.guests)?);
        let admission = Arc::new(Admission::new(config.guests));
        let (store, mut left) = Store::open(&config.store.path)?;
        let tls = tls::client_config(&config.extra_roots);
        let http = http_client(&tls)?;
        let webhook = match &config.webhook {
            Some(webhook) => Some((listen("webhook", webhook.listen).await?, webhook.clone())),
            None => None,
        };
        let admin = match config.admin {
            Some(admin) => Some(listen("admin", admin.listen).await?),
            None => None,
        };
        let mut webhook_apps = Vec::new();
        let mut connections = Vec::new();
        let mut folders = Vec::new();
        for app in config.apps {
            let open_api = Arc::new(server_api(&app, &http));
            let late = Late::new(
                app.id.as_str().into(),
                Arc::clone(&open_api),
                store.clone(),
                shutdown.clone(),
            );
            late.resume(left.extract_if(.., |left| left.update.app == app.id).collect());
            let (registry, folder) = load_plugins(&app, &engine, &open_api, &shutdown).await;
            folders.push(folder);
            let dispatcher = Dispatcher::new(
                app.id.as_str().into(),
                Arc::clone(&engine),
                Arc::clone(&admission),
                registry,
                late,
                observers.clone(),
            );
            if let Some(path) = app.webhook_path.clone() {
                webhook_apps.push(WebhookApp {
                    path,
                    keys: app.keys.clone(),
                    dispatcher: dispatcher.clone(),
                });
            }
            if let Some(wanted) = app.long_connection {
                let all = Connections::new(app.id.as_str().into(), wanted.connections);
                for status in all.handles() {
                    let connection = LongConnection {
                        app_id: app.id.clone(),
                        app_secret: app.secret.clone(),
                        domain: app.domain.clone(),
                        http: http.clone(),
                        tls: Arc::clone(&tls),
                        dispatcher: dispatcher.clone(),
                        deadline: config.deadline,
                        silence: Duration::from_millis(wanted.silence_ms),
                    };
                    shutdown.spawn(connection.run(status, shutdown.clone()));
                }
                connections.push(all);
            }
        }
        forget_expired(&store, &left).await;
        let health = Health::new(connections, shutdown.clone());
        let webhook = webhook.map(|((listener, address), webhook)| {
            shutdown.spawn(webhook::run(
                listener,
                webhook_apps,
                webhook,
                config.deadline,
                shutdown.clone(),
            ));
            address
        });
        let admin = admin.map(|(listener, address)| {
            // Not tracked: it answers until the very end.
            (address, tokio::spawn(admin::serve(listener, health.clone(), folders.into())))
        });
        shutdown.spawn(keep_metrics_small(shutdown.clone()));
        shutdown.spawn(feel_the_pulse(shutdown.clone()));
        Ok(Self { shutdown, health, observers, webhook, admin })
    }

    /// Where the webhook listens.
    pub fn webhook_address(&self) -> Option<SocketAddr> {
        self.webhook
    }

    /// Whether every door is open, and what is missing if not.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Every callback from now on, as it stands in the log.
    pub fn observe(&self) -> broadcast::Receiver<Arc<CallbackRecord>> {
        self.observers.subscribe()
    }

    /// Takes no more work, finishes what is under way, closes everything. `false` if something did not finish in time.
    pub async fn stop(self) -> bool {
        self.shutdown.begin();
        let clean = self.shutdown.finished(DRAIN).await;
        if let Some((_, admin)) = self.admin {
            admin.abort();
        }
        tracing::info!(clean, "stopped");
        clean
    }
}

async fn keep_metrics_small(shutdown: Shutdown) {
    loop {
        tokio::select! {
            // Cancel safe: both only wait.
            () = shutdown.begun() => return,
            () = tokio::time::sleep(telemetry::METRICS_UPKEEP) => telemetry::fold_metrics(),
        }
    }
}

/// Measures how long the threads that do I/O let a timer wait. Whatever slows them slows every answer.
async fn feel_the_pulse(shutdown: Shutdown) {
    loop {
        let due = Instant::now() + telemetry::HEARTBEAT;
        tokio::select! {
            // Cancel safe: both only wait.
            () = shutdown.begun() => return,
            () = tokio::time::sleep_until(due) => telemetry::record_io_lateness(due.elapsed()),
        }
    }
}

async fn listen(
    what: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { what, address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(what, %address, "listening");
    Ok((listener, address))
}

fn server_api(app: &AppConfig, http: &reqwest::Client) -> OpenApi {
    OpenApi::new(app.id.clone(), app.secret.clone(), app.domain.clone(), http.clone())
}

/// What is left of apps that are configured no more stays for as long as it could still be shown.
async fn forget_expired(store: &Store, left: &[StoredUpdate]) {
    for left in left.iter().filter(|left| left.update.time_left().is_zero()) {
        if let Err(error) = store.done(left.id).await {
            tracing::warn!(%error, "an expired card update stays in the store");
        }
    }
}

/// The plugins of one app, live and followed.
async fn load_plugins(
    app: &AppConfig,
    engine: &Arc<GuestEngine>,
    open_api: &Arc<OpenApi>,
    shutdown: &Shutdown,
) -> (Registry, FolderHandle) {
    let id: Arc<str> = app.id.as_str().into();
    let registry = Registry::default();
    telemetry::set_plugins_live(&id, 0);
    let (mut folder, handle) = Folder::new(
        id,
        app.plugins.clone(),
        Arc::clone(engine),
        Arc::clone(open_api),
        registry.clone(),
    );
    folder.load_all().await;
    shutdown.spawn(folder.run(shutdown.clone()));
    (registry, handle)
}
