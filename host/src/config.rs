//! `aviary.toml`: read, checked, and turned into values that cannot be wrong any more. No port is bound before that.

mod admin;
mod approval;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use guarded_http::server::Limits;
use lark_wire::domain::Domain;
use lark_wire::secret::Secret;
use rustls::ServerConfig;
use serde::Deserialize;

use crate::callback::freshness::SignatureWindow;
use crate::callback::verify::WebhookKeys;
use crate::config::admin::AdminFile;
use crate::config::approval::ApprovalFile;
use crate::deadline::DeadlineConfig;
use crate::inbox::config::InboxConfig;
use crate::ingress::long_connection::LongConnectionConfig;
use crate::ingress::webhook::WebhookConfig;
use crate::journal::config::JournalConfig;
use crate::journal::config::JournalSettings;
use crate::open_api::identity::ApiRate;
use crate::open_api::identity::AppIdentity;
use crate::open_api::identity::AppKind;
use crate::open_api::vault::Keeps;
use crate::plugin::config::promote::PromoteConfig;
use crate::runtime::code_cache::CacheConfig;
use crate::runtime::config::GuestsConfig;
use crate::secret::SecretSource;
use crate::secret::SecretSourceError;
use crate::setting::SettingError;
use crate::small_file;
use crate::small_file::ReadError;
use crate::store::StoreConfig;
use crate::store::StorePlace;
use crate::telemetry::LogConfig;
use crate::tls::ExtraRoots;
use crate::tls::TlsConfig;
use crate::tls::TlsError;
use crate::trace::config::TraceConfig;
use crate::trace::config::TraceSettings;

pub use crate::config::admin::AdminConfig;
pub use crate::config::approval::ApprovalAddress;

/// The largest `aviary.toml`: a thousand apps fit.
const MAX_BYTES: u64 = 1024 * 1024;

/// The whole file as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default, rename = "app")]
    apps: Vec<AppFile>,
    #[serde(default)]
    webhook: WebhookConfig,
    admin: Option<AdminFile>,
    #[serde(default)]
    deadline: DeadlineConfig,
    #[serde(default)]
    guests: GuestsConfig,
    #[serde(default)]
    cache: CacheConfig,
    #[serde(default)]
    store: StoreConfig,
    #[serde(default)]
    inbox: InboxConfig,
    journal: Option<JournalConfig>,
    #[serde(default)]
    promote: PromoteConfig,
    #[serde(default)]
    log: LogConfig,
    trace: Option<TraceConfig>,
    #[serde(default)]
    tls: TlsConfig,
}

/// One `[[app]]` section of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppFile {
    id: String,
    secret: SecretSource,
    verification_token: Option<SecretSource>,
    encrypt_key: Option<SecretSource>,
    #[serde(default = "feishu")]
    domain: Domain,
    #[serde(default)]
    kind: AppKind,
    #[serde(default)]
    api: ApiRate,
    plugins: PathBuf,
    long_connection: Option<LongConnectionConfig>,
    webhook: Option<AppWebhook>,
}

fn feishu() -> Domain {
    // The word `feishu` is always a domain.
    Domain::try_from("feishu".to_owned()).unwrap_or_else(|error| unreachable!("{error}"))
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppWebhook {
    /// Absent where the approval center alone comes by HTTP.
    path: Option<String>,
    #[serde(default)]
    approval: Vec<ApprovalFile>,
}

impl AppWebhook {
    fn paths(&self) -> impl Iterator<Item = &String> {
        self.path.iter().chain(self.approval.iter().map(|address| &address.path))
    }
}

/// Everything the host needs to start, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Apps that the host serves, at least one.
    pub apps: Vec<AppConfig>,
    /// Address and limits of the webhook.
    pub webhook: WebhookConfig,
    /// Certificate and key of the webhook, if it serves TLS.
    pub webhook_tls: Option<Arc<ServerConfig>>,
    /// Admin port with dashboard, health and metrics, if it is configured.
    pub admin: Option<AdminConfig>,
    /// Deadlines of the answers.
    pub deadline: DeadlineConfig,
    /// Limits and threads of guests.
    pub guests: GuestsConfig,
    /// Location and size of the cache of compiled code.
    pub cache: CacheConfig,
    /// Location of the store, which outlives the process.
    pub store: StorePlace,
    /// Room for events that wait to be handled.
    pub inbox: InboxConfig,
    /// Credentials that are kept in the store.
    pub keeps: Keeps,
    /// Settings of the journal, if one is kept.
    pub journal: Option<JournalSettings>,
    /// Requirements for new versions of plugins whose sidecar files set none.
    pub promote: PromoteConfig,
    /// Settings of the log.
    pub log: LogConfig,
    /// Settings of traces, if a collector gets them.
    pub trace: Option<TraceSettings>,
    /// Certificate authorities that are trusted besides those of the operating system.
    pub extra_roots: ExtraRoots,
}

/// One app, its secrets read.
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// Id of the app, `cli_…`.
    pub id: String,
    /// App secret, for discovery and the server API.
    pub secret: Secret,
    /// Self-built app or app from the store.
    pub kind: AppKind,
    /// Rate limit on the requests of all its plugins together to the server API.
    pub api: ApiRate,
    /// Keys that authenticate its webhook requests.
    pub keys: WebhookKeys,
    /// Domain of the platform that it belongs to.
    pub domain: Domain,
    /// Folder of its plugins.
    pub plugins: PathBuf,
    /// Settings of its long connections, if it has any.
    pub long_connection: Option<LongConnectionConfig>,
    /// Path of its webhook, if it has one.
    pub webhook_path: Option<String>,
    /// Addresses at which the approval center calls.
    pub approval: Vec<ApprovalAddress>,
}

/// Reason why a configuration is refused, with the key that is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file does not exist or cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Not TOML, an unknown key, a value of the wrong type.
    #[error("{}: line {line}: {message}", path.display())]
    Toml {
        /// Path of the configuration file.
        path: PathBuf,
        /// Line number, counted from 1.
        line: usize,
        /// Names the key. The line itself is not repeated, it may hold a secret that does not belong there.
        message: String,
    },
    /// A secret could not be read.
    #[error("app {app}: {key}: {error}")]
    Secret {
        /// Id of the app.
        app: String,
        /// Key of the secret, for example `encrypt_key`.
        key: &'static str,
        /// Reason, and what to do about it.
        error: SecretSourceError,
    },
    /// A value that makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A file that `[tls]` or `[webhook.tls]` names cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl AppConfig {
    /// Returns the app's identity for the server API.
    pub fn identity(&self) -> AppIdentity {
        AppIdentity {
            id: self.id.clone(),
            secret: self.secret.clone(),
            kind: self.kind,
            domain: self.domain.clone(),
        }
    }
}

impl Config {
    /// Reads and checks the file. Paths in it are relative to it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        ConfigFile::read(path)?.check(folder)
    }

    /// Checks the configuration for a host that listens by itself: an app's webhook needs an address to listen on. A server that
    /// mounts [`Host::router`](crate::Host::router) has an address of its own.
    pub fn for_listening(self) -> Result<Self, ConfigError> {
        let has_webhook = |app: &AppConfig| app.webhook_path.is_some() || !app.approval.is_empty();
        let has_webhook = self.apps.iter().any(has_webhook);
        if has_webhook && self.webhook.listen.is_none() {
            return Err(invalid(
                "webhook.listen",
                "missing, though an app has a webhook; for example \"0.0.0.0:8080\"",
            ));
        }
        Ok(self)
    }

    /// Returns the number of files and connections that a host with these settings can have open at a time.
    pub fn open_files(&self) -> u64 {
        // Files for compiled code, journal, store, log and the runtime itself, with room to spare.
        const OWN: usize = 256;
        // A call may wait for the platform and for another server at the same time.
        const OF_A_CALL: usize = 2;
        let webhook = self.webhook.listen.map_or(0, |_| self.webhook.max_connections);
        let admin = self.admin.as_ref().map_or(0, |_| Limits::FOR_PEOPLE.max_connections);
        let connections = self.apps.iter().filter_map(|app| app.long_connection.as_ref());
        let connections: u64 = connections.map(|wanted| u64::from(wanted.connections)).sum();
        let calls = u64::from(self.guests.max_calls) * OF_A_CALL as u64;
        connections + calls + (OWN + webhook + admin) as u64
    }

    /// Returns the folder in which a host with this file keeps its journal, or an error if it keeps none. Reads no secrets.
    pub fn journal_folder(path: &Path) -> Result<PathBuf, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let journal = ConfigFile::read(path)?.journal;
        let none = || invalid("journal.path", "there is none, so this host keeps no journal");
        Ok(journal.ok_or_else(none)?.folder(folder))
    }

    /// Returns the admin port of a host with this file, and its token. Reads no other secrets: asking a running host takes none.
    pub fn admin(path: &Path) -> Result<AdminConfig, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let admin = ConfigFile::read(path)?.admin;
        Ok(admin.ok_or_else(|| invalid("admin.listen", "there is none"))?.check(folder)?)
    }
}

impl ConfigFile {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = small_file::read_text(path, MAX_BYTES)?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        named_fields::from_toml(text).map_err(|error| {
            let (line, key) = place(text, error.span().map_or(0, |span| span.start));
            let message = format!("{key}{}", error.message());
            ConfigError::Toml { path: path.to_owned(), line, message }
        })
    }

    fn check(self, folder: &Path) -> Result<Config, ConfigError> {
        self.deadline.validate()?;
        self.guests.validate()?;
        self.inbox.validate()?;
        self.webhook.validate()?;
        self.promote.validate()?;
        if self.apps.is_empty() {
            return Err(invalid("app", "there is none; begin with [[app]], its id and its secret"));
        }
        let mut ids = BTreeSet::new();
        let mut paths = BTreeSet::new();
        for app in &self.apps {
            if !ids.insert(&app.id) {
                return Err(invalid(format!("app {}: id", app.id), "two apps have this id"));
            }
            for path in app.webhook.iter().flat_map(AppWebhook::paths) {
                if !paths.insert(path) {
                    let key = format!("app {}: webhook.path", app.id);
                    return Err(invalid(
                        key,
                        "another app, or another address of this one, has this path",
                    ));
                }
            }
        }
        let extra_roots = self.tls.read(folder)?;
        let apps = self
            .apps
            .iter()
            .map(|app| app.check(folder, self.webhook.signature_window_secs))
            .collect::<Result<_, _>>()?;
        Ok(Config {
            apps,
            webhook_tls: self.webhook.tls.as_ref().map(|tls| tls.read(folder)).transpose()?,
            webhook: self.webhook,
            admin: self.admin.map(|admin| admin.check(folder)).transpose()?,
            deadline: self.deadline,
            guests: self.guests,
            cache: self.cache.check(folder)?,
            keeps: if self.store.keep_tokens { Keeps::TicketAndTokens } else { Keeps::Ticket },
            store: self.store.check(folder, &extra_roots)?,
            inbox: self.inbox,
            promote: self.promote,
            journal: self.journal.map(|journal| journal.check(folder)).transpose()?,
            log: self.log,
            trace: self.trace.map(|trace| trace.check(folder)).transpose()?,
            extra_roots,
        })
    }
}

impl AppFile {
    fn check(&self, folder: &Path, window: SignatureWindow) -> Result<AppConfig, ConfigError> {
        if self.id.is_empty() {
            return Err(invalid("app: id", "empty; it is in the console, under Credentials"));
        }
        self.check_doors().map_err(|error| error.of_app(&self.id))?;
        let optional = |key, source: &Option<SecretSource>| {
            source.as_ref().map(|source| self.read_secret(key, source, folder)).transpose()
        };
        let secret = self.read_secret("secret", &self.secret, folder)?;
        let verification_token = optional("verification_token", &self.verification_token)?;
        let encrypt_key = optional("encrypt_key", &self.encrypt_key)?;
        if !self.api.is_sound() {
            let problem = format!("a limit is {} at most", ApiRate::MOST);
            return Err(SettingError::new("api", problem).of_app(&self.id).into());
        }
        let addresses = self.webhook.iter().flat_map(|webhook| &webhook.approval);
        let missing = |(key, error)| ConfigError::Secret { app: self.id.clone(), key, error };
        let approval = addresses
            .map(|address| address.read(folder).map_err(missing))
            .collect::<Result<_, _>>()?;
        let plugins = folder.join(&self.plugins);
        if !plugins.is_dir() {
            let problem = format!("{} is not a folder", plugins.display());
            return Err(SettingError::new("plugins", problem).of_app(&self.id).into());
        }
        Ok(AppConfig {
            id: self.id.clone(),
            secret,
            kind: self.kind,
            api: self.api,
            keys: WebhookKeys::new(encrypt_key, verification_token).with_window(window),
            domain: self.domain.clone(),
            plugins,
            long_connection: self.long_connection.clone(),
            webhook_path: self.webhook.as_ref().and_then(|webhook| webhook.path.clone()),
            approval,
        })
    }

    /// Checks that there is a door, and that only the platform can come in by it.
    fn check_doors(&self) -> Result<(), SettingError> {
        if let Some(long_connection) = &self.long_connection {
            long_connection.validate()?;
        }
        let Some(webhook) = &self.webhook else {
            let problem = "neither this nor webhook is set, so nothing could come in";
            let has_door = self.long_connection.is_some();
            return has_door
                .then_some(())
                .ok_or_else(|| SettingError::new("long_connection", problem));
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.~".contains(&byte);
        if webhook.paths().any(|path| !path.starts_with('/') || !path.bytes().all(is_plain)) {
            let problem = "must begin with / and hold letters, digits and / _ - . ~ only";
            return Err(SettingError::new("webhook.path", problem));
        }
        if webhook.path.is_none() && webhook.approval.is_empty() {
            return Err(SettingError::new("webhook.path", "missing; for example \"/callback\""));
        }
        // The approval center's addresses have tokens of their own.
        let is_open = webhook.path.is_some();
        if is_open && self.verification_token.is_none() && self.encrypt_key.is_none() {
            let problem = "set this or encrypt_key: without either, anybody could send callbacks";
            return Err(SettingError::new("verification_token", problem));
        }
        Ok(())
    }

    fn read_secret(
        &self,
        key: &'static str,
        source: &SecretSource,
        folder: &Path,
    ) -> Result<Secret, ConfigError> {
        let missing = |error| ConfigError::Secret { app: self.id.clone(), key, error };
        source.read(folder).map_err(missing)
    }
}

/// Returns the number of the line that the byte is on, counted from 1, and the key before its equals sign. The value behind the
/// key may be a secret and is not repeated.
fn place(text: &str, byte: usize) -> (usize, String) {
    let before = text.get(..byte).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| format!("{}: ", key.trim())).unwrap_or_default();
    (1 + before.matches('\n').count(), key)
}

fn invalid(key: impl Into<String>, problem: &str) -> ConfigError {
    SettingError::new(key, problem).into()
}
