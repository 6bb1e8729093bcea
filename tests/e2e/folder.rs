//! Everything that happens to a plugins folder: copies in many steps, moves, links, mounts that come and go, and an operator who
//! asks for the status or the previous version.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::command::aviary;
use aviary_e2e::eventually::eventually;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::log::LogLine;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

/// Plugins dropped at once. Only one is good, because the test only checks that the host sees all of them.
const BURST: usize = 1000;

async fn with_a() -> anyhow::Result<Running> {
    let app = App::default().component("answer", artifacts::guest("version-a")?, None);
    Setup::new(app.webhook_only()).start().await
}

async fn live(running: &Running, count: usize) -> anyhow::Result<Vec<LogLine>> {
    running.host.log().wait_for_count(count, events::PLUGIN_LIVE, &[("plugin", "answer")]).await
}

fn times_live(running: &Running) -> usize {
    running.host.log().lines(|line| line.is(events::PLUGIN_LIVE, &[("plugin", "answer")])).len()
}

/// Waits until `holds` accepts the entry of one plugin, and returns it.
async fn status(
    running: &Running,
    name: &str,
    holds: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    eventually(&format!("what is to be true of {name}"), async || {
        let plugin = running.plugin(name).await?;
        Ok((plugin["name"] == name && holds(&plugin)).then_some(plugin))
    })
    .await
}

/// Runs `aviary plugins …` against that host. Returns its exit code and what it printed.
async fn ask(running: &Running, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let admin = running.host.admin().await?.to_string();
    let arguments = [&["plugins"], arguments, &["--admin", &admin]].concat();
    let said = aviary(running.folder(), &arguments)?;
    Ok((said.code, said.text()))
}

#[tokio::test]
async fn a_slow_copy_is_live_once_it_is_whole() -> anyhow::Result<()> {
    let running = with_a().await?;
    let component = fs::read(artifacts::guest("version-b")?)?;
    let (half, rest) = component.split_at(component.len() / 2);
    let mut file = fs::File::create(running.plugin_file("answer.wasm"))?;
    file.write_all(half)?;
    file.sync_all()?;
    // The copy pauses until the host has seen the incomplete file.
    status(&running, "answer", |plugin| plugin["not_live_because"].is_string()).await?;
    ensure!(running.toast("b").await? == "a", "half a plugin answers");
    for piece in rest.chunks(rest.len() / 12 + 1) {
        file.write_all(piece)?;
        file.sync_all()?;
        ensure!(running.toast("b").await? == "a", "half a plugin answers");
    }
    drop(file);
    live(&running, 2).await?;
    ensure!(running.toast("b").await? == "b");
    let refused = running.host.log().lines(|line| line.is(events::PLUGIN_REFUSED, &[])).len();
    ensure!(refused <= 6, "{refused} complaints about a copy that went well");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_moved_over_it_is_live() -> anyhow::Result<()> {
    let running = with_a().await?;
    let outside = running.folder().join("next.wasm");
    fs::copy(artifacts::guest("version-b")?, &outside)?;
    fs::rename(&outside, running.plugin_file("answer.wasm"))?;
    live(&running, 2).await?;
    ensure!(running.toast("b").await? == "b");
    // A renamed file is another plugin, and the old plugin is gone.
    fs::rename(running.plugin_file("answer.wasm"), running.plugin_file("other.wasm"))?;
    running.host.log().wait_for(events::PLUGIN_REMOVED, &[("plugin", "answer")]).await?;
    running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "other")]).await?;
    ensure!(running.toast("b").await? == "b");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_deleted_and_made_again_is_live() -> anyhow::Result<()> {
    let running = with_a().await?;
    fs::remove_file(running.plugin_file("answer.wasm"))?;
    running.drop_guest("version-b", "answer")?;
    live(&running, 2).await?;
    ensure!(running.toast("b").await? == "b");
    Ok(())
}

/// Publishes a volume like Kubernetes: the visible names lead through `..data`, which is replaced as a whole.
fn publish_volume(folder: &Path, revision: &str, guest: &str) -> anyhow::Result<()> {
    fs::create_dir(folder.join(revision))?;
    fs::copy(artifacts::guest(guest)?, folder.join(revision).join("answer.wasm"))?;
    symlink(revision, folder.join("..data_tmp"))?;
    fs::rename(folder.join("..data_tmp"), folder.join("..data"))?;
    Ok(())
}

#[tokio::test]
async fn a_link_that_is_flipped_is_a_new_version() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only()).start().await?;
    let folder = running.plugin_file("");
    publish_volume(&folder, "..2026_01", "version-a")?;
    symlink("..data/answer.wasm", folder.join("answer.wasm"))?;
    live(&running, 1).await?;
    ensure!(running.toast("b").await? == "a");
    publish_volume(&folder, "..2026_02", "version-b")?;
    fs::remove_dir_all(folder.join("..2026_01"))?;
    live(&running, 2).await?;
    ensure!(running.toast("b").await? == "b");
    Ok(())
}

#[tokio::test]
async fn the_same_content_is_no_new_version() -> anyhow::Result<()> {
    let running = with_a().await?;
    for _ in 0..3 {
        running.drop_guest("version-a", "answer")?;
        running.host.log().wait_for(events::PLUGIN_UNCHANGED, &[("plugin", "answer")]).await?;
    }
    // A file that was broken in between and is restored has the same version too.
    fs::write(running.plugin_file("answer.wasm"), "not a plugin")?;
    running.host.log().wait_for(events::PLUGIN_REFUSED, &[("plugin", "answer")]).await?;
    status(&running, "answer", |plugin| plugin["not_live_because"].is_string()).await?;
    running.drop_guest("version-a", "answer")?;
    let now = status(&running, "answer", |plugin| plugin["not_live_because"].is_null()).await?;
    ensure!(now["live"] == true && times_live(&running) == 1, "{now}");
    Ok(())
}

#[tokio::test]
async fn a_thousand_files_at_once_are_all_seen() -> anyhow::Result<()> {
    let running = with_a().await?;
    for index in 0..BURST {
        fs::write(running.plugin_file(&format!("noise-{index:04}.wasm")), format!("text {index}"))?;
    }
    running.drop_guest("version-b", "answer")?;
    live(&running, 2).await?;
    ensure!(running.toast("b").await? == "b", "the others do not hold it up for ever");
    running.host.log().wait_for_count(BURST, events::PLUGIN_REFUSED, &[]).await?;
    for index in 0..BURST {
        fs::remove_file(running.plugin_file(&format!("noise-{index:04}.wasm")))?;
    }
    running.host.log().wait_for_count(BURST, events::PLUGIN_REMOVED, &[]).await?;
    ensure!(running.toast("b").await? == "b");
    Ok(())
}

#[tokio::test]
async fn a_folder_that_comes_back_is_followed_again() -> anyhow::Result<()> {
    let running = with_a().await?;
    let folder = running.plugin_file("");
    let away = running.folder().join("away");
    fs::rename(&folder, &away)?;
    running.host.log().wait_for(events::PLUGINS_FOLDER_UNREADABLE, &[]).await?;
    ensure!(running.toast("b").await? == "a", "a mount that went away takes no plugin down");
    fs::create_dir(&folder)?;
    fs::copy(artifacts::guest("version-b")?, folder.join("answer.wasm"))?;
    live(&running, 2).await?;
    ensure!(running.toast("b").await? == "b");
    // The host watches the new folder: it sees this change by a notification, or at the latest by its next scan.
    running.drop_guest("version-a", "answer")?;
    live(&running, 3).await?;
    ensure!(running.toast("b").await? == "a");
    Ok(())
}

#[tokio::test]
async fn an_old_version_is_freed_when_nobody_can_go_back_to_it() -> anyhow::Result<()> {
    let running = with_a().await?;
    let first = live(&running, 1).await?[0].text_of("version").to_owned();
    running.drop_guest("version-b", "answer")?;
    live(&running, 2).await?;
    running.drop_guest("counter", "answer")?;
    live(&running, 3).await?;
    running.host.log().wait_for(events::PLUGIN_FREED, &[("version", &first)]).await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_goes_back_to_the_version_before() -> anyhow::Result<()> {
    let running = with_a().await?;
    let none = ask(&running, &["rollback", "answer"]).await?;
    ensure!(none.0 == Some(1) && none.1.contains("no version"), "{none:?}");
    let unknown = ask(&running, &["rollback", "nobody"]).await?;
    ensure!(unknown.0 == Some(1) && unknown.1.contains("no plugin"), "{unknown:?}");

    running.drop_guest("version-b", "answer")?;
    live(&running, 2).await?;
    ensure!(running.toast("b").await? == "b");
    let (code, said) = ask(&running, &["rollback", "answer"]).await?;
    ensure!(code == Some(0), "{said}");
    ensure!(running.toast("b").await? == "a");
    let now = status(&running, "answer", |plugin| plugin["rolled_back"] == true).await?;
    ensure!(said.contains(now["version"].as_str().context("a version")?), "{said}: {now}");

    // The file is unchanged, so the next scan changes nothing.
    running.drop_guest("version-b", "answer")?;
    running.host.log().wait_for(events::PLUGIN_UNCHANGED, &[("plugin", "answer")]).await?;
    ensure!(running.toast("b").await? == "a" && times_live(&running) == 2);
    // A different file is loaded.
    running.drop_guest("counter", "answer")?;
    live(&running, 3).await?;
    ensure!(running.toast("b").await? == "1");
    Ok(())
}

#[tokio::test]
async fn the_list_says_what_is_live_and_why_the_rest_is_not() -> anyhow::Result<()> {
    let route = json!({ "route": [{ "action_name": "b" }], "limits": { "calls": 3 } });
    let app = App::default().guest_with("version-a", route)?;
    let running = Setup::new(app.webhook_only()).start().await?;
    for _ in 0..3 {
        running.toast("b").await?;
    }
    fs::write(running.plugin_file("broken.wasm"), "this is text")?;
    let broken =
        status(&running, "broken", |plugin| plugin["not_live_because"].is_string()).await?;
    ensure!(broken["live"] == false, "{broken}");
    let good = status(&running, "version-a", |plugin| plugin["calls"] == 3).await?;
    ensure!(
        good["live"] == true && good["failures"] == 0 && good["breaker"] == "running",
        "{good}"
    );
    ensure!(good["fuel"].as_u64() > Some(0) && good["since_ms"].as_u64() > Some(0), "{good}");
    ensure!(good["handles"] == json!(["card-action-handler"]), "{good}");
    ensure!(good["routes"] == json!([{ "action_name": "b" }]), "{good}");

    let (code, table) = ask(&running, &[]).await?;
    ensure!(code == Some(0) && table.contains("version-a") && table.contains("3 calls"), "{table}");
    ensure!(table.contains("broken") && table.contains("not WebAssembly"), "{table}");
    let (code, printed) = ask(&running, &["--json"]).await?;
    let printed: Value = serde_json::from_str(&printed)?;
    ensure!(code == Some(0) && printed["apps"][0]["plugins"][0]["name"] == "broken", "{printed}");
    Ok(())
}

#[tokio::test]
async fn a_version_that_fails_its_own_test_does_not_go_live() -> anyhow::Result<()> {
    let running = with_a().await?;
    let tests = running.plugin_file("answer.tests");
    fs::create_dir(&tests)?;
    fs::write(tests.join("click.json"), sender::click("b").to_string())?;
    running.drop_guest("trap", "answer")?;
    let refused =
        running.host.log().wait_for(events::PLUGIN_REFUSED, &[("plugin", "answer")]).await?;
    let reason = refused.text_of("reason");
    ensure!(reason.contains("click.json") && reason.contains("a guest's own words"), "{reason}");
    ensure!(running.toast("b").await? == "a");
    running.drop_guest("version-b", "answer")?;
    // The tests beside version a may have caused one more load in between.
    status(&running, "answer", |plugin| plugin["not_live_because"].is_null()).await?;
    eventually_is("version b is live", async || Ok(running.toast("b").await? == "b")).await
}

/// Compiles this WebAssembly text to a component, without a language's toolchain.
fn component(folder: &Path, text: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join("made.wasm");
    fs::write(&path, wat::parse_str(text)?)?;
    Ok(path)
}

#[tokio::test]
async fn what_a_component_lacks_is_said_in_words() -> anyhow::Result<()> {
    let running = with_a().await?;
    let wanting = |import: &str, function: &str| {
        format!(r#"(component (import "{import}" (instance (export "{function}" (func)))))"#)
    };
    let cases = [
        ("lark:callback/request@0.9.0", "raw", "0.1.0"),
        ("lark:callback/request@0.1.0", "raw-and-cooked", "raw-and-cooked"),
        ("lark:callback/telepathy@0.1.0", "send", "lark:callback/telepathy@0.1.0"),
        ("wasi:http/incoming-handler@0.2.6", "handle", "wasi:http/outgoing-handler"),
        ("wasi:cli/environment@0.3.0", "get", "wasm32-wasip2"),
        ("acme:tools/hammer", "hit", "acme:tools/hammer"),
    ];
    for (index, (import, function, said)) in cases.into_iter().enumerate() {
        let made = component(running.folder(), &wanting(import, function))?;
        let name = format!("wants-{index}");
        fs::rename(made, running.plugin_file(&format!("{name}.wasm")))?;
        let refused =
            running.host.log().wait_for(events::PLUGIN_REFUSED, &[("plugin", &name)]).await?;
        let reason = refused.text_of("reason");
        ensure!(reason.contains(said), "{import}: {reason}");
    }
    Ok(())
}
