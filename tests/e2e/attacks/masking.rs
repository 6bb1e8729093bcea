//! Credentials that a plugin sends, receives and shows: none of them is recorded, in whatever place and spelling, and the
//! recorded callbacks can still be replayed.

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::collector::Collector;
use aviary_e2e::collector::Manner;
use aviary_e2e::command::aviary;
use aviary_e2e::command::journal;
use aviary_e2e::http::Request;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::web_server::WebServer;
use serde_json::Value;
use serde_json::json;

/// Part of every credential of the guest and of the server that it calls.
const MARK: &str = "s3cr3t";
/// The guest's `Basic` credential in Base64, which contains the mark only after decoding.
const BASIC: &str = "YW5uOnMzY3IzdC01";
/// Buttons of the guest: one click of each kind.
const BUTTONS: [&str; 3] = ["b", "log", "fail"];

async fn host(server: &WebServer, collector: &Collector) -> anyhow::Result<Running> {
    let pages = json!([{ "url": server.url("/api/"), "private_addresses": true }]);
    let grants = json!({ "http": pages, "open_api": ["POST /open-apis/im/v1/messages"] });
    let sidecar = json!({ "grants": grants, "settings": { "server": server.url("/api/") } });
    let app = App::default().guest_with("tells-secrets", sidecar)?;
    let setup = Setup::new(app).set("journal", "path", "journal").set("log", "level", "debug");
    setup.set("trace", "otlp", collector.url()).start().await
}

/// Fails if the text contains a part of a credential.
fn holds_none(text: &str, place: &str) -> anyhow::Result<()> {
    for credential in [MARK, BASIC] {
        let line = text.lines().find(|line| line.contains(credential)).unwrap_or_default();
        ensure!(line.is_empty(), "{place} holds a credential: {line}");
    }
    Ok(())
}

#[tokio::test]
async fn no_credential_is_written_down_and_a_replay_is_exact() -> anyhow::Result<()> {
    let (server, collector) = (WebServer::start().await?, Collector::start(Manner::Takes).await?);
    let mut running = host(&server, &collector).await?;
    for button in BUTTONS {
        let value = json!({
            "ApiKey": "s3cr3t-30",
            "said": "my password: s3cr3t-31",
            "link": "https://a.example/?Access-Token=s3cr3t-32",
            "pair": ["x-auth-token", "s3cr3t-33"],
        });
        let click = sender::click_with(button, value);
        let response = running.deliver(&click).await?;
        let is_told = response.toast().contains("s3cr3t-20 sid=s3cr3t-26 s3cr3t-9 ");
        ensure!(is_told == (button != "fail"), "the guest has what it asked for: {response:?}");
        collector.trace(sender::event_id(&click)).await?;
    }
    let asked = server.asked();
    ensure!(asked.len() == 4, "{asked:?}");
    ensure!(asked[1].all("authorization") == ["Bearer s3cr3t-20"], "the wire has it: {asked:?}");

    let lines = journal(running.folder(), |lines| lines.len() >= BUTTONS.len()).await?;
    let exported = lines.join("\n");
    ensure!(exported.contains("expires_in") && exported.contains("page=7"), "{exported}");
    holds_none(&exported, "the export")?;
    for line in &lines {
        let entry: Value = serde_json::from_str(line)?;
        let shown = ["journal", "show", entry["id"].as_str().context("an id")?];
        holds_none(&aviary(running.folder(), &shown)?.text(), "journal show")?;
    }
    for file in std::fs::read_dir(running.folder().join("journal"))? {
        holds_none(&String::from_utf8_lossy(&std::fs::read(file?.path())?), "a file of the ring")?;
    }
    let admin = running.host.admin().await?;
    for path in ["/dashboard.json", "/plugins", "/metrics"] {
        holds_none(&Request::get(path).send(admin).await?.text(), path)?;
    }
    holds_none(&format!("{:?}", collector.exports()), "a trace")?;

    let file = running.plugin_file("tells-secrets.wasm");
    let file = file.to_str().context("a path of text")?.to_owned();
    running.host.terminate().await?;
    holds_none(&running.host.log().text(), "the log")?;
    ensure!(running.host.log().text().contains(events::PLUGIN_LOG.text()), "the guest has logged");
    let said = aviary(running.folder(), &["replay", &file, "--json"])?.text();
    let report: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    ensure!(report["ok"] == true && report["played"] == BUTTONS.len(), "{report}");
    ensure!(report["fuel"]["was"] == report["fuel"]["now"], "{report}");
    ensure!(server.asked().len() == 4, "a replay asks nobody");
    // A replay with another plugin reports the different requests without their credentials.
    std::fs::copy(artifacts::guest("asks-around")?, &file)?;
    let said = aviary(running.folder(), &["replay", &file])?.text();
    ensure!(said.contains("of which 3 differ"), "{said}");
    holds_none(&said, "the report of a replay")
}
