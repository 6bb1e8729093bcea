//! TLS as on the real platform: https for discovery and the server API, wss for the connection, and one setting for the trusted
//! authority.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::certificates::TestAuthority;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;

#[tokio::test]
async fn a_root_from_the_configuration_is_trusted_everywhere() -> anyhow::Result<()> {
    let app = App::default().long_connection_only().guest("defers")?;
    let running = Setup::new(app).over_tls()?.start().await?;
    let platform = running.platform()?;
    ensure!(platform.domain().starts_with("https://"), "{}", platform.domain());
    let seen = platform.click("b").await?;
    ensure!(seen.error().is_none(), "{seen:?}");
    // The later card update uses the server API.
    platform.wait_until(|simulator| !simulator.card_updates().is_empty()).await?;
    ensure!(platform.simulator().card_updates().iter().all(|update| update.code == 0));
    Ok(())
}

#[tokio::test]
async fn a_stranger_s_certificate_is_refused_in_words() -> anyhow::Result<()> {
    let app = App::default().long_connection_only();
    let running = Setup::new(app).over_tls()?.launch(true).await?;
    running.host.wait_for_readyz(200).await?;
    // The same platform, and a host that trusts a different authority.
    let another = tempfile::NamedTempFile::new()?;
    std::fs::write(another.path(), TestAuthority::new()?.root_pem())?;
    let setup = Setup::new(App::default().long_connection_only())
        .against(running.platform()?.domain())
        .set("tls", "extra_roots", another.path().to_string_lossy().into_owned());
    let stranger = setup.launch(false).await?;
    let line = stranger.host.log().wait_for(events::DISCONNECTED, &[]).await?;
    let reason = line.text_of("reason").to_lowercase();
    ensure!(reason.contains("certificate"), "{reason}");
    ensure!(stranger.host.log().lines(|line| line.is(events::CONNECTED, &[])).is_empty());
    Ok(())
}
