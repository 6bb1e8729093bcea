//! The playground in a real browser, as a person uses it. Screenshots are left in the build folder.

use std::time::Duration;

use anyhow::Context as _;
use aviary_e2e::artifacts;
use aviary_e2e::browser;
use aviary_e2e::excuse;
use aviary_e2e::host::HostProcess;

use crate::referees::table::UPDATE;

/// The one in `README.md`.
const PICTURE: &str = "playground.jpg";
/// The demo compiles every example before it invites anybody.
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
