//! Assembles the host: starts it from a checked configuration, opens its doors, and stops it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::admin;
use crate::admin::Admin;
use crate::admin::doors::Doors;
use crate::admin::doors::Webhook;
use crate::callback::freshness::SignatureWindow;
use crate::callback::seal::SealKey;
use crate::capability::access::Outside;
use crate::capability::http::Outbound;
use crate::config::AppConfig;
use crate::config::ApprovalAddress;
use crate::config::Config;
use crate::deadline::DeadlineConfig;
use crate::dispatch::Dispatcher;
use crate::dispatch::DispatcherParts;
use crate::dispatch::admission::Admission;
use crate::dispatch::late;
use crate::dispatch::late::Late;
use crate::folder::Folder;
use crate::folder::FolderSpec;
use crate::folder::Promotion;
use crate::folder::registry::Registry;
use crate::folder::report::HostReport;
use crate::folder::status::FolderHandle;
use crate::inbox::Inbox;
use crate::inbox::config::InboxConfig;
use crate::inbox::places::WorkPlaces;
use crate::inbox::workers;
use crate::inbox::workers::Worker;
use crate::ingress::long_connection::LongConnection;
use crate::ingress::long_connection::Network;
use crate::ingress::long_connection::status::Connections;
use crate::ingress::webhook;
use crate::ingress::webhook::ApprovalApp;
use crate::ingress::webhook::Moment;
use crate::ingress::webhook::WebhookApp;
use crate::journal::writer::Journal;
use crate::journal::writer::JournalError;
use crate::open_api::transport::OpenApi;
use crate::open_api::transport::http_client;
use crate::open_api::vault::Keeps;
use crate::open_api::vault::Vault;
use crate::open_files;
use crate::record::CallbackRecord;
use crate::runtime::engine::EngineError;
use crate::runtime::engine::GuestEngine;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::update::StoredUpdate;
use crate::telemetry::Observers;
use crate::telemetry::events::LISTENING;
use crate::telemetry::events::STOPPED;
use crate::telemetry::history::History;
use crate::telemetry::metrics;
use crate::tls;
use crate::trace::Traces;

/// Time in which a stopping host finishes what is under way. Kubernetes kills after 30 s by default.
const DRAIN: Duration = Duration::from_secs(25);
/// Time in which the admin port then finishes its answers, which are made in milliseconds.
const ADMIN_DRAIN: Duration = Duration::from_millis(500);

/// A running host. In a server of one's own:
///
/// ```no_run
/// # async fn embed(config: aviary::Config) -> Result<(), Box<dyn std::error::Error>> {
/// let host = aviary::Host::builder(config).metrics(aviary::Metrics::Installed).start().await?;
/// let routes = axum::Router::new().merge(host.router());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// axum::serve(listener, routes).await?;
/// host.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Host {
    shutdown: Shutdown,
    doors: Doors,
    observers: Observers,
    router: Router,
    webhook: Option<SocketAddr>,
    admin: Option<Shutdown>,
    folders: Arc<[FolderHandle]>,
    journal: Option<Journal>,
    traces: Option<Traces>,
}

/// A host before it starts.
#[derive(Debug)]
pub struct HostBuilder {
    config: Config,
    metrics: Metrics,
}

/// Recorder of the host's metrics; a process has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metrics {
    /// Into a recorder of the host's own, which the admin port shows.
    #[default]
    Own,
    /// Into the recorder that the surrounding server has installed, or nowhere.
    Installed,
}

/// Reason why a host did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The WebAssembly engine could not be created.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A port could not be opened.
    #[error("{what}.listen: cannot listen on {address}: {error}")]
    Listen {
        /// Section of the configuration: `webhook` or `admin`.
        what: &'static str,
        /// Address from the configuration.
        address: SocketAddr,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The store, which outlives the process, could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder of the journal could not be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

impl HostBuilder {
    /// Sets the recorder of the host's metrics.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Loads the plugins, then opens the doors: the long connections, and the webhook where the configuration says on
    /// which address to listen. Plugins that take longer than `guests.start_wait_secs` follow as they become ready, and
    /// [`Host::missing`] names them until then.
    pub async fn start(self) -> Result<Host, StartError> {
        let config = self.config;
        if self.metrics == Metrics::Own {
            metrics::start();
        }
        let shutdown = Shutdown::new();
        warn_of_open_files(&config);
        let webhook = listen("webhook", config.webhook.listen).await?;
        // Taken after the port was opened: from now on nobody else answers there.
        let began = Moment::now();
        let admin = listen("admin", config.admin.as_ref().map(|admin| admin.listen)).await?;
        let history = config.admin.is_some().then(|| Arc::new(History::beginning()));
        let observers = Observers::new(history.clone());
        let parts = Parts::new(&config, observers, shutdown.clone()).await?;
        // No click waits for the rules of cards to be read.
        tokio::task::spawn_blocking(lark_card::prepare);
        let mut left = parts.store.take_pending_updates();
        let (observers, http) = (&parts.observers, &parts.network.http);
        let traces = config.trace.map(|trace| Traces::start(trace, observers, http.clone()));
        let (mut apps, mut approvals, mut webhooks) = (Vec::new(), Vec::new(), Vec::new());
        let mut connections = Vec::new();
        let (mut folders, mut inboxes) = (Vec::new(), Vec::new());
        let loading = config.apps.iter().map(|app| {
            let left: Vec<_> = left.extract_if(.., |left| left.update.app == app.id).collect();
            parts.load_plugins(app, left, Instant::now() + config.guests.start_wait())
        });
        // All at once: one app's plugins must not use up the time in which another's would be loaded.
        let loaded = join_all(loading.collect::<Vec<_>>()).await;
        for (app, LoadedApps { dispatcher, folder, inbox }) in config.apps.iter().zip(loaded) {
            folders.push(folder);
            inboxes.push(inbox);
            if let Some(path) = app.webhook_path.clone() {
                let (keys, dispatcher) = (app.keys.clone(), Arc::clone(&dispatcher));
                let address = webhook.as_ref().map(|(_, address)| *address);
                webhooks.push(Webhook { app: app.id.clone(), path: path.clone(), address });
                apps.push(WebhookApp { path, keys, dispatcher });
            }
            approvals.extend(app.approval.iter().cloned().map(|address| {
                let ApprovalAddress { kind, path, keys } = address;
                ApprovalApp { kind, path, keys, dispatcher: Arc::clone(&dispatcher) }
            }));
            connections.extend(parts.connect(app, &dispatcher, config.deadline));
        }
        parts.forget_expired(&left).await;
        if !apps.is_empty() && config.webhook.signature_window_secs != SignatureWindow::Off {
            began.second_is_over().await;
        }
        let router = webhook::router(apps, approvals, &config.webhook, config.deadline, began);
        let webhook = webhook.map(|(listener, address)| {
            let (router, limits, tls) = (router.clone(), config.webhook, config.webhook_tls);
            shutdown.spawn(webhook::server::serve(listener, router, limits, tls, shutdown.clone()));
            say_listening("webhook", address);
            address
        });
        let folders: Arc<[FolderHandle]> = folders.into();
        let doors = Doors::new(connections, webhooks, Arc::clone(&folders), shutdown.clone());
        let admin = admin.zip(history).map(|((listener, address), history)| {
            let (doors, folders, inboxes) = (doors.clone(), Arc::clone(&folders), inboxes.into());
            let token = config.admin.and_then(|admin| admin.token);
            // It has a shutdown of its own, because it answers until the very end.
            let stop = Shutdown::new();
            let admin = Admin { doors, folders, inboxes, history, token };
            stop.spawn(admin::serve(listener, admin, stop.clone()));
            say_listening("admin", address);
            stop
        });
        if self.metrics == Metrics::Own {
            shutdown.spawn(fold_metrics(shutdown.clone()));
        }
        shutdown.spawn(renew_figures(shutdown.clone()));
        shutdown.spawn(measure_timer_lateness(shutdown.clone()));
        let (observers, journal) = (parts.observers, parts.journal);
        Ok(Host { shutdown, doors, observers, router, webhook, admin, folders, journal, traces })
    }
}

impl Host {
    /// Returns a builder of a host with this configuration.
    pub fn builder(config: Config) -> HostBuilder {
        HostBuilder { config, metrics: Metrics::default() }
    }

    /// Every app's webhook at its path, for a server of one's own to mount. It brings its limits along, except those
    /// that only a listener can keep: how many connections there are, and how slow a head may be.
    ///
    /// Behind another server's connection nobody sees when an answer leaves or when its request began: the deadline
    /// starts with the head read, and card updates follow a tenth of a second after the answer was handed over. Stop
    /// the server before the host, so that nothing comes in that nobody answers.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Returns the address that the webhook listens on, if it does.
    pub fn webhook_address(&self) -> Option<SocketAddr> {
        self.webhook
    }

    /// Names what is missing before every door is open; empty when the host is ready.
    pub fn missing(&self) -> Vec<String> {
        self.doors.missing()
    }

    /// Lists the loaded plugins, and the reason for each file that is not live, as `/plugins` on the admin port does.
    pub fn plugins(&self) -> HostReport {
        admin::plugins::report(&self.folders)
    }

    /// The plugins folder of each app, in the order of the configuration file.
    pub(crate) fn folders(&self) -> &[FolderHandle] {
        &self.folders
    }

    /// Subscribes to the records of all callbacks from now on, as they are in the log.
    pub fn observe(&self) -> broadcast::Receiver<Arc<CallbackRecord>> {
        self.observers.subscribe()
    }

    /// Stops taking work, finishes what is under way and closes everything. Returns `false` if something did not finish in time.
    pub async fn stop(self) -> bool {
        self.shutdown.begin();
        let clean = self.shutdown.finished(DRAIN).await;
        if let Some(journal) = self.journal {
            // Nothing is left to do if the thread that closes it has panicked.
            let _ = tokio::task::spawn_blocking(move || journal.close()).await;
        }
        if let Some(traces) = self.traces {
            traces.close().await;
        }
        if let Some(admin) = self.admin {
            admin.begin();
            // Clients that read an answer slowly are not waited for.
            admin.finished(ADMIN_DRAIN).await;
        }
        tracing::info!(clean, "{STOPPED}");
        clean
    }
}

/// Warns of too low a limit: the host would start, and fail later, when it is busiest.
fn warn_of_open_files(config: &Config) {
    let needed = config.open_files();
    if let Some(limit) = open_files::limit().filter(|limit| *limit < needed) {
        tracing::warn!(
            limit,
            needed,
            "this process may open fewer files than its settings can need: raise the limit (`ulimit -n`, LimitNOFILE for systemd), or lower webhook.max_connections or guests.max_calls"
        );
    }
}

async fn fold_metrics(shutdown: Shutdown) {
    loop {
        tokio::select! {
            // Cancel safe: both only wait.
            () = shutdown.begun() => return,
            () = tokio::time::sleep(metrics::UPKEEP) => metrics::fold(),
        }
    }
}

async fn renew_figures(shutdown: Shutdown) {
    loop {
        tokio::select! {
            // Cancel safe: both only wait.
            () = shutdown.begun() => return,
            () = tokio::time::sleep(metrics::RENEWAL) => metrics::renew(),
        }
    }
}

/// Measures how late timers fire on the threads that do I/O. Anything that delays those delays every answer.
async fn measure_timer_lateness(shutdown: Shutdown) {
    loop {
        let due = Instant::now() + metrics::HEARTBEAT;
        tokio::select! {
            // Cancel safe: both only wait.
            () = shutdown.begun() => return,
            () = tokio::time::sleep_until(due) => metrics::record_io_lateness(due.elapsed()),
        }
    }
}

async fn listen(
    what: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let failed = |error| StartError::Listen { what, address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some((listener, address)))
}

/// Logs that a port is served. Connections wait before that; requests that are signed meanwhile count as from before the start.
fn say_listening(what: &'static str, address: SocketAddr) {
    tracing::info!(what, %address, "{LISTENING}");
}

/// What the inboxes of all apps share.
struct Work {
    config: InboxConfig,
    places: Arc<WorkPlaces>,
}

/// One app with its plugins.
struct LoadedApps {
    dispatcher: Arc<Dispatcher>,
    folder: FolderHandle,
    inbox: Inbox,
}

/// Parts that all apps of a host share.
struct Parts {
    engine: Arc<GuestEngine>,
    admission: Arc<Admission>,
    network: Network,
    store: Store,
    work: Work,
    keeps: Keeps,
    journal: Option<Journal>,
    promotion: Promotion,
    observers: Observers,
    shutdown: Shutdown,
}

impl Parts {
    async fn new(
        config: &Config,
        observers: Observers,
        shutdown: Shutdown,
    ) -> Result<Self, StartError> {
        let tls = tls::client_config(&config.extra_roots);
        let store = Store::open(&config.store).await?;
        let journal = config.journal.as_ref().map(Journal::open).transpose()?;
        let folder = journal.as_ref().map(|journal| journal.settings().folder.clone());
        Ok(Self {
            engine: Arc::new(GuestEngine::new(config.guests, &config.cache)?),
            admission: Arc::new(Admission::new(config.guests)),
            network: Network { http: http_client(&tls)?, tls },
            store,
            work: Work { config: config.inbox, places: WorkPlaces::new(config.guests) },
            keeps: config.keeps,
            journal,
            promotion: Promotion { config: config.promote, journal: folder },
            observers,
            shutdown,
        })
    }

    /// Loads the plugins of one app, follows its folder, and returns the dispatcher of its callbacks. Plugins that are loaded by
    /// `then` are live on return. `left` are the card updates that were due when the host last stopped.
    async fn load_plugins(
        &self,
        app: &AppConfig,
        left: Vec<StoredUpdate>,
        then: Instant,
    ) -> LoadedApps {
        let id: Arc<str> = app.id.as_str().into();
        let vault = Vault::new(self.store.clone(), &app.id, &app.secret, self.keeps);
        let rate = app.api.rate();
        let open_api =
            Arc::new(OpenApi::new(app.identity(), self.network.http.clone(), Some(vault), rate));
        let late = Late::new(
            Arc::clone(&id),
            Arc::clone(&open_api),
            self.store.clone(),
            self.shutdown.clone(),
        );
        late.resume(left);
        self.shutdown.spawn(late::take_over(Arc::clone(&late)));
        let Work { config, places } = &self.work;
        let inbox = Inbox::new(Arc::clone(&id), self.store.clone(), *config, Arc::clone(places));
        let registry = Registry::default();
        metrics::set_plugins_live(&id, []);
        let mut folder = Folder::new(FolderSpec {
            app: Arc::clone(&id),
            path: app.plugins.clone(),
            engine: Arc::clone(&self.engine),
            outside: Outside {
                open_api,
                http: Outbound::Network(Arc::clone(&self.network.tls)),
                store: self.store.clone(),
            },
            seal_key: SealKey::of(&app.secret),
            promotion: self.promotion.clone(),
            registry: registry.clone(),
        });
        let handle = folder.handle();
        folder.load_until(then).await;
        self.shutdown.spawn(folder.run(self.shutdown.clone()));
        let dispatcher = Arc::new(Dispatcher::new(DispatcherParts {
            app: id,
            engine: Arc::clone(&self.engine),
            admission: Arc::clone(&self.admission),
            registry,
            late,
            inbox: inbox.clone(),
            observers: self.observers.clone(),
            journal: self.journal.clone(),
        }));
        let worker: Arc<dyn Worker> = Arc::<Dispatcher>::clone(&dispatcher);
        self.shutdown.spawn(workers::run(inbox.clone(), worker, self.shutdown.clone()));
        LoadedApps { dispatcher, folder: handle, inbox }
    }

    /// Removes expired card updates of apps that are no longer configured. Others stay while they could still be shown.
    async fn forget_expired(&self, left: &[StoredUpdate]) {
        for left in left.iter().filter(|left| left.update.time_left().is_zero()) {
            if let Err(error) = self.store.done(left.id).await {
                tracing::warn!(%error, "store: expired card update not removed");
            }
        }
    }

    /// Dials one app's long connections, if it has any.
    fn connect(
        &self,
        app: &AppConfig,
        dispatcher: &Arc<Dispatcher>,
        deadline: DeadlineConfig,
    ) -> Option<Connections> {
        let wanted = app.long_connection.as_ref()?;
        let all = Connections::new(app.id.as_str().into(), wanted.connections);
        for status in all.handles() {
            let connection = LongConnection {
                app: app.identity(),
                hosts: wanted.hosts.clone(),
                network: self.network.clone(),
                dispatcher: Arc::clone(dispatcher),
                deadline,
                silence: Duration::from_millis(wanted.silence_ms),
            };
            self.shutdown.spawn(connection.run(status, self.shutdown.clone()));
        }
        Some(all)
    }
}
