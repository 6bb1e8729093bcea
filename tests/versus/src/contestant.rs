//! Who takes part, and how each is started: as its own documentation has it, with the same handler.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use aviary::simulator::Simulator;
use aviary_e2e::APP_SECRET;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::PATIENCE;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::artifacts;
use aviary_e2e::referee::Sdk;
use aviary_e2e::referee::install::installed;
use aviary_e2e::sender;
use aviary_e2e::setup::environment;
use aviary_e2e::setup::to_toml;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::cores::Cores;
use crate::lane::Target;
use crate::process::Process;

/// The guest that does what the SDKs' handlers do.
pub(crate) const GUEST: &str = "names-operator";

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    /// Aviary with a plugin in Rust, a fresh instance for every callback.
    AviaryRust,
    /// The host's own functions in an axum server, and no sandbox.
    Native,
    /// The Node SDK.
    Node,
    /// The Python SDK.
    Python,
}

impl Who {
    /// For the table.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::AviaryRust => "Aviary, Rust plugin, fresh instance",
            Self::Native => "native ceiling: axum, no sandbox",
            Self::Node => "Node SDK",
            Self::Python => "Python SDK",
        }
    }

    /// The app that it answers for on the simulated platform: one official SDK wants 16 hex digits.
    pub(crate) fn app(self) -> &'static str {
        match self {
            Self::AviaryRust => "cli_a000000000000001",
            Self::Native => "cli_a000000000000002",
            Self::Node => "cli_a000000000000003",
            Self::Python => "cli_a000000000000004",
        }
    }
}

/// One that runs.
pub(crate) struct Contestant {
    pub(crate) who: Who,
    pub(crate) process: Process,
    pub(crate) target: Target,
}

/// What an Aviary has in its folder, and how many connections it opens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Further copies of the plugin, each for a button of its own.
    pub(crate) further_plugins: usize,
    /// A plugin that never answers, for the button of this name.
    pub(crate) runaway: Option<&'static str>,
}

/// Starts `who` with a webhook; none for an SDK that this machine is excused from having.
pub(crate) async fn webhook(who: Who, cores: Cores) -> anyhow::Result<Option<Contestant>> {
    let orders = json!({ "webhook": {
        "encrypt_key": ENCRYPT_KEY, "verification_token": VERIFICATION_TOKEN,
    }});
    let process = match who {
        Who::AviaryRust => return aviary(&Plan::default(), cores).await.map(Some),
        Who::Native => {
            let mut native = Command::new(artifacts::native_ceiling()?);
            Some(Process::start(cores, &mut native, &environment(), tempfile::tempdir()?)?)
        }
        Who::Node => start_sdk(Sdk::Node, &orders, cores)?,
        Who::Python => start_sdk(Sdk::Python, &orders, cores)?,
    };
    let Some(mut process) = process else { return Ok(None) };
    let port = |line: &Value| u16::try_from(line.get("webhook")?.as_u64()?).ok();
    let port = process.line(port).await.with_context(|| format!("starting {who:?}"))?;
    let target = Target::Webhook(([127, 0, 0, 1], port).into());
    Ok(Some(Contestant { who, process, target }))
}

/// Starts an Aviary with a webhook.
pub(crate) async fn aviary(plan: &Plan, cores: Cores) -> anyhow::Result<Contestant> {
    let door = json!({ "webhook": { "path": sender::PATH }, "encrypt_key": { "env": "AVIARY_ENCRYPT_KEY" } });
    let mut process = start_aviary(plan, &door, cores).await?;
    let address = |line: &Value| match line.get("what")?.as_str()? {
        "webhook" => line.get("address")?.as_str()?.parse().ok(),
        _ => None,
    };
    let target = Target::Webhook(process.line(address).await?);
    Ok(Contestant { who: Who::AviaryRust, process, target })
}

/// Starts `who` with that many connections to the platform.
pub(crate) async fn long_connection(
    who: Who,
    platform: &Arc<Simulator>,
    connections: usize,
    cores: Cores,
) -> anyhow::Result<Option<Contestant>> {
    let app = who.app().to_owned();
    let orders = json!({ "long_connection": {
        "app": app, "secret": APP_SECRET, "domain": platform.domain(), "connections": connections,
    }});
    let process = match who {
        Who::AviaryRust => {
            let connections = json!({ "connections": connections });
            let door = json!({ "domain": platform.domain(), "long_connection": connections });
            Some(start_aviary(&Plan::default(), &door, cores).await?)
        }
        Who::Native => None,
        Who::Node => start_sdk(Sdk::Node, &orders, cores)?,
        Who::Python => start_sdk(Sdk::Python, &orders, cores)?,
    };
    let Some(process) = process else { return Ok(None) };
    platform
        .wait_connected(&app, connections, PATIENCE)
        .await
        .with_context(|| format!("{who:?} does not connect: {}", process.last_words()))?;
    let target = Target::LongConnection { platform: Arc::clone(platform), app };
    Ok(Some(Contestant { who, process, target }))
}

fn start_sdk(sdk: Sdk, orders: &Value, cores: Cores) -> anyhow::Result<Option<Process>> {
    let Some(installed) = installed(sdk)? else { return Ok(None) };
    let script = match sdk {
        Sdk::Node => "server.js",
        Sdk::Python => "server.py",
    };
    let mut command = Command::new(&installed.interpreter);
    command.arg(artifacts::source_root().join("tests/versus/contestants").join(script));
    command.arg(orders.to_string()).current_dir(&installed.folder);
    Process::start(cores, &mut command, &[], tempfile::tempdir()?).map(Some)
}

/// With everything as it is by default, but for a log that this program can read as well.
async fn start_aviary(plan: &Plan, door: &Value, cores: Cores) -> anyhow::Result<Process> {
    let folder = tempfile::tempdir()?;
    let plugins = fill(&folder, plan)?;
    let mut app = json!({
        "id": Who::AviaryRust.app(),
        "secret": { "env": "AVIARY_APP_SECRET" },
        "verification_token": { "env": "AVIARY_VERIFICATION_TOKEN" },
        "plugins": "plugins",
    });
    for (key, value) in door.as_object().into_iter().flatten() {
        app[key] = value.clone();
    }
    let mut configuration = json!({
        "app": [app],
        // What an earlier run compiled has nothing to do with this one.
        "cache": { "path": "cache" },
        "log": { "format": "json" },
    });
    if door.get("webhook").is_some() {
        configuration["webhook"] = json!({ "listen": "127.0.0.1:0" });
    }
    std::fs::write(folder.path().join("aviary.toml"), to_toml(&configuration)?)?;
    let mut command = Command::new(artifacts::host_binary()?);
    command.args(["run", "--config", "aviary.toml"]).current_dir(folder.path());
    let mut process = Process::start(cores, &mut command, &environment(), folder)?;
    process.lines(plugins, |line| (line.get("message")? == "plugin live").then_some(())).await?;
    Ok(process)
}

/// Returns how many plugins are in the folder.
fn fill(folder: &TempDir, plan: &Plan) -> anyhow::Result<usize> {
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins)?;
    let guest = std::fs::read(artifacts::guest(GUEST)?)?;
    std::fs::write(plugins.join(GUEST).with_extension("wasm"), &guest)?;
    for number in 0..plan.further_plugins {
        let name = format!("further-{number:04}");
        drop_routed(&plugins, &name, &distinct(&guest, number), &format!("button-{number}"))?;
    }
    if let Some(button) = plan.runaway {
        let runaway = std::fs::read(artifacts::guest("loop-forever")?)?;
        drop_routed(&plugins, "runaway", &runaway, button)?;
    }
    Ok(1 + plan.further_plugins + usize::from(plan.runaway.is_some()))
}

/// The same component as another file: the host would share the code of two that are equal. What is added is a custom
/// section, `number`, that means nothing to anybody.
fn distinct(guest: &[u8], number: usize) -> Vec<u8> {
    const CUSTOM: u8 = 0;
    let (name, content) = (b"number", (number as u32).to_le_bytes());
    let size = 1 + name.len() + content.len();
    [guest, &[CUSTOM, size as u8, name.len() as u8], name, &content].concat()
}

fn drop_routed(plugins: &Path, name: &str, guest: &[u8], button: &str) -> anyhow::Result<()> {
    let sidecar = json!({ "route": [{ "action_name": button }] });
    std::fs::write(plugins.join(name).with_extension("toml"), to_toml(&sidecar)?)?;
    std::fs::write(plugins.join(name).with_extension("wasm"), guest)?;
    Ok(())
}
