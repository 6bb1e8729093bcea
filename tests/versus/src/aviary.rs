//! An Aviary that takes part: the files in its folder, its configuration, and its start.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::setup::environment;
use aviary_e2e::setup::to_toml;
use serde_json::Value;
use serde_json::json;

use crate::cores::Cores;
use crate::process::Process;

/// The guest that does what the SDKs' handlers do.
pub(crate) const GUEST: &str = "names-operator";
/// Id of its app on the simulated platform.
pub(crate) const APP: &str = "cli_a000000000000001";

/// Files and configuration of an Aviary.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    plugins: Vec<Dropped>,
    settings: Value,
    wrapper: Vec<String>,
}

#[derive(Clone, Debug)]
struct Dropped {
    name: String,
    component: Vec<u8>,
    sidecar: Value,
}

impl Plan {
    /// Returns the plugin in Rust and the default configuration, except for a log in a format that this program can parse.
    pub(crate) fn usual() -> anyhow::Result<Self> {
        Ok(Self::empty().with(GUEST, std::fs::read(artifacts::guest(GUEST)?)?, json!({})))
    }

    /// Returns the same configuration without plugins.
    pub(crate) fn empty() -> Self {
        let settings = json!({
            // A cache of its own, so that no code of an earlier run is used.
            "cache": { "path": "cache" },
            "log": { "format": "json" },
        });
        Self { plugins: Vec::new(), settings, wrapper: Vec::new() }
    }

    /// Adds a plugin with that sidecar.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, component: Vec<u8>, sidecar: Value) -> Self {
        self.plugins.push(Dropped { name: name.to_owned(), component, sidecar });
        self
    }

    /// Adds that many copies of a component, each for a button of its own.
    #[must_use]
    pub(crate) fn with_copies(mut self, component: &[u8], count: usize, sidecar: &Value) -> Self {
        for number in 0..count {
            let mut sidecar = sidecar.clone();
            sidecar["route"] = route(&button(number));
            let name = format!("further-{number:04}");
            self = self.with(&name, distinct(component, number), sidecar);
        }
        self
    }

    /// Adds that many further copies of the usual plugin.
    pub(crate) fn with_further(self, count: usize) -> anyhow::Result<Self> {
        let guest = std::fs::read(artifacts::guest(GUEST)?)?;
        Ok(self.with_copies(&guest, count, &json!({})))
    }

    /// Sets a key in one of the configuration's tables.
    #[must_use]
    pub(crate) fn set(mut self, table: &str, key: &str, value: impl Into<Value>) -> Self {
        self.settings[table][key] = value.into();
        self
    }

    /// Sets the program that runs the host, such as valgrind.
    #[must_use]
    pub(crate) fn run_by(mut self, wrapper: &[String]) -> Self {
        self.wrapper = wrapper.to_vec();
        self
    }

    /// Starts the host with these doors, and waits until all its plugins are live.
    pub(crate) async fn start(&self, doors: &Value, cores: Cores) -> anyhow::Result<Process> {
        let folder = tempfile::tempdir()?;
        self.fill(&folder.path().join("plugins"))?;
        let configuration = self.configuration(doors);
        std::fs::write(folder.path().join("aviary.toml"), to_toml(&configuration)?)?;
        let mut command = wrapped(&self.wrapper, &artifacts::host_binary()?);
        command.args(["run", "--config", "aviary.toml"]).current_dir(folder.path());
        let mut process = Process::start(cores, &mut command, &environment(), folder)?;
        process.lines(self.plugins.len(), |line| is_live(line).then_some(())).await?;
        Ok(process)
    }

    fn configuration(&self, doors: &Value) -> Value {
        let mut app = json!({
            "id": APP,
            "secret": { "env": "AVIARY_APP_SECRET" },
            "verification_token": { "env": "AVIARY_VERIFICATION_TOKEN" },
            "plugins": "plugins",
        });
        for (key, value) in doors.as_object().into_iter().flatten() {
            app[key] = value.clone();
        }
        let mut configuration = self.settings.clone();
        if doors.get("webhook").is_some() {
            configuration["webhook"]["listen"] = "127.0.0.1:0".into();
        }
        configuration["app"] = json!([app]);
        configuration
    }

    fn fill(&self, plugins: &Path) -> anyhow::Result<()> {
        std::fs::create_dir(plugins)?;
        for Dropped { name, component, sidecar } in &self.plugins {
            if sidecar.as_object().is_some_and(|sidecar| !sidecar.is_empty()) {
                let sidecar = to_toml(sidecar)?;
                std::fs::write(plugins.join(name).with_extension("toml"), sidecar)?;
            }
            let file = plugins.join(name).with_extension("wasm");
            std::fs::write(&file, component).with_context(|| file.display().to_string())?;
        }
        Ok(())
    }
}

/// Returns a command for `program`, run by the wrapper if there is one.
pub(crate) fn wrapped(wrapper: &[String], program: &Path) -> Command {
    match wrapper {
        [] => Command::new(program),
        [runner, arguments @ ..] => {
            let mut command = Command::new(runner);
            command.args(arguments).arg(program);
            command
        }
    }
}

/// Returns a sidecar that claims only clicks on that button.
pub(crate) fn route(button: &str) -> Value {
    json!([{ "action_name": button }])
}

/// Returns the button of the copy with that number.
pub(crate) fn button(number: usize) -> String {
    format!("button-{number}")
}

/// Returns true if the log line says that a plugin is live.
pub(crate) fn is_live(line: &Value) -> bool {
    line["message"] == events::PLUGIN_LIVE.text()
}

/// Makes the same component a different file by adding a custom section with `number`: the host would share the code of two equal
/// files.
fn distinct(guest: &[u8], number: usize) -> Vec<u8> {
    const CUSTOM: u8 = 0;
    let (name, content) = (b"number", (number as u32).to_le_bytes());
    let size = 1 + name.len() + content.len();
    [guest, &[CUSTOM, size as u8, name.len() as u8], name, &content].concat()
}
