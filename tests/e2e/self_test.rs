//! The callbacks that an author ships beside a plugin: what surrounds the plugin while it answers them, and what is said of one
//! that does not pass.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::command::aviary;
use aviary_e2e::host::HostProcess;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::to_toml;
use serde_json::Value;
use serde_json::json;

const MESSAGES: &str = "POST /open-apis/im/v1/messages";

/// A folder with one plugin of the name `plugin`, its sidecar file, and the files of its tests.
fn folder(
    guest: &str,
    grants: &Value,
    tests: &[(&str, Value)],
) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    fs::copy(artifacts::guest(guest)?, path("plugin.wasm"))?;
    fs::write(path("plugin.toml"), to_toml(&json!({ "grants": grants }))?)?;
    fs::create_dir(path("plugin.tests"))?;
    for (name, content) in tests {
        fs::write(path("plugin.tests").join(name), content.to_string())?;
    }
    Ok(folder)
}

/// Returns the report of `aviary check` on the plugin in that folder.
fn check(folder: &Path) -> anyhow::Result<Value> {
    let said = aviary(folder, &["check", "plugin.wasm", "--json"])?;
    serde_json::from_str(&said.stdout).with_context(|| said.text())
}

fn refused(report: &Value) -> &str {
    report["refused"].as_str().unwrap_or_default()
}

#[test]
fn a_request_to_the_platform_is_answered() -> anyhow::Result<()> {
    let grants = json!({ "open_api": [MESSAGES] });
    let click = |button: &str| ("click.json", sender::click(button));
    let report = check(folder("calls-open-api", &grants, &[click("must:status 200")])?.path())?;
    ensure!(report["ok"] == true, "a success that nobody prepared: {report:#}");
    let prepared = json!([
        { "method": "POST", "path": "/open-apis/im/v1/*", "answer": { "data": { "message_id": "om_1" } } },
        { "answer": { "data": { "message_id": "om_2" } } },
    ]);
    for button in ["must:om_1", "twice"] {
        let tests = [click(button), ("click.api.json", prepared.clone())];
        let report = check(folder("calls-open-api", &grants, &tests)?.path())?;
        ensure!(report["ok"] == true, "{button}: {report:#}");
    }
    let failure = json!([{ "status": 400, "answer": { "code": 230001 } }]);
    let tests = [click("must:status 400 {\"code\":230001}"), ("click.api.json", failure)];
    let report = check(folder("calls-open-api", &grants, &tests)?.path())?;
    ensure!(report["ok"] == true, "{report:#}");
    Ok(())
}

#[test]
fn a_missing_grant_refuses_the_plugin_and_says_what_to_write() -> anyhow::Result<()> {
    let kept = sender::click_with("b", json!({ "do": "get", "key": "k" }));
    let asked = sender::click_with("b", json!({ "url": "https://api.example.com/v1" }));
    for (guest, click, write) in [
        ("calls-open-api", sender::click("b"), format!("write open_api = [\"{MESSAGES}\"]")),
        ("keeps", kept, "write key_value = {}".to_owned()),
        ("asks-elsewhere", asked, "write http = [\"https://api.example.com/v1\"]".to_owned()),
    ] {
        let report = check(folder(guest, &json!({}), &[("click.json", click)])?.path())?;
        let why = refused(&report);
        ensure!(why.contains("plugin.tests/click.json") && why.contains(&write), "{report:#}");
    }
    let tests = [("click.json", sender::click("for:another"))];
    let report =
        check(folder("calls-open-api", &json!({ "open_api": [MESSAGES] }), &tests)?.path())?;
    ensure!(refused(&report).contains("tenants = [\"another\"]"), "{report:#}");
    Ok(())
}

#[test]
fn other_servers_and_the_store_are_stood_in_for() -> anyhow::Result<()> {
    let add = json!({ "do": "add", "key": "k", "by": 1, "must": "1" });
    // Each test begins with an empty store, so that both count to one.
    let tests = [
        ("a.json", sender::click_with("b", add.clone())),
        ("b.json", sender::click_with("b", add)),
    ];
    let report = check(folder("keeps", &json!({ "key_value": {} }), &tests)?.path())?;
    ensure!(report["ok"] == true, "{report:#}");
    let grants = json!({ "http": ["https://api.example.com/"] });
    let ask = |must: &str| {
        sender::click_with(
            "b",
            json!({
                "url": "https://api.example.com/v1?q=1", "method": "POST", "body_bytes": 100_000, "must": must,
            }),
        )
    };
    let page = json!([{ "path": "https://api.example.com/*", "status": 404, "answer": "no page" }]);
    let tests = [
        ("a.json", ask("status 200, 2 bytes: {}")),
        ("b.json", ask("status 404, 7 bytes: no page")),
        ("b.api.json", page),
    ];
    let report = check(folder("asks-elsewhere", &grants, &tests)?.path())?;
    ensure!(report["ok"] == true, "{report:#}");
    Ok(())
}

#[test]
fn a_failure_that_the_plugin_reports_is_a_warning() -> anyhow::Result<()> {
    let callback = |please: &str| json!({ "schema": "2.0", "header": { "event_type": "profile.view.get" }, "event": { "please": please } });
    let reports = folder("json-handler", &json!({}), &[("view.json", callback("fail"))])?;
    let report = check(reports.path())?;
    let warning = report["warnings"][0].as_str().unwrap_or_default();
    ensure!(report["ok"] == true && warning.contains("as asked"), "{report:#}");
    for (please, why) in [("trap", "crashed"), ("answer badly", "rule")] {
        let crashes = folder("json-handler", &json!({}), &[("view.json", callback(please))])?;
        let report = check(crashes.path())?;
        ensure!(refused(&report).contains(why), "{report:#}");
    }
    Ok(())
}

#[test]
fn a_mistake_in_the_answers_is_named() -> anyhow::Result<()> {
    let click = ("click.json", sender::click("b"));
    let wrong = json!([{ "method": "post", "answer": {} }]);
    for (name, named) in [("click.api.json", "answer 1: method"), ("link.api.json", "no link.json")]
    {
        let tests = [click.clone(), (name, wrong.clone())];
        let report = check(folder("version-a", &json!({}), &tests)?.path())?;
        let why = refused(&report);
        ensure!(why.contains(&format!("plugin.tests/{name}")) && why.contains(named), "{report:#}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_asks_nobody_for_a_self_test() -> anyhow::Result<()> {
    let running = Setup::new(App::default()).start().await?;
    let tests = running.plugin_file("caller.tests");
    fs::create_dir(&tests)?;
    fs::write(tests.join("click.json"), sender::click("must:status 200").to_string())?;
    fs::write(
        running.plugin_file("caller.toml"),
        format!("[grants]\nopen_api = [\"{MESSAGES}\"]\n"),
    )?;
    running.drop_guest("calls-open-api", "caller")?;
    running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "caller")]).await?;
    ensure!(running.platform()?.simulator().messages().is_empty(), "nothing was sent");
    ensure!(running.toast("must:status 200").await?.contains("status 200"));
    ensure!(running.platform()?.simulator().messages().len() == 1, "a click is another matter");
    Ok(())
}

/// A build that needs no compiler: the source already is a component.
const RECIPE: &str = r#"
name = "copied"
[build]
run = [["cp", "source.bin", "built.wasm"]]
output = "built.wasm"
"#;

#[tokio::test]
async fn the_author_s_own_file_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("callbacks"))?;
    fs::write(source.join("plugin.toml"), RECIPE)?;
    fs::write(source.join("callbacks/click.json"), sender::click("b").to_string())?;
    fs::write(source.join("callbacks/click.api.json"), "[]")?;
    fs::copy(artifacts::guest("trap")?, source.join("source.bin"))?;
    let mut dev = HostProcess::start(&["dev", "source"], folder.path(), &[])?;
    dev.log().wait_for_text("source/callbacks/click.json: the plugin crashed").await?;
    fs::copy(artifacts::guest("version-a")?, source.join("source.bin"))?;
    let said = dev.stdout().clone();
    said.wait_for_text("the user sees  toast “a”").await?;
    ensure!(!said.text().contains("click.api.json"), "answers are no callback: {}", said.text());
    ensure!(dev.terminate().await?.status.success(), "{}", dev.log().text());

    fs::copy(artifacts::guest("trap")?, source.join("source.bin"))?;
    let mut build = Command::new(artifacts::host_binary()?);
    build.args(["build", "source", "--out", "plugins"]).current_dir(folder.path());
    ensure!(build.status()?.success());
    let said = aviary(folder.path(), &["check", "plugins/copied.wasm"])?;
    ensure!(said.text().contains("source/callbacks/click.json"), "{}", said.text());
    Ok(())
}
