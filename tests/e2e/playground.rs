//! The playground in a real browser, used by a script of a person's steps. Screenshots stay in the build folder.

use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::browser;
use aviary_e2e::excuse;
use aviary_e2e::host::HostProcess;
use aviary_e2e::sender;

use crate::referees::table::UPDATE;

/// The screenshot in `README.md`.
const PICTURE: &str = "playground.jpg";
/// Time limit: the demo compiles every example before it shows the address.
const LONGEST: Duration = Duration::from_secs(300);

#[tokio::test]
async fn a_person_clicks_types_and_swaps_a_plugin() -> anyhow::Result<()> {
    if excuse::accepted("node", "the playground in a browser") {
        return Ok(());
    }
    let browser = browser::installed()?;
    // The example plugins are built before, so that the demo finds them.
    artifacts::plugin("approval-card")?;
    let folder = tempfile::tempdir()?;
    let demo = HostProcess::start(&["demo", "--open"], folder.path(), &[])?;
    demo.stdout().wait_for_text_within(LONGEST, "Playground").await?;
    let page = format!("http://{}", demo.printed_address().await?);
    let said = demo.stdout().text();
    let plugins = said.lines().find_map(|line| line.strip_prefix("Plugins: "));
    let plugins = plugins.context("no folder")?;
    let screenshots = artifacts::target_folder()?.join("screenshots");
    browser.person("playground.js", &[&page, plugins], &screenshots).await?;
    if std::env::var_os(UPDATE).is_some() {
        std::fs::copy(screenshots.join(PICTURE), browser.source().join(PICTURE))?;
    }
    Ok(())
}

/// A build that needs no compiler: the source already is a component, unless `notes.txt` reports a mistake.
const RECIPE: &str = r#"
name = "copied"
[build]
run = [["sh", "-c", "while [ -e ../wait ]; do sleep 0.05; done; ! grep -nH mistake notes.txt && cp source.bin built.wasm"]]
output = "built.wasm"
"#;

#[tokio::test]
async fn an_author_saves_changes_and_mistakes() -> anyhow::Result<()> {
    if excuse::accepted("node", "`aviary dev --open` in a browser") {
        return Ok(());
    }
    let browser = browser::installed()?;
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source");
    std::fs::create_dir_all(source.join("callbacks"))?;
    std::fs::write(source.join("plugin.toml"), RECIPE)?;
    std::fs::write(source.join("notes.txt"), "fine\n")?;
    std::fs::write(source.join("callbacks/click.json"), sender::click("a").to_string())?;
    std::fs::copy(artifacts::guest("version-a")?, source.join("source.bin"))?;
    std::fs::copy(artifacts::guest("version-b")?, folder.path().join("b.bin"))?;
    let mut dev = HostProcess::start(&["dev", "source", "--open"], folder.path(), &[])?;
    let page = format!("http://{}", dev.printed_address().await?);
    let source = source.to_str().context("a path that is text")?;
    let screenshots = artifacts::target_folder()?.join("screenshots/dev");
    browser.person("dev.js", &[&page, source], &screenshots).await?;
    // The mistake is in the terminal's output too.
    ensure!(dev.log().text().contains("notes.txt:1:a mistake"), "{}", dev.log().text());
    dev.stdout().wait_for_text("the user sees  toast “b”").await?;
    ensure!(dev.terminate().await?.status.success(), "{}", dev.log().text());
    Ok(())
}
