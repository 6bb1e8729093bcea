//! Replay of recorded callbacks: the same plugin shows no difference, whatever it asks of the host, and differences of another
//! version are named.

use std::path::Path;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::command;
use aviary_e2e::command::aviary;
use aviary_e2e::http::Request;
use aviary_e2e::log::LogLine;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::web_server::WebServer;
use serde_json::Value;
use serde_json::json;

/// Enough calls for a difference in a clock or in randomness to show.
const CALLS: usize = 12;

/// Runs `aviary …` in that folder. Returns its exit code and what it printed.
fn ask(folder: &Path, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let said = aviary(folder, arguments)?;
    Ok((said.code, if said.stdout.is_empty() { said.stderr } else { said.stdout }))
}

pub(crate) async fn written(running: &Running, count: usize) -> anyhow::Result<()> {
    command::journal(running.folder(), |lines| lines.len() >= count).await.map(drop)
}

/// Starts a host and a journal, and makes its plugin `answer.wasm` answer.
async fn answered(guest: &str, sidecar: Value) -> anyhow::Result<Running> {
    let app = App::default().component("answer", artifacts::guest(guest)?, Some(sidecar));
    let setup = Setup::new(app).set("journal", "path", "journal");
    let running = setup.set("journal", "mask", json!(["open_id"])).start().await?;
    for _ in 0..CALLS {
        running.deliver(&sender::click("b")).await?;
    }
    written(&running, CALLS).await?;
    Ok(running)
}

#[tokio::test]
async fn the_same_plugin_differs_in_nothing_and_another_one_is_named() -> anyhow::Result<()> {
    let server = WebServer::start().await?;
    let pages = json!([{ "url": server.url("/page/"), "private_addresses": true }]);
    let messages = ["POST /open-apis/im/v1/messages"];
    let grants = json!({ "open_api": messages, "key_value": {}, "http": pages });
    let settings = json!({ "pages": server.url("/page/") });
    let sidecar = json!({ "grants": grants, "settings": settings });
    let mut running = answered("asks-around", sidecar).await?;
    ensure!(server.asked().len() == CALLS, "{:?}", server.asked());
    let messages = running.platform()?.simulator().messages().len();
    let file = running.plugin_file("answer.wasm");
    let file = file.to_str().context("a path of text")?.to_owned();
    // A replay needs no running host, and a later host leaves the journal unchanged.
    running.host.terminate().await?;
    let (code, said) = ask(running.folder(), &["replay", &file, "--json"])?;
    let report: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    ensure!(code == Some(0) && report["ok"] == true, "{report}");
    ensure!(report["played"] == CALLS && report["skipped"] == 0, "{report}");
    ensure!(report["fuel"]["was"] == report["fuel"]["now"], "{report}");
    let now = running.platform()?.simulator().messages().len();
    ensure!(now == messages && messages == CALLS, "a replay asks nobody: {messages}, {now}");
    ensure!(server.asked().len() == CALLS, "{:?}", server.asked());

    std::fs::copy(artifacts::guest("version-b")?, &file)?;
    let (code, said) = ask(running.folder(), &["replay", &file, "--last", "3"])?;
    ensure!(code == Some(1) && said.contains("of which 3 differ"), "{said}");
    ensure!(said.contains("reply:") && said.contains("fuel:"), "{said}");
    std::fs::copy(artifacts::guest("trap")?, &file)?;
    let (code, said) = ask(running.folder(), &["replay", &file, "--last", "1"])?;
    ensure!(code == Some(1) && said.contains("outcome: answered, now trap"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_bad_version_is_kept_out_by_what_was_clicked_before() -> anyhow::Result<()> {
    let running = answered("version-a", json!({ "promote": { "replay": CALLS } })).await?;
    let toast = async || anyhow::Ok(running.deliver(&sender::click("b")).await?.toast());
    for (guest, now) in [("trap", "now trap"), ("huge-reply", "now invalid_reply")] {
        running.drop_guest(guest, "answer")?;
        let is_refused = |line: &LogLine| {
            line.is(events::PLUGIN_REFUSED, &[]) && line.text_of("reason").contains(now)
        };
        let what = format!("that {guest} is refused");
        running.host.log().wait_for_line(&what, is_refused).await?;
        ensure!(toast().await? == "a", "{guest} is live");
    }
    let list = Request::get("/plugins").send(running.host.admin().await?).await?.json()?;
    let plugin = &list["apps"][0]["plugins"][0];
    let reason = plugin["not_live_because"].as_str().unwrap_or_default();
    ensure!(plugin["live"] == true && reason.contains("promote.replay"), "{list}");

    running.drop_guest("version-b", "answer")?;
    let rehearsed = running.host.log().wait_for(events::PLUGIN_REHEARSED, &[]).await?;
    ensure!(rehearsed.number_of("played") == Some(CALLS as f64), "{}", rehearsed.text());
    ensure!(rehearsed.number_of("other_replies") == Some(CALLS as f64), "{}", rehearsed.text());
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[]).await?;
    ensure!(toast().await? == "b");
    Ok(())
}
