//! FIFOs, devices, links and growing files must not hang the host, fill its memory or reveal its secrets.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::configuration;
use aviary_e2e::configuration::BAD_CONFIGURATION;
use aviary_e2e::configuration::SMALLEST;
use aviary_e2e::host::HostProcess;
use aviary_e2e::http::Request;
use aviary_e2e::log::LogLine;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::environment;
use rustix::fs::CWD;
use rustix::fs::Mode;

/// Time limit for a click. A healthy host needs microseconds and a test machine may be busy; a file that hangs takes for ever.
const SOON: Duration = Duration::from_secs(10);
/// More files than any machine has I/O threads.
const MANY: usize = 32;
/// Content of a file beside the plugins folder, which must never be revealed.
const SECRET: &str = "host-secret-9fK2q";

fn fifo(path: &Path) -> anyhow::Result<()> {
    rustix::fs::mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)
        .with_context(|| format!("cannot make the FIFO {}", path.display()))
}

/// Starts a host with a plugin that answers "a", and a secret beside its plugins folder.
async fn healthy() -> anyhow::Result<Running> {
    let app = App::default().component("healthy", artifacts::guest("version-a")?, None);
    let running = Setup::new(app.webhook_only()).start().await?;
    fs::write(running.folder().join("secret"), SECRET)?;
    Ok(running)
}

/// Checks that a healthy plugin answers in time and the host reports that it is well.
async fn goes_on(running: &Running, what: &str) -> anyhow::Result<()> {
    let going = async {
        ensure!(running.deliver(&sender::click("b")).await?.toast() == "a", "{what}: no answer");
        let health = Request::get("/healthz").send(running.host.admin().await?).await?;
        ensure!(health.status == 200, "{what}: /healthz is {}", health.status);
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, going).await.with_context(|| format!("{what}: the host hangs"))?
}

/// Checks that the host ends at the first SIGTERM.
async fn ends(running: &mut Running) -> anyhow::Result<()> {
    let exit = running.host.terminate().await?;
    ensure!(exit.took < SOON && exit.status.success(), "{exit:?}");
    Ok(())
}

/// Writes a plugin with this sidecar into the folder. The component comes last and in one step.
fn drop_plugin(running: &Running, name: &str, sidecar: &str) -> anyhow::Result<()> {
    let file = |ending: &str| running.plugin_file(&format!("{name}.{ending}"));
    fs::write(file("toml"), format!("route = [{{ action_name = \"{name}\" }}]\n{sidecar}"))?;
    fs::copy(artifacts::guest("version-a")?, file("new"))?;
    fs::rename(file("new"), file("wasm"))?;
    Ok(())
}

async fn refused(running: &Running, name: &str, why: &str) -> anyhow::Result<LogLine> {
    let lines = running.host.log().wait_for(events::PLUGIN_REFUSED, &[("plugin", name)]).await?;
    ensure!(lines.text_of("reason").contains(why), "{name}: {}", lines.text());
    Ok(lines)
}

#[tokio::test]
async fn settings_that_are_fifos_stop_nothing() -> anyhow::Result<()> {
    let mut running = healthy().await?;
    for number in 0..MANY {
        let name = format!("waits-{number}");
        fifo(&running.plugin_file(&format!("{name}.key")))?;
        let settings = format!("[settings]\nkey = {{ file = \"{name}.key\" }}\n");
        drop_plugin(&running, &name, &settings)?;
    }
    for number in 0..MANY {
        let line = refused(&running, &format!("waits-{number}"), "is a FIFO").await?;
        ensure!(line.text_of("reason").contains("settings.key"), "{}", line.text());
    }
    goes_on(&running, "FIFOs as settings").await?;
    ends(&mut running).await?;
    // The special files are there when the next host starts, and its doors open nevertheless.
    running.restart().await?;
    goes_on(&running, "FIFOs at the start").await?;
    ends(&mut running).await
}

#[tokio::test]
async fn a_plugin_s_files_have_to_be_regular() -> anyhow::Result<()> {
    let mut running = healthy().await?;
    let file = |name: &str| running.plugin_file(name);

    fifo(&file("sidecar.toml"))?;
    fs::copy(artifacts::guest("version-a")?, file("sidecar.wasm"))?;
    refused(&running, "sidecar", "sidecar.toml: is a FIFO").await?;

    fifo(&file("pipe.wasm"))?;
    refused(&running, "pipe", "pipe.wasm: is a FIFO").await?;

    let _socket = UnixListener::bind(file("socket.wasm"))?;
    refused(&running, "socket", "socket.wasm: is a socket").await?;

    fs::create_dir(file("folder.wasm"))?;
    refused(&running, "folder", "folder.wasm: is a folder").await?;

    fs::create_dir(file("tested.tests"))?;
    fifo(&file("tested.tests/click.json"))?;
    drop_plugin(&running, "tested", "")?;
    refused(&running, "tested", "click.json: is a FIFO").await?;

    // A special file in the place of a live plugin's file changes nothing.
    fs::remove_file(file("healthy.wasm"))?;
    running.host.log().wait_for(events::PLUGIN_REMOVED, &[("plugin", "healthy")]).await?;
    running.drop_guest("version-a", "healthy")?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "healthy")]).await?;
    fifo(&file("next"))?;
    fs::rename(file("next"), file("healthy.wasm"))?;
    refused(&running, "healthy", "healthy.wasm: is a FIFO").await?;
    goes_on(&running, "special files").await?;
    ends(&mut running).await
}

#[tokio::test]
async fn a_link_to_an_endless_device_costs_no_memory() -> anyhow::Result<()> {
    let mut running = healthy().await?;
    let before = running.host.largest_memory()?;
    let file = |name: &str| running.plugin_file(name);
    symlink("/dev/zero", file("endless.toml"))?;
    fs::copy(artifacts::guest("version-a")?, file("endless.wasm"))?;
    refused(&running, "endless", "leads out of the folder").await?;
    symlink("/dev/zero", file("device.wasm"))?;
    refused(&running, "device", "leads out of the folder").await?;
    drop_plugin(&running, "key", "[settings]\nkey = { file = \"zero.key\" }\n")?;
    symlink("/dev/zero", file("zero.key"))?;
    refused(&running, "key", "zero.key").await?;
    goes_on(&running, "links to /dev/zero").await?;
    let grown = running.host.largest_memory()?.saturating_sub(before);
    ensure!(grown < 64 << 20, "{grown} bytes more");
    ends(&mut running).await
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_bounded() -> anyhow::Result<()> {
    let mut running = healthy().await?;
    let before = running.host.largest_memory()?;
    let mut growing = fs::File::create(running.plugin_file("grows.toml"))?;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let (piece, mut written) = (vec![b'#'; 256 << 10], 0_usize);
        // The limit of 1 GiB is more than a sidecar may have and less than a disk has.
        while written < 1 << 30 && stopped.try_recv().is_err() {
            growing.write_all(&piece)?;
            written += piece.len();
        }
        std::io::Result::Ok(())
    });
    fs::copy(artifacts::guest("version-a")?, running.plugin_file("grows.wasm"))?;
    refused(&running, "grows", "has more than 1048576 bytes").await?;
    goes_on(&running, "a growing sidecar").await?;
    // The writer may have ended by itself.
    let _ = stop.send(());
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    let grown = running.host.largest_memory()?.saturating_sub(before);
    ensure!(grown < 64 << 20, "{grown} bytes more");
    ends(&mut running).await
}

#[tokio::test]
async fn a_link_out_of_the_folder_reveals_nothing() -> anyhow::Result<()> {
    let mut running = healthy().await?;
    let file = |name: &str| running.plugin_file(name);
    let secret = running.folder().join("secret");
    // The secret as a setting, by every kind of link.
    symlink("../secret", file("relative.key"))?;
    symlink(&secret, file("absolute.key"))?;
    symlink("..", file("up"))?;
    fs::hard_link(&secret, file("hard.key"))?;
    for (name, path) in
        [("relative", "relative.key"), ("absolute", "absolute.key"), ("above", "up/secret")]
    {
        drop_plugin(&running, name, &format!("[settings]\nkey = {{ file = \"{path}\" }}\n"))?;
        refused(&running, name, "leads out of the folder").await?;
    }
    drop_plugin(&running, "hard", "[settings]\nkey = { file = \"hard.key\" }\n")?;
    refused(&running, "hard", "hard link").await?;
    // The secret as a self-test, whose refusal would print it.
    let event =
        serde_json::json!({ "schema": "2.0", "header": { "event_type": SECRET }, "event": {} });
    fs::write(running.folder().join("event.json"), event.to_string())?;
    fs::create_dir(file("tested.tests"))?;
    symlink(running.folder().join("event.json"), file("tested.tests/click.json"))?;
    drop_plugin(&running, "tested", "")?;
    refused(&running, "tested", "leads out of the folder").await?;
    // The secret as the folder of tests, as a sidecar and as a component.
    fs::create_dir(running.folder().join("tests"))?;
    fs::write(running.folder().join("tests/click.json"), event.to_string())?;
    symlink("../tests", file("all.tests"))?;
    drop_plugin(&running, "all", "")?;
    refused(&running, "all", "leads out of the folder").await?;
    symlink("../secret", file("side.toml"))?;
    fs::copy(artifacts::guest("version-a")?, file("side.wasm"))?;
    refused(&running, "side", "leads out of the folder").await?;
    symlink("../secret", file("code.wasm"))?;
    refused(&running, "code", "leads out of the folder").await?;

    goes_on(&running, "links out of the folder").await?;
    let list = Request::get("/plugins").send(running.host.admin().await?).await?.text();
    ensure!(!list.contains(SECRET), "/plugins shows the secret: {list}");
    ends(&mut running).await?;
    ensure!(!running.host.log().text().contains(SECRET), "the log shows the secret");
    Ok(())
}

#[tokio::test]
async fn links_inside_the_folder_are_followed() -> anyhow::Result<()> {
    let mut running = healthy().await?;
    let file = |name: &str| running.plugin_file(name);
    fs::create_dir_all(file("releases/3"))?;
    fs::write(file("releases/3/key"), "an ordinary setting")?;
    fs::write(
        file("releases/3/linked.toml"),
        "route = [{ action_name = \"l\" }]\n[settings]\nkey = { file = \"current/key\" }\n",
    )?;
    fs::copy(artifacts::guest("version-b")?, file("releases/3/linked.wasm"))?;
    fs::create_dir(file("releases/3/linked.tests"))?;
    fs::write(file("releases/3/linked.tests/click.json"), sender::click("l").to_string())?;
    symlink("releases/3", file("current"))?;
    symlink("current/linked.tests", file("linked.tests"))?;
    // An absolute link may lead into the folder as well.
    symlink(file("releases/3/linked.toml"), file("linked.toml"))?;
    symlink("current/linked.wasm", file("linked.wasm"))?;
    running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "linked")]).await?;
    ensure!(running.deliver(&sender::click("l")).await?.toast() == "b");
    ends(&mut running).await
}

/// The file of a setting alternates between an empty file and a link to the host's secret. An empty file is not accepted as a
/// secret, and the link leads out of the folder, so a plugin that goes live has read the host's secret.
#[tokio::test]
async fn a_secret_cannot_be_raced_for() -> anyhow::Result<()> {
    const ROUNDS: usize = 5;
    const AT_ONCE: usize = 20;
    let mut running = healthy().await?;
    let (key, next) = (running.plugin_file("key"), running.plugin_file("key.next"));
    fs::write(&key, "")?;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let swapping = std::thread::spawn(move || {
        while stopped.try_recv().is_err() {
            symlink("../secret", &next)?;
            fs::rename(&next, &key)?;
            fs::write(&next, "")?;
            fs::rename(&next, &key)?;
        }
        std::io::Result::Ok(())
    });
    for round in 0..ROUNDS {
        let name = |number: usize| format!("racer-{round}-{number}");
        for number in 0..AT_ONCE {
            drop_plugin(&running, &name(number), "[settings]\nkey = { file = \"key\" }\n")?;
        }
        for number in 0..AT_ONCE {
            running
                .host
                .log()
                .wait_for(events::PLUGIN_REFUSED, &[("plugin", &name(number))])
                .await?;
        }
        for number in 0..AT_ONCE {
            fs::remove_file(running.plugin_file(&format!("{}.wasm", name(number))))?;
        }
    }
    goes_on(&running, "a race for a secret").await?;
    // The writer may have ended by itself.
    let _ = stop.send(());
    swapping.join().map_err(|_| anyhow::anyhow!("the swapping thread panicked"))??;
    let racers = |line: &LogLine| line.text_of("plugin").starts_with("racer-");
    let live = running.host.log().lines(|line| racers(line) && line.is(events::PLUGIN_LIVE, &[]));
    ensure!(live.is_empty(), "{} plugins got the secret", live.len());
    let reasons =
        running.host.log().lines(|line| racers(line) && line.is(events::PLUGIN_REFUSED, &[]));
    let outside = |line: &LogLine| line.text_of("reason").contains("leads out of the folder");
    ensure!(reasons.iter().any(outside), "the link was never seen, so nothing was tested");
    ends(&mut running).await
}

/// Checks that a host whose configuration reads one special file ends at once and names the file.
async fn does_not_start(change: &[(&str, &str)], named: &[&str]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fifo(&at("fifo"))?;
    let _socket = UnixListener::bind(at("socket"))?;
    let authority = aviary_e2e::certificates::TestAuthority::new()?;
    fs::write(at("ca.pem"), authority.root_pem())?;
    let mut text = SMALLEST.to_owned();
    for (before, after) in change {
        ensure!(text.contains(before), "{before}");
        text = text.replace(before, after);
    }
    configuration::write(folder.path(), &text)?;
    is_refused(folder.path(), &["run", "--config", "aviary.toml"], named).await
}

async fn is_refused(folder: &Path, arguments: &[&str], named: &[&str]) -> anyhow::Result<()> {
    let mut host = HostProcess::start(arguments, folder, &environment())?;
    let exit = host.wait_at_most(SOON).await.with_context(|| format!("{arguments:?}"))?;
    let said = host.log().text() + &host.stdout().text();
    ensure!(exit.status.code() == Some(BAD_CONFIGURATION), "{named:?}: {exit:?}: {said}");
    for text in named {
        ensure!(said.contains(text), "{text:?} is not named: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_configuration_of_special_files_is_refused_in_words() -> anyhow::Result<()> {
    let env = "{ env = \"AVIARY_APP_SECRET\" }";
    does_not_start(&[(env, "{ file = \"fifo\" }")], &["fifo: is a FIFO", "secret"]).await?;
    does_not_start(&[(env, "{ file = \"socket\" }")], &["socket: is a socket"]).await?;
    does_not_start(&[(env, "{ file = \"/dev/zero\" }")], &["/dev/zero: is a device"]).await?;
    does_not_start(&[(env, "{ file = \"plugins\" }")], &["plugins: is a folder"]).await?;
    let tls = |cert: &str, key: &str| {
        format!("[webhook]\ntls = {{ cert = \"{cert}\", key = \"{key}\" }}\n")
    };
    let (cert, key) = (tls("fifo", "fifo"), tls("ca.pem", "fifo"));
    does_not_start(&[("[webhook]\n", &cert)], &["webhook.tls.cert", "is a FIFO"]).await?;
    does_not_start(&[("[webhook]\n", &key)], &["webhook.tls.key", "is a FIFO"]).await?;
    let roots = "[tls]\nextra_roots = \"/dev/zero\"\n[webhook]\n";
    does_not_start(&[("[webhook]\n", roots)], &["tls.extra_roots", "is a device"]).await
}

#[tokio::test]
async fn commands_refuse_special_files_in_words() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fifo(&at("fifo"))?;
    fifo(&at("pipe.wasm"))?;
    fs::copy(artifacts::guest("version-a")?, at("good.wasm"))?;
    for arguments in [
        &["run", "--config", "fifo"][..],
        &["call", "good.wasm", "fifo"],
        &["call", "good.wasm", "/dev/zero"],
        &["check", "pipe.wasm"],
        &["card", "check", "fifo"],
        &["card", "check", "/dev/zero"],
        &["bench", "good.wasm", "fifo"],
    ] {
        let named = if arguments.contains(&"/dev/zero") { "is a device" } else { "is a FIFO" };
        is_refused(folder.path(), arguments, &[named]).await?;
    }
    fs::create_dir(at("journal"))?;
    fifo(&at("journal/00000000000001-1-000000.journal"))?;
    let mut command = Command::new(artifacts::host_binary()?);
    command.args(["journal", "--journal", "journal"]).current_dir(folder.path());
    let asked = tokio::task::spawn_blocking(move || command.output());
    let output = tokio::time::timeout(SOON, asked).await.context("the journal hangs")???;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && said.contains("is a FIFO"), "{said}");
    Ok(())
}
