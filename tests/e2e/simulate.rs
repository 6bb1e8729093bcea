//! `aviary simulate` is a platform for developers without a tenant: a host connects to it, and a person clicks with `curl`.

use std::net::SocketAddr;

use anyhow::ensure;
use aviary_e2e::APP_ID;
use aviary_e2e::artifacts;
use aviary_e2e::host::HostProcess;
use aviary_e2e::http::Request;
use aviary_e2e::relay::Relay;
use aviary_e2e::setup::to_toml;
use serde_json::Value;
use serde_json::json;

/// A platform and a host, both started from the command line.
struct Pair {
    simulator: HostProcess,
    host: HostProcess,
    platform: SocketAddr,
    webhook: String,
    _folder: tempfile::TempDir,
}

async fn start() -> anyhow::Result<Pair> {
    let folder = tempfile::tempdir()?;
    let relay = Relay::start().await?;
    let webhook = format!("http://{}/callback", relay.address());
    let arguments = ["simulate", "--listen", "127.0.0.1:0", "--webhook", &webhook];
    let simulator = HostProcess::start(&arguments, folder.path(), &[])?;
    let platform = simulator.printed_address().await?;
    let configuration = json!({
        "app": [{
            "id": APP_ID,
            "secret": { "file": "secret" },
            "verification_token": { "file": "token" },
            "encrypt_key": { "file": "key" },
            "domain": format!("http://{platform}"),
            "plugins": "plugins",
            "long_connection": {},
            "webhook": { "path": "/callback" },
        }],
        "webhook": { "listen": "127.0.0.1:0" },
        "admin": { "listen": "127.0.0.1:0" },
        "log": { "format": "json" },
    });
    // The secrets of the app as `aviary simulate --help` lists them.
    for (file, secret) in
        [("secret", "simulated-secret"), ("token", "simulated-token"), ("key", "simulated-key")]
    {
        std::fs::write(folder.path().join(file), secret)?;
    }
    std::fs::write(folder.path().join("aviary.toml"), to_toml(&configuration)?)?;
    std::fs::create_dir(folder.path().join("plugins"))?;
    let component = artifacts::plugin("approval-card")?;
    std::fs::copy(component, folder.path().join("plugins/approval.wasm"))?;
    let host = HostProcess::start(&["run"], folder.path(), &[])?;
    host.wait_for_readyz(200).await?;
    relay.leads_to(host.webhook().await?);
    Ok(Pair { simulator, host, platform, webhook, _folder: folder })
}

#[tokio::test]
async fn a_person_can_click_without_a_tenant() -> anyhow::Result<()> {
    let mut pair = start().await?;
    let by_webhook = json!({ "door": "webhook", "url": pair.webhook });
    for door in [json!({ "door": "long_connection" }), by_webhook] {
        let mut click = json!({
            "app_id": APP_ID,
            "kind": "card_action",
            "value": { "kind": "leave", "decision": "approve", "applicant": "Ann" },
        });
        for (key, value) in door.as_object().into_iter().flatten() {
            click[key] = value.clone();
        }
        let answer =
            Request::post("/simulator/send", click.to_string()).send(pair.platform).await?;
        ensure!(answer.status == 200, "{door}: {} {}", answer.status, answer.text());
        let verdict = &answer.json()?["verdict"];
        ensure!(verdict["toast"] == json!({ "kind": "success", "text": "Approved" }), "{verdict}");
        ensure!(verdict["error"].is_null(), "{verdict}");
    }
    let state: Value = Request::get("/simulator/state").send(pair.platform).await?.json()?;
    ensure!(state["apps"][0]["connected"] == 1, "{state}");
    for process in [&mut pair.host, &mut pair.simulator] {
        let exit = process.terminate().await?;
        ensure!(exit.status.code() == Some(0), "{exit:?}");
    }
    Ok(())
}

#[tokio::test]
async fn it_stays_on_this_machine() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = ["simulate", "--listen", "0.0.0.0:0"];
    let mut simulator = HostProcess::start(&arguments, folder.path(), &[])?;
    let exit = simulator.wait().await?;
    ensure!(exit.status.code() == Some(64), "{exit:?}");
    Ok(())
}
