//! Information for an operator: one line for each callback, counters, health, and no secret in any of it.

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::APP_SECRET;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::http::Request;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::sender;
use aviary_e2e::sender::Signer;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use lark_simulator::script::DiscoveryScript;
use serde_json::json;

#[tokio::test]
async fn a_callback_has_one_line_that_says_everything() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("version-a")?).start().await?;
    let live = running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "version-a")]).await?;
    let click = sender::click("b");
    running.deliver(&click).await?;
    let line = running.callback_line(sender::event_id(&click)).await?;
    for (field, expected) in [
        ("type", "card.action.trigger"),
        ("app", APP_ID),
        ("door", "webhook"),
        ("plugin", "version-a"),
        ("version", live.text_of("version")),
        ("outcome", "answered"),
        ("level", "INFO"),
    ] {
        ensure!(line.text_of(field) == expected, "{field} is not {expected}: {}", line.text());
    }
    ensure!(line.number_of("fuel").is_some_and(|fuel| fuel > 0.0), "{}", line.text());
    ensure!(line.number_of("ms").is_some_and(|ms| ms > 0.0 && ms < 2500.0), "{}", line.text());
    running.platform()?.click("b").await?;
    running
        .host
        .log()
        .wait_for(events::CALLBACK, &[("door", "long_connection"), ("outcome", "answered")])
        .await?;
    let lines = running.host.log().lines(|line| line.is(events::CALLBACK, &[]));
    ensure!(lines.len() == 2, "{lines:?}");
    Ok(())
}

#[tokio::test]
async fn the_version_is_the_hash_of_the_file() -> anyhow::Result<()> {
    let app = App::default()
        .webhook_only()
        .guest("version-a")?
        .guest_with("version-b", json!({ "route": [{ "action_name": "x" }] }))?;
    let running = Setup::new(app).start().await?;
    let a = running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "version-a")]).await?;
    let b = running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "version-b")]).await?;
    ensure!(a.text_of("version") != b.text_of("version"), "{} {}", a.text(), b.text());
    // The same bytes under another name have the same version.
    std::fs::write(running.plugin_file("again.toml"), "[[route]]\naction_name = \"again\"\n")?;
    running.drop_guest("version-a", "again")?;
    let again = running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "again")]).await?;
    ensure!(a.text_of("version") == again.text_of("version"), "{} {}", a.text(), again.text());
    Ok(())
}

#[tokio::test]
async fn callbacks_are_counted() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("version-a")?).start().await?;
    for _ in 0..3 {
        running.deliver(&sender::click("b")).await?;
    }
    running.platform()?.click("b").await?;
    // All types that a stranger invents share one label.
    for kind in ["moon.phase_v1", "moon.phase_v2"] {
        running.deliver(&sender::callback(kind, json!({}))).await?;
    }
    let click = [("app", APP_ID), ("type", "card.action.trigger"), ("outcome", "answered")];
    let all_counted = |metrics: &Metrics| metrics.sum("aviary_callbacks_total", &[]) == 6.0;
    let metrics = running.host.wait_for_metrics("six callbacks", all_counted).await?;
    ensure!(metrics.sum("aviary_callbacks_total", &click) == 4.0, "{metrics:?}");
    ensure!(metrics.sum("aviary_callbacks_total", &[("door", "webhook")]) == 5.0, "{metrics:?}");
    ensure!(
        metrics.sum("aviary_callbacks_total", &[("type", "moon.phase_v1")]) == 0.0,
        "{metrics:?}"
    );
    ensure!(metrics.sum("aviary_callback_seconds_count", &[]) == 6.0, "{metrics:?}");
    ensure!(metrics.has("aviary_callback_seconds_bucket"), "a histogram has buckets: {metrics:?}");
    let called = running.host.log().wait_for(events::CALLBACK, &[("plugin", "version-a")]).await?;
    let fuel = called.number_of("fuel").context("it used some")?;
    let one = [("app", APP_ID), ("plugin", "version-a")];
    ensure!(metrics.sum("aviary_callbacks_total", &one) == 4.0, "{metrics:?}");
    ensure!(metrics.sum("aviary_callback_seconds_count", &one) == 4.0, "{metrics:?}");
    ensure!(metrics.sum("aviary_fuel_total", &one) == 4.0 * fuel, "{fuel}: {metrics:?}");
    ensure!(metrics.sum("aviary_plugins_live", &[("app", APP_ID)]) == 1.0, "{metrics:?}");
    ensure!(metrics.sum("aviary_connections_up", &[("app", APP_ID)]) == 1.0, "{metrics:?}");
    Ok(())
}

#[tokio::test]
async fn ready_means_every_door_is_open() -> anyhow::Result<()> {
    let running = Setup::new(App::default().connections(2)).launch(true).await?;
    let platform = running.platform()?;
    running.host.wait_for_readyz(200).await?;
    let admin = running.host.admin().await?;
    let health = Request::get("/healthz").send(admin).await?;
    ensure!(health.status == 200, "{} {}", health.status, health.text());

    // The platform goes away: the host is alive, not ready, and reports the reason.
    platform.simulator().set_discovery(APP_ID, DiscoveryScript::status(503))?;
    platform.simulator().drop_connections(APP_ID)?;
    let not_ready = running.host.wait_for_readyz(503).await?;
    ensure!(not_ready.text().contains(APP_ID), "the app is named: {}", not_ready.text());
    not_ready.json()?;
    ensure!(Request::get("/healthz").send(admin).await?.status == 200, "it is alive all the same");
    let down = |metrics: &Metrics| metrics.sum("aviary_connections_up", &[("app", APP_ID)]) == 0.0;
    running.host.wait_for_metrics("no connection is up", down).await?;

    platform.simulator().set_discovery(APP_ID, DiscoveryScript::Normal)?;
    running.host.wait_for_readyz(200).await?;
    running.host.log().wait_for_count(4, events::CONNECTED, &[("app", APP_ID)]).await?;
    running.host.log().wait_for(events::DISCONNECTED, &[("app", APP_ID)]).await?;
    Ok(())
}

#[tokio::test]
async fn the_admin_address_serves_nothing_else() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only()).start().await?;
    let admin = running.host.admin().await?;
    let callback =
        Request { path: sender::PATH.into(), ..sender::plain(sender::event().to_string()) };
    for request in [Request::get("/dashboard/nothing"), Request::get("/nothing"), callback] {
        ensure!(request.send(admin).await?.status == 404, "{request:?}");
    }
    let metrics = Request { path: "/metrics".into(), ..sender::plain("") }
        .send(running.webhook().await?)
        .await?;
    ensure!(metrics.status == 404, "the webhook's address is public: {}", metrics.text());
    Ok(())
}

#[tokio::test]
async fn no_secret_is_ever_in_the_log() -> anyhow::Result<()> {
    let grants = json!({ "grants": { "open_api": ["POST /open-apis/im/v1/messages"] } });
    let app = App::default()
        .encrypted()
        .guest_with("calls-open-api", grants)?
        .guest_with("trap", json!({ "route": [{ "action_name": "trap" }] }))?;
    let running = Setup::new(app).set("log", "level", "trace").start().await?;
    let platform = running.platform()?;
    let refused = running.deliver(&sender::click("b")).await?;
    ensure!(refused.toast().contains("status 200"), "{}", refused.text());
    platform.click("b").await?;
    platform.click("trap").await?;
    running.post(sender::signed(sender::click("b").to_string(), Signer::Stranger)).await?;
    running.post(sender::signed("not json", Signer::EncryptKey)).await?;
    running.deliver(&json!({ "challenge": "x", "token": VERIFICATION_TOKEN, "type": "url_verification", "schema": "" })).await?;
    platform.simulator().drop_connections(APP_ID)?;
    running.host.log().wait_for_count(2, events::CONNECTED, &[]).await?;
    let called = platform.simulator().api_calls();
    ensure!(!called.is_empty(), "the token was used");
    running.host.ask_to_stop()?;
    running.host.log().wait_for(events::STOPPED, &[]).await?;
    let log = running.host.log().text();
    let basic = [APP_SECRET, VERIFICATION_TOKEN, ENCRYPT_KEY];
    for secret in basic {
        ensure!(!log.contains(secret), "{secret} is in the log");
    }
    // Prefixes of the platform's credentials: the access token and the connection's ticket.
    for prefix in ["Bearer ", "ticket=", "access_key=", "\"t-"] {
        let leaking = running.host.log().lines(|line| line.text().contains(prefix));
        ensure!(
            leaking.is_empty(),
            "{prefix} is in the log: {:?}",
            leaking.first().context("a line")?
        );
    }
    Ok(())
}

/// Writes more lines than the operating system buffers for a reader.
#[tokio::test]
async fn nobody_waits_for_whoever_reads_the_log() -> anyhow::Result<()> {
    const CLICKS: usize = 600;
    let running = Setup::new(App::default().webhook_only().guest("version-a")?).start().await?;
    running.host.log().ignore(true);
    for _ in 0..CLICKS {
        let response = running.deliver(&sender::click("b")).await?;
        ensure!(response.status == 200, "{} {}", response.status, response.text());
    }
    running.host.log().ignore(false);
    running.host.log().wait_for_count(CLICKS, events::CALLBACK, &[]).await?;
    Ok(())
}
