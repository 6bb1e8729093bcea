//! Simulated platform and host in one process on loopback: one app, both doors, and a folder for plugins. `aviary demo` and
//! `aviary dev` use it.

pub mod browser;
pub mod narrator;
mod page;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lark_simulator::Simulator;
use lark_simulator::approval::Approval;
use lark_simulator::config::SimulatedApp;
use lark_simulator::config::SimulatorConfig;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use lark_simulator::exchange::Exchange;
use lark_wire::secret::Secret;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::app::Host;
use crate::config::Config;
use crate::folder::alone::MAX_FILE_BYTES;
use crate::folder::event::FolderEvent;
use crate::folder::report::PluginReport;
use crate::folder::status::FolderHandle;
use crate::record::CallbackRecord;
use crate::small_file;
use crate::stage::page::READER;
use crate::stage::page::StagePage;

/// Id of the app. It exists nowhere else, and neither do its secrets.
pub const APP_ID: &str = "cli_0123456789abcdef";
const SECRETS: [(&str, &str); 3] = [
    ("app-secret", "demo-app-secret"),
    ("token", "demo-verification-token"),
    ("key", "demo-encrypt-key"),
];
/// Path of the app's webhook.
const CALLBACKS: &str = "/callback";
/// Paths at which the approval center calls.
const OPTIONS: &str = "/approval/options";
const DECISIONS: &str = "/approval/decisions";
/// Time in which the host has to be ready.
const READY: Duration = Duration::from_secs(30);
/// Time in which the record of a callback has to follow its answer.
const RECORD: Duration = Duration::from_secs(5);

/// Simulated platform and host, up and connected.
pub struct Stage {
    /// The platform's side of the wire.
    pub platform: Simulator,
    host: Host,
    /// Beginning of the addresses that the host answers at.
    webhook: String,
    deadline: Duration,
    folder: tempfile::TempDir,
    /// Status of the plugins folder, as the host sees it.
    watched: FolderHandle,
    page: Option<StagePage>,
}

impl Stage {
    /// Starts both, with these plugins and sidecar files in the plugins folder, each under its file's name.
    pub async fn set(files: &[PathBuf]) -> anyhow::Result<Self> {
        let [app_secret, token, key] = SECRETS.map(|(_, text)| Secret::new(text));
        let app = SimulatedApp {
            verification_token: Some(token),
            encrypt_key: Some(key),
            ..SimulatedApp::new(APP_ID, app_secret)
        };
        let platform = Simulator::start(SimulatorConfig::on_loopback(vec![app])).await?;
        let folder = tempfile::tempdir()?;
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins)?;
        let mut page = None;
        for file in files {
            let name = file.file_name().context("a file without a name")?;
            std::fs::write(plugins.join(name), small_file::read(file, MAX_FILE_BYTES)?)?;
            if name == READER {
                let sidecar = page.insert(StagePage::serve().await?).sidecar();
                std::fs::write(plugins.join(READER).with_extension("toml"), sidecar)?;
            }
        }
        let config = Config::load(&write_config(folder.path(), &platform.domain())?)?;
        let deadline = Duration::from_millis(config.deadline.soft_ms);
        let host = Host::builder(config).start().await?;
        let webhook = format!("http://{}", host.webhook_address().context("no webhook")?);
        for path in [CALLBACKS, OPTIONS, DECISIONS] {
            platform.open_webhook(&format!("{webhook}{path}"))?;
        }
        platform.wait_connected(APP_ID, 2, READY).await?;
        let watched = host.folders().first().context("the host has no app")?.clone();
        Ok(Self { platform, host, webhook, deadline, folder, watched, page })
    }

    /// Returns the door by which the platform would send a delivery: a long connection, if that carries it.
    pub fn door(&self, delivery: &Delivery) -> Door {
        let path = match delivery.for_approval() {
            _ if !delivery.is_for_webhook_only() => return Door::LongConnection,
            Some(Approval::ExternalOptions) => OPTIONS,
            Some(Approval::QuickApproval) => DECISIONS,
            None => CALLBACKS,
        };
        Door::Webhook { url: format!("{}{path}", self.webhook) }
    }

    /// Returns the webhook as a door.
    pub fn webhook(&self) -> Door {
        Door::Webhook { url: self.webhook_url() }
    }

    /// Returns the address of the webhook, for people.
    pub fn webhook_url(&self) -> String {
        format!("{}{CALLBACKS}", self.webhook)
    }

    /// Returns the URL of the page that the example `http-preview` may request, if it is one of the plugins.
    pub fn page(&self) -> Option<&str> {
        self.page.as_ref().map(StagePage::url)
    }

    /// Lists the plugins that are live, and why the others are not.
    pub fn plugin_list(&self) -> Vec<PluginReport> {
        self.watched.report().plugins
    }

    /// Subscribes to the changes of plugins from now on.
    pub fn follow_plugins(&self) -> Receiver<FolderEvent> {
        self.watched.follow()
    }

    /// Returns the folder that the host watches.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Subscribes to the records of callbacks from now on.
    pub fn observe(&self) -> Receiver<Arc<CallbackRecord>> {
        self.host.observe()
    }

    /// Sends one delivery, and waits for the host's record of it. A delivery that is not a callback has no record.
    pub async fn send(
        &self,
        door: &Door,
        delivery: &Delivery,
        recorded: Recorded,
    ) -> anyhow::Result<(Exchange, Option<Arc<CallbackRecord>>)> {
        let records = self.host.observe();
        let exchange = self.platform.send(APP_ID, door, delivery).await?;
        let record = match recorded {
            Recorded::Yes => {
                Some(tokio::time::timeout(RECORD, record_of(records, delivery)).await??)
            }
            Recorded::No => None,
        };
        Ok((exchange, record))
    }

    /// Stops everything. Returns `false` if something did not finish in time.
    pub async fn stop(self) -> bool {
        let clean = self.host.stop().await;
        self.platform.shutdown().await;
        clean
    }
}

/// Expectation of a record: the host writes one for each callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The host writes a record.
    Yes,
    /// The host writes no record, because the delivery is not a callback.
    No,
}

/// Waits for the record of a delivery: somebody on the page may click meanwhile. Deliveries without an id, old cards, cannot be
/// told from each other.
async fn record_of(
    mut records: Receiver<Arc<CallbackRecord>>,
    delivery: &Delivery,
) -> Result<Arc<CallbackRecord>, RecvError> {
    let event_id = delivery.event_id();
    loop {
        let record = records.recv().await?;
        if record.event_id == event_id {
            return Ok(record);
        }
    }
}

fn write_config(folder: &Path, domain: &str) -> anyhow::Result<PathBuf> {
    for (name, text) in SECRETS {
        std::fs::write(folder.join(name), text)?;
    }
    let path = folder.join("aviary.toml");
    let text = format!(
        r#"
[[app]]
id = "{APP_ID}"
secret = {{ file = "app-secret" }}
verification_token = {{ file = "token" }}
encrypt_key = {{ file = "key" }}
domain = "{domain}"
plugins = "plugins"
long_connection = {{ connections = 2 }}

[app.webhook]
path = "{CALLBACKS}"
approval = [
    {{ kind = "external_options", path = "{OPTIONS}", token = {{ file = "token" }}, key = {{ file = "key" }} }},
    {{ kind = "quick_approval", path = "{DECISIONS}", token = {{ file = "token" }}, key = {{ file = "key" }} }},
]

[webhook]
listen = "127.0.0.1:0"

[cache]
path = "off"
"#
    );
    std::fs::write(&path, text)?;
    Ok(path)
}
