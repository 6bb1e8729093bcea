//! A configuration is either understood as a whole or refused with the key's name, before any port is bound.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::APP_SECRET;
use aviary_e2e::configuration;
use aviary_e2e::configuration::BAD_CONFIGURATION;
use aviary_e2e::configuration::SMALLEST;
use aviary_e2e::host::HostProcess;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::environment;

/// Exit code for an unavailable resource of the machine (`EX_UNAVAILABLE`).
const UNAVAILABLE: i32 = 69;

/// Checks that `aviary run` ends with 64 and prints everything in `named`, and nothing secret.
async fn is_refused(
    configuration: &str,
    environment: &[(String, String)],
    named: &[&str],
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (code, said) = configuration::run(folder.path(), configuration, environment).await?;
    ensure!(code == Some(BAD_CONFIGURATION), "{named:?}: {code:?}: {said}");
    for text in named {
        ensure!(said.contains(text), "{text:?} is not named: {said}");
    }
    ensure!(!said.contains(APP_SECRET), "a secret is in the log: {said}");
    ensure!(!said.contains(events::LISTENING.text()), "it listened before it understood: {said}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_named() -> anyhow::Result<()> {
    for (added, named) in [
        ("\n[deadlin]\nsoft_ms = 300\n", "deadlin"),
        ("\n[deadline]\nsoft = 300\n", "soft"),
        ("\n[guests]\nthread = 2\n", "thread"),
    ] {
        is_refused(&format!("{SMALLEST}{added}"), &environment(), &[named]).await?;
    }
    let in_the_app = SMALLEST.replace("plugins = ", "plugin_folder = ");
    is_refused(&in_the_app, &environment(), &["plugin_folder"]).await?;
    let in_the_door = SMALLEST.replace("{ path = ", "{ paht = ");
    is_refused(&in_the_door, &environment(), &["paht"]).await
}

#[tokio::test]
async fn a_wrong_value_is_named() -> anyhow::Result<()> {
    for (added, named) in [
        ("\n[deadline]\nsoft_ms = \"soon\"\n", "soft_ms"),
        // The platform gives up after 3 s; a later deadline would never be met.
        ("\n[deadline]\nsoft_ms = 5000\n", "soft_ms"),
        ("\n[guests]\nthreads = 0\n", "threads"),
        ("\n[guests]\nmax_calls = 0\n", "max_calls"),
    ] {
        is_refused(&format!("{SMALLEST}{added}"), &environment(), &[named]).await?;
    }
    is_refused(&SMALLEST.replace("http://127.0.0.1:1", "mars"), &environment(), &["domain"])
        .await?;
    is_refused(&SMALLEST.replace("\"/callback\"", "\"callback\""), &environment(), &["path"])
        .await?;
    is_refused(&SMALLEST.replace("\"json\"", "\"xml\""), &environment(), &["format"]).await
}

#[tokio::test]
async fn what_is_missing_is_named() -> anyhow::Result<()> {
    is_refused("", &environment(), &["app"]).await?;
    is_refused(&SMALLEST.replace("id = ", "# id = "), &environment(), &["id"]).await?;
    is_refused("[[app]", &environment(), &["aviary.toml"]).await?;
    // Without a token or a key, no HTTP request could be authenticated.
    let unguarded = SMALLEST.replace("verification_token = ", "# verification_token = ");
    is_refused(&unguarded, &environment(), &["verification_token"]).await?;
    // An app without a door can never answer.
    is_refused(
        &SMALLEST.replace("webhook = { path", "# webhook = { path"),
        &environment(),
        &[APP_ID],
    )
    .await
}

#[tokio::test]
async fn a_missing_secret_is_named() -> anyhow::Result<()> {
    let incomplete: Vec<_> =
        environment().into_iter().filter(|(name, _)| name != "AVIARY_APP_SECRET").collect();
    is_refused(SMALLEST, &incomplete, &["AVIARY_APP_SECRET"]).await?;
    let in_a_file =
        SMALLEST.replace("{ env = \"AVIARY_APP_SECRET\" }", "{ file = \"no-such-file\" }");
    is_refused(&in_a_file, &environment(), &["no-such-file"]).await?;
    let empty: Vec<_> = environment().into_iter().map(|(name, _)| (name, String::new())).collect();
    is_refused(SMALLEST, &empty, &["AVIARY_APP_SECRET"]).await
}

#[tokio::test]
async fn a_secret_does_not_stand_in_the_file() -> anyhow::Result<()> {
    let inline = SMALLEST.replace("{ env = \"AVIARY_APP_SECRET\" }", &format!("\"{APP_SECRET}\""));
    is_refused(&inline, &environment(), &["secret"]).await
}

#[tokio::test]
async fn two_apps_that_cannot_be_told_apart_are_refused() -> anyhow::Result<()> {
    let app = SMALLEST.split("[webhook]").next().unwrap_or_default();
    is_refused(&format!("{app}{SMALLEST}"), &environment(), &[APP_ID]).await?;
    let same_path = app.replace(APP_ID, "cli_fedcba9876543210");
    is_refused(&format!("{same_path}{SMALLEST}"), &environment(), &["webhook.path"]).await
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut host =
        HostProcess::start(&["run", "--config", "elsewhere.toml"], folder.path(), &environment())?;
    let exit = host.wait().await?;
    ensure!(exit.status.code() == Some(BAD_CONFIGURATION), "{exit:?}");
    ensure!(host.log().text().contains("elsewhere.toml"), "{}", host.log().text());
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() -> anyhow::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let folder = tempfile::tempdir()?;
    let listen = format!("[webhook]\nlisten = \"{}\"", taken.local_addr()?);
    configuration::write(
        folder.path(),
        &SMALLEST.replace("[webhook]\nlisten = \"127.0.0.1:0\"", &listen),
    )?;
    let mut host = HostProcess::start(&["run"], folder.path(), &environment())?;
    let exit = host.wait().await?;
    ensure!(exit.status.code() == Some(UNAVAILABLE), "{exit:?}");
    ensure!(host.log().text().contains("webhook.listen"), "{}", host.log().text());
    Ok(())
}

#[tokio::test]
async fn a_secret_may_come_from_a_file() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // A secret as an editor writes it, with a line break that is not part of it; its path is relative to the configuration.
    std::fs::create_dir(folder.path().join("secrets"))?;
    std::fs::write(
        folder.path().join("secrets/token"),
        format!("{}\n", aviary_e2e::VERIFICATION_TOKEN),
    )?;
    let from_file =
        SMALLEST.replace("{ env = \"AVIARY_VERIFICATION_TOKEN\" }", "{ file = \"secrets/token\" }");
    configuration::write(folder.path(), &from_file)?;
    let elsewhere = tempfile::tempdir()?;
    let path = folder.path().join("aviary.toml");
    let path = path.to_string_lossy();
    let host = HostProcess::start(&["run", "--config", &path], elsewhere.path(), &environment())?;
    let body = aviary_e2e::sender::event().to_string();
    let response = aviary_e2e::sender::plain(body).send(host.webhook().await?).await?;
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    Ok(())
}

#[tokio::test]
async fn apps_are_kept_apart() -> anyhow::Result<()> {
    let one = App::new("cli_00000000000000aa", "/one").guest("version-a")?.webhook_only();
    let other = App::new("cli_00000000000000bb", "/other").guest("version-b")?.webhook_only();
    let running = Setup::with_apps(vec![one, other]).start().await?;
    for (path, expected, app) in
        [("/one", "a", "cli_00000000000000aa"), ("/other", "b", "cli_00000000000000bb")]
    {
        let click = aviary_e2e::sender::click("b");
        let request = aviary_e2e::sender::plain(click.to_string());
        let response =
            running.post(aviary_e2e::http::Request { path: path.into(), ..request }).await?;
        ensure!(response.toast() == expected, "{path}: {}", response.text());
        let line = running.callback_line(aviary_e2e::sender::event_id(&click)).await?;
        ensure!(line.text_of("app") == app, "{}", line.text());
    }
    Ok(())
}
