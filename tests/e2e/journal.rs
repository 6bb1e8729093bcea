//! The journal of a host: it has every callback, no secrets, and stays readable after a crash.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::APP_SECRET;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::command;
use aviary_e2e::command::aviary;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

/// Folder of the journal, beside the configuration.
const FOLDER: &str = "journal";

fn journal(app: App) -> Setup {
    Setup::new(app).set("journal", "path", FOLDER)
}

/// Runs `aviary journal …`. Returns its exit code and what it printed.
fn ask(folder: &Path, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let said = aviary(folder, &[&["journal"], arguments].concat())?;
    Ok((said.code, said.text()))
}

/// Waits until the journal has that many entries, and returns them.
async fn entries(running: &Running, count: usize) -> anyhow::Result<Vec<Value>> {
    let lines = command::journal(running.folder(), |lines| lines.len() >= count).await?;
    lines.iter().map(|line| serde_json::from_str(line).with_context(|| line.clone())).collect()
}

fn files(running: &Running) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(running.folder().join(FOLDER))? {
        files.push(file?.path());
    }
    ensure!(!files.is_empty(), "the journal has no file");
    Ok(files)
}

#[tokio::test]
async fn it_holds_every_callback_and_no_secret() -> anyhow::Result<()> {
    let secret = "s3cret-of-a-plugin";
    let sidecar = json!({
        "grants": { "open_api": ["POST /open-apis/im/v1/messages"], "key_value": {} },
        "settings": { "key": { "env": "AVIARY_PLUGIN_KEY" } },
    });
    let app = App::default().encrypted().guest_with("asks-around", sidecar)?;
    let mask = json!(["open_id", "/event/context/open_chat_id"]);
    let setup = journal(app).set("journal", "mask", mask).env("AVIARY_PLUGIN_KEY", secret);
    let running = setup.start().await?;
    let click = sender::click_with("b", json!({ "password": "hunter22", "said": secret }));
    let answer = running.deliver(&click).await?;
    ensure!(answer.toast().starts_with("ou_e2e 1 "), "{}", answer.toast());
    running.deliver(&sender::event()).await?;
    let entries = entries(&running, 2).await?;
    let (clicked, event) = (&entries[0], &entries[1]);
    ensure!(clicked["event_id"] == sender::event_id(&click), "{clicked}");
    ensure!(clicked["plugin"] == "asks-around" && clicked["outcome"] == "answered", "{clicked}");
    ensure!(
        clicked["fuel"].as_u64() > Some(0) && clicked["took_us"].as_u64() > Some(0),
        "{clicked}"
    );
    ensure!(event["outcome"] == "no_handler" && event["called"].is_null(), "{event}");

    // The user is masked, by the same text in every place.
    let user = clicked["user"].as_str().context("a user")?;
    ensure!(user.len() == "ou_e2e".len() && user != "ou_e2e", "{clicked}");
    let toast = clicked["reply"]["body"]["body"]["toast"]["content"].as_str().unwrap_or_default();
    ensure!(toast.starts_with(&format!("{user} 1 ")), "{clicked}");
    let came = &clicked["callback"]["event"];
    ensure!(came["operator"]["open_id"] == user, "{clicked}");
    ensure!(came["context"]["open_chat_id"] != "oc_e2e", "{clicked}");
    ensure!(came["context"]["open_message_id"] == "om_e2e", "{clicked}");

    let told = &clicked["called"]["told"];
    let calls = told["calls"].as_array().context("calls")?;
    let names: Vec<_> = calls.iter().filter_map(|call| call["call"].as_str()).collect();
    ensure!(names == ["keyvalue.open", "keyvalue.increment", "open-api.call"], "{clicked}");
    ensure!(calls[2]["answered"]["Ok"]["status"] == 200, "{clicked}");
    ensure!(told["wall_ns"].as_array().is_some_and(|read| !read.is_empty()), "{clicked}");
    let steps: Vec<_> = clicked["steps_us"].as_object().context("steps")?.keys().collect();
    ensure!(
        steps == ["receive", "verify", "queue", "instantiate", "guest", "check", "send"],
        "{clicked}"
    );

    let token = click["event"]["token"].as_str().context("a token")?;
    for file in files(&running)? {
        let bytes = std::fs::read(file)?;
        let text = String::from_utf8_lossy(&bytes);
        let never = [APP_SECRET, VERIFICATION_TOKEN, ENCRYPT_KEY, token, secret, "hunter22"];
        for secret in never.into_iter().chain(["ou_e2e"]) {
            ensure!(!text.contains(secret), "{secret} is in the journal: {text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_host_leaves_a_readable_journal() -> anyhow::Result<()> {
    let mut running = journal(App::default().webhook_only().guest("version-a")?).start().await?;
    let clicking = async {
        loop {
            running.deliver(&sender::click("b")).await?;
        }
        #[allow(unreachable_code, reason = "it is dropped when there is enough")]
        anyhow::Ok(())
    };
    tokio::select! {
        clicked = clicking => clicked?,
        written = entries(&running, 50) => drop(written?),
    }
    running.host.kill().await?;
    // Truncates the newest file as if the machine had crashed in the middle of a record.
    let newest = files(&running)?.into_iter().max().context("a file")?;
    let length = newest.metadata()?.len();
    std::fs::File::options().write(true).open(&newest)?.set_len(length - 3)?;
    let before = entries(&running, 1).await?.len();
    ensure!(before >= 49, "{before}");
    running.restart().await?;
    running.deliver(&sender::click("b")).await?;
    ensure!(entries(&running, before + 1).await?.len() == before + 1);
    Ok(())
}

#[tokio::test]
async fn it_is_listed_filtered_and_shown() -> anyhow::Result<()> {
    let route = json!({ "route": [{ "action_name": "t" }] });
    let app = App::default().webhook_only().guest("version-a")?.guest_with("trap", route)?;
    let running = journal(app).start().await?;
    let (well, badly) = (sender::click("b"), sender::click("t"));
    running.deliver(&well).await?;
    running.deliver(&badly).await?;
    entries(&running, 2).await?;
    let list = |arguments: &[&str]| ask(running.folder(), arguments);
    let (code, all) = list(&[])?;
    ensure!(code == Some(0) && all.contains("version-a") && all.contains(" trap "), "{all}");
    for filter in [["--plugin", "trap"], ["--outcome", "trap"], ["--last", "1"]] {
        let (code, one) = list(&[&filter[..], &["--since", "1h"]].concat())?;
        ensure!(code == Some(0) && one.lines().count() == 2, "{filter:?}: {one}");
        ensure!(!one.contains("version-a"), "{filter:?}: {one}");
    }
    let (_, none) = list(&["--type", "url.preview.get"])?;
    ensure!(none.lines().count() == 1, "{none}");
    let (code, shown) = list(&["show", sender::event_id(&badly)])?;
    ensure!(code == Some(0), "{shown}");
    for said in ["trap", "because", "a guest's own words", "guest", "callback", "reply"] {
        ensure!(shown.contains(said), "{said} is not in {shown}");
    }
    let (code, unknown) = list(&["show", "nobody"])?;
    ensure!(code == Some(1) && unknown.contains("there is no callback"), "{unknown}");
    Ok(())
}
