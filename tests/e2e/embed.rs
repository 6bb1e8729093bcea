//! The webhook mounted in another server: `host/examples/embed.rs`, run unchanged.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::host::HostProcess;
use aviary_e2e::http::Request;
use aviary_e2e::platform::Platform;
use aviary_e2e::sender;
use aviary_e2e::sender::Signer;
use aviary_e2e::setup::App;
use aviary_e2e::setup::environment;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use serde_json::json;

#[tokio::test]
async fn a_server_mounts_the_webhook_beside_its_own_routes() -> anyhow::Result<()> {
    let app = App::default().encrypted();
    let platform = Platform::start(std::slice::from_ref(&app), None).await?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("plugins"))?;
    std::fs::copy(artifacts::guest("defers")?, folder.path().join("plugins/defers.wasm"))?;
    let configuration = format!(
        r#"
[[app]]
id = "{}"
secret = {{ env = "AVIARY_APP_SECRET" }}
verification_token = {{ env = "AVIARY_VERIFICATION_TOKEN" }}
encrypt_key = {{ env = "AVIARY_ENCRYPT_KEY" }}
domain = "{}"
plugins = "plugins"
webhook = {{ path = "/feishu/callback" }}
long_connection = {{}}

[log]
format = "json"
"#,
        app.id(),
        platform.domain()
    );
    std::fs::write(folder.path().join("aviary.toml"), configuration)?;
    let mut server = HostProcess::start_program(
        &artifacts::embedding_server()?,
        &["aviary.toml", "127.0.0.1:0"],
        folder.path(),
        &environment(),
    )?;
    let address = server.printed_address().await?;
    platform.wait_until(|simulator| simulator.connected(app.id()) == 1).await?;

    let own = Request::get("/").send(address).await?;
    ensure!((own.status, own.text().as_str()) == (200, "a page of my own"), "{}", own.text());
    let elsewhere = Request::get("/elsewhere").send(address).await?;
    ensure!(elsewhere.status == 404 && elsewhere.body.is_empty(), "the server's own 404");

    let door = Door::Webhook { url: format!("http://{address}/feishu/callback") };
    for door in [&door, &Door::LongConnection] {
        let seen = platform.send_by(door, &Delivery::card_action(json!({"a": 1}))).await?;
        ensure!(seen.error().is_none() && seen.exchange().code == Some(200), "{seen:?}");
    }
    let challenge = platform.send_by(&door, &Delivery::challenge()).await?;
    ensure!(challenge.error().is_none(), "{challenge:?}");
    // Card updates follow the answers, although this server does not report when an answer was sent.
    platform.wait_until(|simulator| simulator.card_updates().len() >= 2).await?;
    let early = platform.simulator().early_card_updates();
    ensure!(early.is_empty(), "{early:?}");

    let forged = sender::signed(sender::click("b").to_string(), Signer::Stranger);
    let forged = Request { path: "/feishu/callback".into(), ..forged }.send(address).await?;
    ensure!(forged.status == 401 && !forged.text_at("/msg").is_empty(), "{}", forged.text());
    let line = server.log().wait_for(events::REJECTED, &[("kind", "bad_signature")]).await?;
    ensure!(line.text_of("client") == "127.0.0.1", "{}", line.text());
    let wrong_method = Request::get("/feishu/callback").send(address).await?;
    ensure!(wrong_method.status == 405 && !wrong_method.text_at("/msg").is_empty());

    let exit = server.terminate().await?;
    ensure!(exit.status.code() == Some(0), "{exit:?}");
    let said = server.stdout().text();
    ensure!(said.contains("card.action.trigger was answered"), "{said}");
    Ok(())
}
