//! `aviary dev`: a change of the source is built, live, and sent the last callback again.

use std::path::Path;

use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::host::HostProcess;
use aviary_e2e::http::Request;
use aviary_e2e::sender;
use serde_json::json;

/// A build that needs no compiler: the source already is a component.
const RECIPE: &str = r#"
name = "copied"
[build]
run = [["cp", "source.bin", "built.wasm"]]
output = "built.wasm"
"#;

fn write_source(folder: &Path, guest: &str) -> anyhow::Result<()> {
    std::fs::copy(artifacts::guest(guest)?, folder.join("source.bin"))?;
    Ok(())
}

#[tokio::test]
async fn a_change_is_built_live_and_answers_the_last_callback() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source");
    std::fs::create_dir_all(source.join("callbacks"))?;
    std::fs::write(source.join("plugin.toml"), RECIPE)?;
    std::fs::write(source.join("callbacks/click.json"), sender::click("b").to_string())?;
    write_source(&source, "version-a")?;
    let mut dev = HostProcess::start(&["dev", "source"], folder.path(), &[])?;
    let said = dev.stdout().clone();
    said.wait_for_text("the user sees  toast “a”").await?;
    write_source(&source, "version-b")?;
    said.wait_for_text("the user sees  toast “b”").await?;
    // A file that cannot be loaded is reported, and `dev` waits for the next change.
    std::fs::write(source.join("source.bin"), "text")?;
    dev.log().wait_for_text("the host refuses it: not WebAssembly").await?;
    // A callback sent by hand is the last callback from then on.
    write_source(&source, "as-command")?;
    said.wait_for_text("the user sees  toast “clicked b”").await?;
    let by_hand =
        json!({ "app_id": "cli_0123456789abcdef", "kind": "card_action", "name": "mine" });
    let address = dev.printed_address().await?;
    let sent = Request::post("/simulator/send", by_hand.to_string()).send(address).await?;
    ensure!(sent.text_at("/verdict/toast/text") == "clicked mine", "{}", sent.text());
    write_source(&source, "version-a")?;
    said.wait_for_text("the last callback").await?;
    ensure!(dev.terminate().await?.status.success(), "{}", dev.log().text());
    Ok(())
}
