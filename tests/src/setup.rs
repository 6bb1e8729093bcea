//! Configures and starts a simulated platform and a host: apps, their plugins, and the settings of one test.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use aviary::telemetry::events;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::APP_ID;
use crate::APP_SECRET;
use crate::ENCRYPT_KEY;
use crate::TENANT_KEY;
use crate::VERIFICATION_TOKEN;
use crate::artifacts;
use crate::certificates::TestAuthority;
use crate::host::HostProcess;
use crate::http::Request;
use crate::http::Response;
use crate::log::LogLine;
use crate::platform::Platform;
use crate::sender;

/// An address where nothing listens, for hosts that do not need the platform.
const NOBODY: &str = "http://127.0.0.1:1";

/// Path at which the approval center asks for options, if the app [calls for approval](App::calls_for_approval).
pub const OPTIONS: &str = "/approval/options";
/// Path at which it tells of decisions.
pub const DECISIONS: &str = "/approval/decisions";

/// Credentials that an app has for its webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// A Verification Token alone.
    Token,
    /// A Verification Token and an Encrypt Key.
    TokenAndEncryptKey,
    /// An Encrypt Key alone.
    EncryptKey,
}

/// Protection of a body that is sent to the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// A plain body with the Verification Token in it.
    Plain,
    /// An encrypted body with a SHA-256 signature.
    Encrypted,
    /// A plain body with a SHA-1 signature: old cards.
    VerificationToken,
}

impl From<Keys> for Seal {
    fn from(keys: Keys) -> Self {
        match keys {
            Keys::Token => Self::Plain,
            Keys::TokenAndEncryptKey | Keys::EncryptKey => Self::Encrypted,
        }
    }
}

/// One app of the host, and the content of its plugins folder.
#[derive(Clone, Debug)]
pub struct App {
    id: String,
    path: String,
    keys: Keys,
    connections: u32,
    silence_ms: Option<u64>,
    webhook: Value,
    settings: Value,
    plugins: Vec<Dropped>,
}

#[derive(Clone, Debug)]
struct Dropped {
    name: String,
    component: PathBuf,
    sidecar: Option<Value>,
}

impl Default for App {
    fn default() -> Self {
        Self::new(APP_ID, sender::PATH)
    }
}

impl App {
    /// Creates an app with both doors, a Verification Token, no Encrypt Key and no plugins.
    pub fn new(id: &str, path: &str) -> Self {
        Self {
            id: id.to_owned(),
            path: path.to_owned(),
            keys: Keys::Token,
            connections: 1,
            silence_ms: None,
            webhook: json!({ "path": path }),
            settings: json!({}),
            plugins: Vec::new(),
        }
    }

    /// Adds an Encrypt Key: everything but old cards comes encrypted, and everything signed.
    #[must_use]
    pub fn encrypted(self) -> Self {
        self.with_keys(Keys::TokenAndEncryptKey)
    }

    /// Replaces the webhook's credentials.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Removes the long connection.
    #[must_use]
    pub fn webhook_only(self) -> Self {
        self.connections(0)
    }

    /// Sets the number of long connections.
    #[must_use]
    pub fn connections(mut self, count: u32) -> Self {
        self.connections = count;
        self
    }

    /// Sets how long, in milliseconds, a platform that should have sent something may stay silent.
    #[must_use]
    pub fn silence_ms(mut self, milliseconds: u64) -> Self {
        self.silence_ms = Some(milliseconds);
        self
    }

    /// Removes the app's webhook.
    #[must_use]
    pub fn long_connection_only(mut self) -> Self {
        self.webhook = Value::Null;
        self
    }

    /// Adds addresses for the approval center, with the Verification Token as their token and without a key.
    #[must_use]
    pub fn calls_for_approval(self) -> Self {
        self.calls_for_approval_with(&json!({}))
    }

    /// Does the same with more members for each address, a key for example.
    #[must_use]
    pub fn calls_for_approval_with(mut self, more: &Value) -> Self {
        let address = |kind: &str, path: &str| {
            let token = json!({ "env": "AVIARY_VERIFICATION_TOKEN" });
            let mut address = json!({ "kind": kind, "path": path, "token": token });
            for (name, value) in more.as_object().into_iter().flatten() {
                address[name] = value.clone();
            }
            address
        };
        self.webhook["approval"] =
            [address("external_options", OPTIONS), address("quick_approval", DECISIONS)].into();
        self
    }

    /// Sets a key of `[[app]]`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings[key] = value.into();
        self
    }

    /// Makes it an app of the platform's store, with many tenants.
    #[must_use]
    pub fn from_the_store(self) -> Self {
        self.set("kind", "store")
    }

    /// Returns true for an app of the platform's store.
    pub fn is_from_the_store(&self) -> bool {
        self.settings["kind"] == "store"
    }

    /// Adds the guest of that folder in `tests/guests/`.
    pub fn guest(self, name: &str) -> anyhow::Result<Self> {
        Ok(self.component(name, artifacts::guest(name)?, None))
    }

    /// Adds that guest with a sidecar file.
    pub fn guest_with(self, name: &str, sidecar: Value) -> anyhow::Result<Self> {
        Ok(self.component(name, artifacts::guest(name)?, Some(sidecar)))
    }

    /// Adds the example of that folder in `plugins/`.
    pub fn example(self, name: &str) -> anyhow::Result<Self> {
        Ok(self.component(name, artifacts::plugin(name)?, None))
    }

    /// Adds any file as `<name>.wasm`, with an optional sidecar file.
    #[must_use]
    pub fn component(mut self, name: &str, component: PathBuf, sidecar: Option<Value>) -> Self {
        self.plugins.push(Dropped { name: name.to_owned(), component, sidecar });
        self
    }

    /// Makes the plugins that were added so far handle events while the platform waits for the acknowledgement.
    #[must_use]
    pub fn acknowledging_when_done(mut self) -> Self {
        for plugin in &mut self.plugins {
            let sidecar = plugin.sidecar.get_or_insert_with(|| json!({}));
            sidecar["acknowledge"] = "when-done".into();
        }
        self
    }

    /// Returns the app's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the webhook's credentials.
    pub fn keys(&self) -> Keys {
        self.keys
    }

    fn folder(&self) -> String {
        format!("plugins-{}", self.id)
    }

    fn configuration(&self, domain: &str) -> Value {
        let mut app = json!({
            "id": self.id,
            "secret": { "env": "AVIARY_APP_SECRET" },
            "domain": domain,
            "plugins": self.folder(),
        });
        if self.keys != Keys::EncryptKey {
            app["verification_token"] = json!({ "env": "AVIARY_VERIFICATION_TOKEN" });
        }
        if self.keys != Keys::Token {
            app["encrypt_key"] = json!({ "env": "AVIARY_ENCRYPT_KEY" });
        }
        if self.connections > 0 {
            app["long_connection"] = json!({ "connections": self.connections });
            if let Some(milliseconds) = self.silence_ms {
                app["long_connection"]["silence_ms"] = milliseconds.into();
            }
        }
        if !self.webhook.is_null() {
            app["webhook"] = self.webhook.clone();
        }
        for (key, value) in self.settings.as_object().into_iter().flatten() {
            app[key] = value.clone();
        }
        app
    }
}

/// A host that is not started yet.
pub struct Setup {
    apps: Vec<App>,
    settings: Value,
    domain: Option<String>,
    environment: Vec<(String, String)>,
    authority: Option<TestAuthority>,
    /// Files beside `aviary.toml`: name and text.
    files: Vec<(String, String)>,
}

impl Setup {
    /// Sets up one app, ports that the system assigns, and a log in JSON.
    pub fn new(app: App) -> Self {
        Self::with_apps(vec![app])
    }

    /// Sets up several apps.
    pub fn with_apps(apps: Vec<App>) -> Self {
        let settings = json!({
            "webhook": { "listen": "127.0.0.1:0" },
            "admin": { "listen": "127.0.0.1:0" },
            "log": { "format": "json", "level": "debug" },
        });
        let environment = environment();
        Self { apps, settings, domain: None, environment, authority: None, files: Vec::new() }
    }

    /// Sets a key of `aviary.toml`, for example `("deadline", "soft_ms", 300)`.
    #[must_use]
    pub fn set(mut self, table: &str, key: &str, value: impl Into<Value>) -> Self {
        self.settings[table][key] = value.into();
        self
    }

    /// Sets a variable of the host's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Makes the platform speak https and wss, with a certificate that the host trusts.
    pub fn over_tls(mut self) -> anyhow::Result<Self> {
        let authority = TestAuthority::new()?;
        self.files.push(("ca.pem".to_owned(), authority.root_pem().to_owned()));
        self.authority = Some(authority);
        Ok(self.set("tls", "extra_roots", "ca.pem"))
    }

    /// Makes the webhook speak TLS with this certificate.
    #[must_use]
    pub fn webhook_over_tls(mut self, authority: &TestAuthority) -> Self {
        for (key, pem) in [("cert", authority.certificate_pem()), ("key", authority.key_pem())] {
            let file = format!("webhook-{key}.pem");
            self.settings["webhook"]["tls"][key] = file.clone().into();
            self.files.push((file, pem.to_owned()));
        }
        self
    }

    /// Connects the host to that address instead of the simulated platform.
    #[must_use]
    pub fn against(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Starts the platform and the host, and waits until every plugin is live and every door open.
    pub async fn start(self) -> anyhow::Result<Running> {
        let needs_platform =
            self.domain.is_none() && self.apps.iter().any(|app| app.connections > 0);
        let running = self.launch(needs_platform).await?;
        for app in &running.apps {
            running
                .host
                .log()
                .wait_for_count(app.plugins.len(), events::PLUGIN_LIVE, &[("app", &app.id)])
                .await?;
        }
        running.host.wait_for_readyz(200).await?;
        Ok(running)
    }

    /// Starts the host, and the platform if it is asked for, without waiting for plugins or doors.
    pub async fn launch(self, with_platform: bool) -> anyhow::Result<Running> {
        let tls = self.authority.as_ref().map(TestAuthority::server);
        let platform =
            if with_platform { Some(Platform::start(&self.apps, tls).await?) } else { None };
        let domain = match (&self.domain, &platform) {
            (Some(domain), _) => domain.clone(),
            (None, Some(platform)) => platform.domain(),
            (None, None) => NOBODY.to_owned(),
        };
        let folder = tempfile::tempdir()?;
        for app in &self.apps {
            std::fs::create_dir(folder.path().join(app.folder()))?;
            for dropped in &app.plugins {
                drop_into(&folder.path().join(app.folder()), dropped)?;
            }
        }
        for (file, text) in &self.files {
            std::fs::write(folder.path().join(file), text)?;
        }
        let mut configuration = self.settings;
        configuration["app"] = self.apps.iter().map(|app| app.configuration(&domain)).collect();
        std::fs::write(folder.path().join("aviary.toml"), to_toml(&configuration)?)?;
        let host = HostProcess::start(
            &["run", "--config", "aviary.toml"],
            folder.path(),
            &self.environment,
        )?;
        Ok(Running { host, platform, apps: self.apps, folder })
    }
}

/// Returns the variables with the secrets that the configuration refers to.
pub fn environment() -> Vec<(String, String)> {
    [
        ("AVIARY_APP_SECRET", APP_SECRET),
        ("AVIARY_VERIFICATION_TOKEN", VERIFICATION_TOKEN),
        ("AVIARY_ENCRYPT_KEY", ENCRYPT_KEY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Converts JSON to TOML.
pub fn to_toml(value: &Value) -> anyhow::Result<String> {
    toml::to_string(value).with_context(|| format!("not representable as TOML: {value}"))
}

fn drop_into(folder: &Path, dropped: &Dropped) -> anyhow::Result<()> {
    if let Some(sidecar) = &dropped.sidecar {
        std::fs::write(folder.join(&dropped.name).with_extension("toml"), to_toml(sidecar)?)?;
    }
    std::fs::copy(&dropped.component, folder.join(&dropped.name).with_extension("wasm"))?;
    Ok(())
}

/// A sidecar with more fuel than any machine uses while a test runs: a plugin that spins is then ended by the clock, on every
/// machine.
pub fn endless() -> Value {
    json!({ "limits": { "fuel": 1_000_000_000_000_000_u64 } })
}

/// A running host, and the platform it is connected to.
pub struct Running {
    /// The process of the host.
    pub host: HostProcess,
    platform: Option<Platform>,
    apps: Vec<App>,
    folder: TempDir,
}

impl Running {
    /// Starts the host again, in the same folder and with the same platform.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.host =
            HostProcess::start(&["run", "--config", "aviary.toml"], self.folder(), &environment())?;
        self.host.wait_for_readyz(200).await.map(drop)
    }

    /// Returns the simulated platform; fails if the host has none.
    pub fn platform(&self) -> anyhow::Result<&Platform> {
        self.platform.as_ref().context("this host runs without a simulated platform")
    }

    /// Returns the first app's tenant.
    pub fn tenant_key(&self) -> &'static str {
        TENANT_KEY
    }

    /// Returns the folder with all files of this host.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of a file in the first app's plugins folder.
    pub fn plugin_file(&self, file: &str) -> PathBuf {
        self.folder.path().join(self.apps[0].folder()).join(file)
    }

    /// Copies a guest over `<name>.wasm` in the first app's folder, as a person would.
    pub fn drop_guest(&self, guest: &str, name: &str) -> anyhow::Result<()> {
        std::fs::copy(artifacts::guest(guest)?, self.plugin_file(&format!("{name}.wasm")))?;
        Ok(())
    }

    /// Sends a click on that button to the first app's webhook, and returns the text of the toast.
    pub async fn toast(&self, button: &str) -> anyhow::Result<String> {
        Ok(self.deliver(&sender::click(button)).await?.toast())
    }

    /// Returns the entry of that plugin of the first app in `/plugins`; null if there is none.
    pub async fn plugin(&self, name: &str) -> anyhow::Result<Value> {
        let list = Request::get("/plugins").send(self.host.admin().await?).await?.json()?;
        let mut plugins = list["apps"][0]["plugins"].as_array().into_iter().flatten();
        let found = plugins.find(|plugin| plugin["name"] == name);
        Ok(found.cloned().unwrap_or_default())
    }

    /// Sends a callback to the first app's webhook, encrypted or signed as the platform would.
    pub async fn deliver(&self, body: &Value) -> anyhow::Result<Response> {
        self.deliver_bytes(
            body.to_string(),
            if body.get("schema").is_some() || body.get("uuid").is_some() {
                self.apps[0].keys().into()
            } else {
                Seal::VerificationToken
            },
        )
        .await
    }

    /// Sends a body to the first app's webhook.
    pub async fn deliver_bytes(
        &self,
        body: impl AsRef<[u8]>,
        seal: Seal,
    ) -> anyhow::Result<Response> {
        let request = match seal {
            Seal::Plain => sender::plain(body),
            Seal::Encrypted => sender::sealed(body),
            Seal::VerificationToken => sender::signed(body, sender::Signer::VerificationToken),
        };
        self.post(request).await
    }

    /// Waits for the line that the host logs about a callback, by its event id.
    pub async fn callback_line(&self, event_id: &str) -> anyhow::Result<LogLine> {
        self.host.log().wait_for(events::CALLBACK, &[("event_id", event_id)]).await
    }

    /// Sends a request to the first app's webhook.
    pub async fn post(&self, request: Request) -> anyhow::Result<Response> {
        request.send(self.host.webhook().await?).await
    }

    /// Returns the URL of an app's webhook.
    pub async fn webhook_url(&self, app: &App) -> anyhow::Result<String> {
        Ok(format!("http://{}{}", self.host.webhook().await?, app.path))
    }

    /// Returns the socket address of the webhook.
    pub async fn webhook(&self) -> anyhow::Result<SocketAddr> {
        self.host.webhook().await
    }

    /// Returns the apps of this host.
    pub fn apps(&self) -> &[App] {
        &self.apps
    }
}
