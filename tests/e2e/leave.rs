//! The example at the end of the platform's documentation: a click that sends a message to a user of the tenant it came from, and
//! is answered with a toast and a card. Only the approver may approve, and only once.

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::TENANT_KEY;
use aviary_e2e::artifacts;
use aviary_e2e::platform::Seen;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use serde_json::Value;
use serde_json::json;

async fn click(running: &Running, by: &str, value: &Value, form: Value) -> anyhow::Result<Seen> {
    let mut click = sender::click("b");
    click["event"]["operator"]["open_id"] = by.into();
    click["event"]["action"]["value"] = value.clone();
    click["event"]["action"]["form_value"] = form;
    running.platform()?.send(&Delivery::json(DeliveryKind::CardAction, click)).await
}

#[tokio::test]
async fn a_leave_is_asked_for_decided_once_and_told() -> anyhow::Result<()> {
    let sidecar = artifacts::source_root().join("plugins/leave-approval/leave_approval.toml");
    let sidecar: Value = toml::from_str(&std::fs::read_to_string(sidecar)?)?;
    let component = artifacts::plugin("leave-approval")?;
    let app = App::default().from_the_store();
    let app = app.component("leave_approval", component, Some(sidecar));
    let running = Setup::new(app).start().await?;
    let simulator = running.platform()?.simulator();

    let asked = json!({ "leave": "request" });
    let seen = click(&running, "ou_ana", &asked, json!({ "days": "3" })).await?;
    ensure!(seen.toast() == "Sent" && seen.error().is_none(), "{seen:?}");
    let messages = simulator.messages();
    ensure!(messages.len() == 1 && messages[0].receive_id == "ou_approver", "{messages:?}");
    let card: Value = serde_json::from_str(&messages[0].content)?;
    let value = |button: usize| {
        let at = format!("/body/elements/1/columns/{button}/elements/0/behaviors/0/value");
        card.pointer(&at).cloned().with_context(|| format!("{at} of {card:#}"))
    };
    let (approve, reject) = (value(0)?, value(1)?);

    let forged = json!({ "leave": "decide", "number": 1, "decision": "approved" });
    for (by, value) in [("ou_ana", &approve), ("ou_approver", &forged)] {
        let seen = click(&running, by, value, Value::Null).await?;
        ensure!(!seen.toast().is_empty() && seen.reply()["card"].is_null(), "{by}: {seen:?}");
    }
    ensure!(simulator.messages().len() == 1, "{:?}", simulator.messages());

    let seen = click(&running, "ou_approver", &approve, Value::Null).await?;
    ensure!(seen.toast() == "Request approved" && !seen.reply()["card"].is_null(), "{seen:?}");
    running.platform()?.wait_until(|simulator| simulator.card_updates().len() == 1).await?;
    let shown = simulator.card_updates()[0].card.to_string();
    ensure!(shown.contains("who asked was told"), "{shown}");
    for again in [&approve, &reject] {
        let seen = click(&running, "ou_approver", again, Value::Null).await?;
        ensure!(!seen.toast().is_empty() && seen.reply()["card"].is_null(), "{seen:?}");
    }

    let messages = simulator.messages();
    ensure!(messages.len() == 2, "{messages:?}");
    ensure!(messages[1].receive_id == "ou_ana" && messages[1].content.contains("approved"));
    let calls = simulator.api_calls();
    let tenants = calls.iter().filter_map(|call| call.tenant_key.as_deref());
    ensure!(tenants.clone().count() == 3, "two messages and a card update: {calls:?}");
    ensure!(tenants.into_iter().all(|tenant| tenant == TENANT_KEY), "{calls:?}");
    Ok(())
}
