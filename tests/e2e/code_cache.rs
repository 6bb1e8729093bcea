//! Compiled code on disk: reused where it is valid, and only there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::json;

/// Plugins of a busy host.
const MANY: usize = 50;
/// Time limit until all of them are live, on one core. A release build takes a tenth of a second.
const READY: Duration = Duration::from_secs(2);

/// Components that differ, each for a button of its own.
struct Versions {
    folder: tempfile::TempDir,
    count: usize,
}

impl Versions {
    fn new(count: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let component = fs::read(artifacts::guest("numbered")?)?;
        let place = component.windows(7).position(|bytes| bytes == b"number:").context("number")?;
        for index in 0..count {
            let mut version = component.clone();
            version[place + 7..place + 15].copy_from_slice(format!("{index:08}").as_bytes());
            fs::write(folder.path().join(format!("{index}.wasm")), version)?;
        }
        Ok(Self { folder, count })
    }

    fn app(&self) -> App {
        let mut app = App::default().webhook_only();
        for index in 0..self.count {
            let file = self.folder.path().join(format!("{index}.wasm"));
            let sidecar = json!({ "route": [{ "action_name": format!("button-{index}") }] });
            app = app.component(&format!("plugin-{index}"), file, Some(sidecar));
        }
        app
    }
}

fn cached_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "component"))
        .collect())
}

/// Waits until that many plugins are live with code from that source.
async fn live_from(running: &Running, source: &str, count: usize) -> anyhow::Result<()> {
    running
        .host
        .log()
        .wait_for_count(count, events::PLUGIN_LIVE, &[("code", source)])
        .await
        .map(drop)
}

/// Counts without waiting, because the callers have already waited for all plugins.
fn count_live_from(running: &Running, source: &str) -> usize {
    running.host.log().lines(|line| line.is(events::PLUGIN_LIVE, &[("code", source)])).len()
}

async fn start_again(running: &mut Running) -> anyhow::Result<()> {
    running.host.kill().await?;
    running.restart().await
}

async fn wait_until_kept(running: &Running, count: usize) -> anyhow::Result<()> {
    running.host.log().wait_for_count(count, events::CODE_KEPT, &[]).await.map(drop)
}

#[tokio::test]
async fn compiled_code_is_used_again_and_only_while_it_is_good() -> anyhow::Result<()> {
    let app = App::default().guest("version-a")?.webhook_only();
    let mut running = Setup::new(app).start().await?;
    let folder = running.folder().join("caches/aviary");
    live_from(&running, "compiled", 1).await?;
    wait_until_kept(&running, 1).await?;
    let [file] = &cached_files(&folder)?[..] else { anyhow::bail!("one file is one plugin") };

    let mut damaged = fs::read(file)?;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(file, damaged)?;
    start_again(&mut running).await?;
    is_refused(&running, "cut short or written over").await?;
    fs::set_permissions(file, PermissionsExt::from_mode(0o666))?;
    start_again(&mut running).await?;
    is_refused(&running, "mode 666").await?;

    start_again(&mut running).await?;
    live_from(&running, "cached", 1).await?;
    ensure!(running.deliver(&sender::click("b")).await?.toast() == "a");

    fs::set_permissions(&folder, PermissionsExt::from_mode(0o777))?;
    start_again(&mut running).await?;
    let unused = running.host.log().wait_for(events::CODE_CACHE_NOT_USED, &[]).await?;
    ensure!(unused.text_of("reason").contains("others can write to it"), "{}", unused.text());
    live_from(&running, "compiled", 1).await
}

#[tokio::test]
async fn the_code_of_a_program_is_used_again_too() -> anyhow::Result<()> {
    let program = artifacts::guest_for("wasm32-wasip1", "as-command")?;
    let app = App::default().component("program", program, None).webhook_only();
    let mut running = Setup::new(app).start().await?;
    wait_until_kept(&running, 1).await?;
    start_again(&mut running).await?;
    live_from(&running, "cached", 1).await?;
    ensure!(running.deliver(&sender::click("b")).await?.toast() == "clicked b");
    Ok(())
}

/// Checks that a damaged file is refused and compiled again, that the plugin answers, and that the new file is kept.
async fn is_refused(running: &Running, reason: &str) -> anyhow::Result<()> {
    let refused = running.host.log().wait_for(events::CODE_REFUSED, &[]).await?;
    ensure!(refused.text_of("reason").contains(reason), "{}", refused.text());
    live_from(running, "compiled", 1).await?;
    ensure!(running.deliver(&sender::click("b")).await?.toast() == "a");
    wait_until_kept(running, 1).await
}

#[tokio::test]
async fn hosts_at_once_share_a_folder_and_apps_share_code() -> anyhow::Result<()> {
    let versions = Versions::new(2)?;
    let shared = tempfile::tempdir()?;
    let folder = shared.path().join("code");
    let path = folder.to_str().context("UTF-8")?;
    let start = || {
        let other = App::new("cli_other", "/other").webhook_only().guest("numbered")?;
        let apps = vec![versions.app(), other];
        anyhow::Ok(Setup::with_apps(apps).set("cache", "path", path).start())
    };
    let (first, second) = tokio::join!(start()?, start()?);
    for running in [first?, second?] {
        // The other app's component has the number 0.
        live_from(&running, "shared", 1).await?;
        wait_until_kept(&running, count_live_from(&running, "compiled")).await?;
        let toast = running.deliver(&sender::click("button-1")).await?.toast().to_owned();
        ensure!(toast == "number:00000001", "{toast}");
        let refused = running.host.log().lines(|line| line.is(events::CODE_REFUSED, &[]));
        ensure!(refused.is_empty(), "half a file was seen: {refused:?}");
    }
    ensure!(cached_files(&folder)?.len() == 2);
    let third = start()?.await?;
    live_from(&third, "cached", 2).await
}

#[tokio::test]
async fn many_cached_plugins_are_soon_live_and_not_compiled_again() -> anyhow::Result<()> {
    let versions = Versions::new(MANY)?;
    let mut running = Setup::new(versions.app()).start().await?;
    wait_until_kept(&running, MANY).await?;
    start_again(&mut running).await?;
    live_from(&running, "cached", MANY).await?;
    let worked = running.host.processor_time()?;
    ensure!(worked < READY, "{worked:?}");
    let metrics = running.host.metrics().await?;
    let loads = metrics.sum("aviary_code_load_seconds_count", &[("source", "cached")]);
    ensure!(loads == MANY as f64, "{loads}");
    Ok(())
}

#[tokio::test]
async fn the_cache_is_never_fuller_than_it_may_be() -> anyhow::Result<()> {
    const MOST: u64 = 1 << 20;
    let versions = Versions::new(12)?;
    let setup = Setup::new(versions.app()).set("cache", "max_bytes", MOST);
    let running = setup.start().await?;
    wait_until_kept(&running, 12).await?;
    let files = cached_files(&running.folder().join("caches/aviary"))?;
    let sizes = files.iter().map(|file| Ok(fs::metadata(file)?.len()));
    let sizes = sizes.collect::<anyhow::Result<Vec<_>>>()?;
    let total: u64 = sizes.iter().sum();
    ensure!(total <= MOST, "{total} bytes in {} files", files.len());
    ensure!(!files.is_empty() && files.len() < 12, "{sizes:?}: the bound was not tried");
    Ok(())
}
