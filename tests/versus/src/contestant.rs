//! The contestants, and how each is started: as its own documentation recommends, with the same handler.

use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use aviary_e2e::APP_SECRET;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::PATIENCE;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::artifacts;
use aviary_e2e::referee::Sdk;
use aviary_e2e::referee::install::installed;
use aviary_e2e::sender;
use aviary_e2e::setup::environment;
use lark_simulator::Simulator;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::aviary::APP;
use crate::aviary::Plan;
use crate::aviary::wrapped;
use crate::cores::Cores;
use crate::lane::Target;
use crate::process::Process;
use crate::toolchain::Toolchain;
use crate::toolchain::Version;

/// Value of `reuse` in a sidecar for a fresh instance in every call.
const ONCE: u32 = 1;
const OFTEN: u32 = 1_000_000;

/// A client that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    /// Aviary with a plugin in Rust, a fresh instance for every callback.
    AviaryRust,
    /// Aviary with a plugin on QuickJS, a fresh instance for every callback.
    AviaryQuickjs,
    /// Aviary with a plugin on QuickJS, instances reused.
    AviaryQuickjsReused,
    /// With a plugin in Python, a fresh instance for every callback.
    AviaryPython,
    /// Aviary with a plugin in Python, instances reused.
    AviaryPythonReused,
    /// The host's own functions in an axum server, without a sandbox.
    Native,
    /// The official Node SDK.
    Node,
    /// The official Python SDK.
    Python,
}

impl Who {
    /// Returns the name for the table.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::AviaryRust => "Aviary, Rust plugin, fresh instance",
            Self::AviaryQuickjs => "Aviary, QuickJS plugin, fresh instance",
            Self::AviaryQuickjsReused => "Aviary, QuickJS plugin, reused instance",
            Self::AviaryPython => "Aviary, Python plugin, fresh instance",
            Self::AviaryPythonReused => "Aviary, Python plugin, reused instance",
            Self::Native => "native ceiling: axum, no sandbox",
            Self::Node => "Node SDK",
            Self::Python => "Python SDK",
        }
    }

    /// Returns the id of its app on the simulated platform: one official SDK requires 16 hex digits.
    pub(crate) fn app(self) -> &'static str {
        match self {
            Self::AviaryRust
            | Self::AviaryQuickjs
            | Self::AviaryQuickjsReused
            | Self::AviaryPython
            | Self::AviaryPythonReused => APP,
            Self::Native => "cli_a000000000000002",
            Self::Node => "cli_a000000000000003",
            Self::Python => "cli_a000000000000004",
        }
    }
}

/// A contestant whose process runs.
pub(crate) struct Contestant {
    pub(crate) who: Who,
    pub(crate) process: Process,
    pub(crate) target: Target,
}

/// Starts `who` with a webhook; `None` for an SDK that this machine is excused from having.
pub(crate) async fn webhook(who: Who, cores: Cores) -> anyhow::Result<Option<Contestant>> {
    let orders = json!({ "webhook": {
        "encrypt_key": ENCRYPT_KEY, "verification_token": VERIFICATION_TOKEN,
    }});
    let process = match who {
        Who::AviaryRust => return aviary(&Plan::usual()?, cores).await.map(Some),
        Who::AviaryQuickjs => return interpreted(who, Toolchain::Quickjs, ONCE, cores).await,
        Who::AviaryQuickjsReused => {
            return interpreted(who, Toolchain::Quickjs, OFTEN, cores).await;
        }
        Who::AviaryPython => return interpreted(who, Toolchain::Python, ONCE, cores).await,
        Who::AviaryPythonReused => return interpreted(who, Toolchain::Python, OFTEN, cores).await,
        Who::Native => return native(&[], cores).await.map(Some),
        Who::Node => start_sdk(Sdk::Node, &orders, cores)?,
        Who::Python => start_sdk(Sdk::Python, &orders, cores)?,
    };
    match process {
        Some(process) => says_its_port(who, process).await.map(Some),
        None => Ok(None),
    }
}

/// Starts the native ceiling, run by the wrapper if there is one.
pub(crate) async fn native(wrapper: &[String], cores: Cores) -> anyhow::Result<Contestant> {
    let mut native = wrapped(wrapper, &artifacts::native_ceiling()?);
    let process = Process::start(cores, &mut native, &environment(), tempfile::tempdir()?)?;
    says_its_port(Who::Native, process).await
}

async fn says_its_port(who: Who, mut process: Process) -> anyhow::Result<Contestant> {
    let port = |line: &Value| u16::try_from(line.get("webhook")?.as_u64()?).ok();
    let port = process.line(port).await.with_context(|| format!("starting {who:?}"))?;
    Ok(Contestant { who, process, target: Target::Webhook(([127, 0, 0, 1], port).into()) })
}

/// Starts an Aviary with a webhook.
pub(crate) async fn aviary(plan: &Plan, cores: Cores) -> anyhow::Result<Contestant> {
    let mut process = plan.start(&webhook_door(), cores).await?;
    let target = webhook_of(&mut process).await?;
    Ok(Contestant { who: Who::AviaryRust, process, target })
}

/// Returns an app's configuration for encrypted and signed callbacks over HTTP.
pub(crate) fn webhook_door() -> Value {
    json!({ "webhook": { "path": sender::PATH }, "encrypt_key": { "env": "AVIARY_ENCRYPT_KEY" } })
}

/// Waits until the webhook listens, and returns its address.
pub(crate) async fn webhook_of(process: &mut Process) -> anyhow::Result<Target> {
    let address = |line: &Value| match line.get("what")?.as_str()? {
        "webhook" => line.get("address")?.as_str()?.parse().ok(),
        _ => None,
    };
    Ok(Target::Webhook(process.line(address).await?))
}

/// Starts an Aviary with a plugin that includes a language runtime. Its compiled code is kept for the next run: compiling takes
/// fifteen seconds and is not measured.
async fn interpreted(
    who: Who,
    toolchain: Toolchain,
    calls_of_an_instance: u32,
    cores: Cores,
) -> anyhow::Result<Option<Contestant>> {
    let Some(component) = toolchain.component(Version::Original)? else { return Ok(None) };
    let code = artifacts::target_folder()?.join("desks/code");
    let sidecar = json!({ "reuse": calls_of_an_instance });
    let plan = Plan::empty().with("interpreted", component, sidecar);
    let plan = plan.set("cache", "path", code.display().to_string());
    Ok(Some(Contestant { who, ..aviary(&plan, cores).await? }))
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
            Some(Plan::usual()?.start(&door, cores).await?)
        }
        // These are measured over the webhook only.
        Who::AviaryQuickjs
        | Who::AviaryQuickjsReused
        | Who::AviaryPython
        | Who::AviaryPythonReused
        | Who::Native => None,
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
