//! The dashboard in a real browser, as an operator uses it. Screenshots are left in the build folder.

use aviary_e2e::artifacts;
use aviary_e2e::browser;
use aviary_e2e::excuse;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use serde_json::json;

const TOKEN: &str = "e2e-admin-token-QW72";

#[tokio::test]
async fn an_operator_watches_and_rolls_back() -> anyhow::Result<()> {
    if excuse::accepted("node", "the dashboard in a browser") {
        return Ok(());
    }
    let browser = browser::installed()?;
    let crashes = json!({
        "route": [{ "action_name": "crash" }],
        "breaker": { "failures": 3, "pause_ms": 3_600_000, "max_pause_ms": 3_600_000 },
    });
    let card = artifacts::plugin("approval-card")?;
    let app = App::default().component("approval_card", card, None).guest_with("trap", crashes)?;
    let setup =
        Setup::new(app.clone()).set("admin", "token", json!({ "env": "AVIARY_ADMIN_TOKEN" }));
    let running = setup.env("AVIARY_ADMIN_TOKEN", TOKEN).start().await?;
    let page = format!("http://{}", running.host.admin().await?);
    let (platform, webhook) = (running.platform()?.domain(), running.webhook_url(&app).await?);
    running.platform()?.simulator().open_webhook(&webhook)?;
    let plugins = running.plugin_file("").display().to_string();
    let screenshots = artifacts::target_folder()?.join("screenshots/dashboard");
    browser
        .person("dashboard.js", &[&page, TOKEN, &platform, &webhook, &plugins], &screenshots)
        .await
}
