//! Tools for an author: `aviary call` and `aviary check`, on real guests, without a host.

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::artifacts::source_root;
use aviary_e2e::sender;
use aviary_e2e::setup::to_toml;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

/// A folder with one plugin.
struct Desk(TempDir);

impl Desk {
    fn with(component: &Path, sidecar: &Value) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::copy(component, folder.path().join("plugin.wasm"))?;
        std::fs::write(folder.path().join("plugin.toml"), to_toml(sidecar)?)?;
        Ok(Self(folder))
    }

    fn call(&self, callback: &Value, more: &[&str]) -> anyhow::Result<(Option<i32>, Value)> {
        let path = self.0.path().join("callback.json");
        std::fs::write(&path, callback.to_string())?;
        self.call_file(&path, more)
    }

    fn call_file(&self, callback: &Path, more: &[&str]) -> anyhow::Result<(Option<i32>, Value)> {
        let plugin = self.0.path().join("plugin.wasm");
        let mut words = vec!["call".as_ref(), plugin.as_os_str(), callback.as_os_str()];
        words.extend(more.iter().map(|word| OsStr::new(*word)));
        words.push("--json".as_ref());
        let output = aviary(&words)?;
        let report = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok((output.status.code(), report))
    }
}

fn aviary(words: &[&OsStr]) -> anyhow::Result<Output> {
    // The command keeps its compiled code in a temporary cache.
    let caches = tempfile::tempdir()?;
    let mut aviary = Command::new(artifacts::host_binary()?);
    aviary.args(words).env("XDG_CACHE_HOME", caches.path());
    aviary.output().context("cannot run aviary")
}

fn sample(name: &str) -> PathBuf {
    source_root().join("wit/command/samples").join(name)
}

#[test]
fn a_call_shows_what_the_platform_would_get_and_what_it_took() -> anyhow::Result<()> {
    let desk = Desk::with(&artifacts::plugin("approval-card")?, &json!({}))?;
    let (code, first) = desk.call_file(&sample("card-action.json"), &[])?;
    ensure!(code == Some(0) && first["ok"] == true, "{first:#}");
    ensure!(first["outcome"] == "answered" && first["reason"].is_null(), "{first:#}");
    ensure!(first["reply"]["toast"]["content"] == "Approved", "{first:#}");
    let fuel = first["fuel"].as_u64().context("no fuel")?;
    let (code, _) =
        desk.call_file(&sample("card-action.json"), &["--max-fuel", &fuel.to_string()])?;
    ensure!(code == Some(0), "the same call takes the same fuel");
    let less = (fuel - 1).to_string();
    let (code, over) = desk.call_file(&sample("card-action.json"), &["--max-fuel", &less])?;
    ensure!(code == Some(1) && over["ok"] == false && over["fuel"] == fuel, "{over:#}");
    // The plugin takes only clicks: a host would answer with a reply of its own.
    let (code, preview) = desk.call_file(&sample("link-preview.json"), &[])?;
    ensure!(code == Some(1) && preview["outcome"] == "no_handler", "{preview:#}");
    Ok(())
}

#[test]
fn a_program_can_be_called_with_every_sample() -> anyhow::Result<()> {
    let desk = Desk::with(&artifacts::guest("as-command")?, &json!({}))?;
    let mut samples = 0;
    for entry in std::fs::read_dir(source_root().join("wit/command/samples"))? {
        let (code, report) = desk.call_file(&entry?.path(), &[])?;
        ensure!(code == Some(0) && report["acknowledged"] == true, "{report:#}");
        let said = &report["log"][0];
        ensure!(
            said["message"] == events::PLUGIN_LOG.text() && said["text"] == "asked",
            "{report:#}"
        );
        samples += 1;
    }
    ensure!(samples == 7, "{samples} samples");
    let (code, failed) = desk.call(&sender::click("fail"), &[])?;
    ensure!(code == Some(1) && failed["outcome"] == "plugin_failure", "{failed:#}");
    ensure!(failed["reply"]["toast"]["type"] == "error", "the host's own words: {failed:#}");
    Ok(())
}

#[test]
fn what_would_leave_the_machine_is_shown_instead() -> anyhow::Result<()> {
    let grants = json!({ "grants": { "open_api": ["POST /open-apis/im/v1/messages"] } });
    let caller = artifacts::guest("calls-open-api")?;
    for (sidecar, result) in [(grants, "not_sent"), (json!({}), "not_granted")] {
        let desk = Desk::with(&caller, &sidecar)?;
        let (_, report) = desk.call(&sender::click("b"), &[])?;
        let asked = &report["open_api"][0];
        ensure!(asked["result"] == result && asked["method"] == "POST", "{report:#}");
    }
    let desk = Desk::with(&artifacts::guest("defers-twice")?, &json!({}))?;
    let (code, report) = desk.call(&sender::click("b"), &[])?;
    ensure!(code == Some(0), "{report:#}");
    ensure!(report["card_updates"].as_array().is_some_and(|cards| cards.len() == 2), "{report:#}");
    Ok(())
}

#[test]
fn a_reply_that_breaks_a_rule_fails_the_call_and_names_the_rule() -> anyhow::Result<()> {
    let desk = Desk::with(&artifacts::guest("invalid-card")?, &json!({}))?;
    let (code, report) = desk.call(&sender::click("not-an-object"), &[])?;
    ensure!(code == Some(1) && report["outcome"] == "invalid_reply", "{report:#}");
    ensure!(report["reason"].as_str().is_some_and(|why| why.starts_with("/card")), "{report:#}");
    ensure!(report["reply"]["toast"]["content"] == "kept", "{report:#}");
    Ok(())
}

#[test]
fn modules_that_need_sockets_are_named_before_the_first_call() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plugin.wasm");
    let mut component = std::fs::read(artifacts::guest("version-a")?)?;
    // A component made of Python holds these in its memory; a custom section (id 0, length, name, contents) will do.
    let held = b"\x04heldcomponentize_py_runtime\0/1/requests/sessions.py\0/python/http/client.py";
    component.extend([&[0, u8::try_from(held.len())?][..], held].concat());
    std::fs::write(&file, component)?;
    let (code, reports) = check(&[file])?;
    let warning = reports[0]["warnings"][0].as_str().context("there is no warning")?;
    ensure!(code == Some(0) && warning.contains("imports requests, http.client:"), "{warning}");
    Ok(())
}

fn check(files: &[PathBuf]) -> anyhow::Result<(Option<i32>, Vec<Value>)> {
    let mut words = vec!["check".as_ref(), "--json".as_ref()];
    words.extend(files.iter().map(|file| file.as_os_str()));
    let output = aviary(&words)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((output.status.code(), lines))
}

#[test]
fn a_check_says_what_a_file_is_and_what_it_needs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let files = [
        artifacts::guest("calls-open-api")?,
        artifacts::guest("as-command")?,
        artifacts::guest_for("wasm32-wasip1", "as-command")?,
        artifacts::guest_for("wasm32-unknown-unknown", "version-a")?,
    ];
    let (code, reports) = check(&files)?;
    ensure!(code == Some(77) && reports.len() == files.len(), "{reports:#?}");
    let [caller, component, module, typed] = &reports[..] else { anyhow::bail!("{reports:#?}") };
    let asks = |import: &Value| {
        import.as_str().is_some_and(|name| name.starts_with("lark:callback/open-api"))
    };
    ensure!(caller["handles"] == json!(["card-action-handler"]), "{caller:#}");
    ensure!(caller["imports"].as_array().is_some_and(|all| all.iter().any(asks)), "{caller:#}");
    let lacks = caller["not_granted"][0].as_str().unwrap_or_default();
    ensure!(lacks.contains("requests to the server API are refused"), "{caller:#}");
    let granted = folder.path().join("granted.wasm");
    std::fs::copy(&files[0], &granted)?;
    let grants = json!({ "grants": { "open_api": ["POST /open-apis/im/v1/messages"] } });
    std::fs::write(granted.with_extension("toml"), to_toml(&grants)?)?;
    let (code, reports_of_granted) = check(&[granted])?;
    ensure!(code == Some(0), "{reports_of_granted:#?}");
    ensure!(component["form"] == "component" && component["handles"] == json!(["command"]));
    ensure!(module["form"] == "WASI preview 1 command", "{module:#}");
    ensure!(typed["form"] == "core module with a component type", "{typed:#}");
    let (broken, compiled) = (folder.path().join("broken.wasm"), folder.path().join("c.wasm"));
    std::fs::write(&broken, "text")?;
    std::fs::write(&compiled, b"\x7fELF\x02\x01\x01")?;
    let (code, reports) = check(&[broken, compiled])?;
    ensure!(code == Some(1), "{reports:#?}");
    let reason = |report: &Value| report["refused"].as_str().unwrap_or_default().to_owned();
    ensure!(reason(&reports[0]).contains("not WebAssembly"), "{reports:#?}");
    ensure!(reason(&reports[1]).contains("never taken from a folder"), "{reports:#?}");
    Ok(())
}

#[test]
fn what_cannot_be_read_is_the_caller_s_fault() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("missing.wasm");
    let text = folder.path().join("text.json");
    std::fs::write(&text, "text")?;
    let event = sample("event.json");
    let cases = [
        vec!["check".as_ref(), missing.as_os_str()],
        vec!["call".as_ref(), missing.as_os_str(), event.as_os_str()],
        vec!["call".as_ref(), missing.as_os_str(), text.as_os_str()],
    ];
    for words in cases {
        let output = aviary(&words)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(64), "{words:?}: {said}");
    }
    Ok(())
}

#[test]
fn every_command_has_an_example_and_every_shell_its_completions() -> anyhow::Result<()> {
    let help = String::from_utf8(aviary(&["--help".as_ref()])?.stdout)?;
    ensure!(help.contains("Exit codes"), "{help}");
    let commands: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !matches!(*name, "help" | "card"))
        .collect();
    ensure!(commands.len() > 5, "{help}");
    for command in commands {
        let output = aviary(&[command.as_ref(), "--help".as_ref()])?;
        let help = String::from_utf8(output.stdout)?;
        ensure!(help.contains("Example"), "aviary {command}: {help}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = aviary(&["completions".as_ref(), shell.as_ref()])?;
        let script = String::from_utf8(output.stdout)?;
        ensure!(output.status.success() && script.contains("max-fuel"), "{shell}");
    }
    Ok(())
}
