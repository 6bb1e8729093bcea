//! The playground in a real browser, as a person uses it. Screenshots are left in the build folder.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::browser;
use aviary_e2e::excuse;
use aviary_e2e::host::HostProcess;
use tokio::process::Command;

use crate::referees::table::UPDATE;

/// The one in `README.md`.
const PICTURE: &str = "playground.jpg";
/// Every step has a minute of its own; all of them together take seconds.
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
    let page = format!("http://{}", demo.printed_address().await?);
    let said = demo.stdout().text();
    let plugins = said.lines().find_map(|line| line.strip_prefix("Plugins: "));
    let plugins = plugins.context("no folder")?;
    let screenshots = artifacts::target_folder()?.join("screenshots");
    std::fs::create_dir_all(&screenshots)?;
    let mut person = Command::new("node");
    person
        .arg(&browser.script)
        .args([page.as_str(), plugins])
        .arg(&screenshots)
        .current_dir(&browser.folder);
    // The browser is unpacked there, with the libraries it needs: the package does that where it takes the machine for
    // one of those it was made for, which have none.
    person.env("TMPDIR", &browser.folder).env("AWS_LAMBDA_JS_RUNTIME", "nodejs22.x");
    person.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LONGEST, person.output()).await??;
    let (steps, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "after {steps}: {complaint}");
    ensure!(steps.lines().count() == 10, "{steps}");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::copy(screenshots.join(PICTURE), browser.source.join(PICTURE))?;
    }
    Ok(())
}
