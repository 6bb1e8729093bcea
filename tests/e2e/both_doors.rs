//! A plugin cannot tell by which door a callback came, and a user cannot tell by which door it was answered.

use anyhow::ensure;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use lark_simulator::delivery::Signing;
use serde_json::json;

fn examples() -> anyhow::Result<App> {
    App::default()
        .encrypted()
        .example("approval-card")?
        .example("issue-preview")?
        .example("legacy-card")?
        .example("event-logger")?
        .example("profile-card")
}

#[tokio::test]
async fn the_same_plugin_gives_the_same_answer() -> anyhow::Result<()> {
    let running = Setup::new(examples()?).start().await?;
    let url = running.webhook_url(&running.apps()[0]).await?;
    let platform = running.platform()?;
    let deliveries = [
        Delivery::card_action(
            json!({ "kind": "leave", "decision": "approve", "applicant": "Ann" }),
        ),
        Delivery::card_action(json!({ "kind": "leave", "decision": "?", "applicant": "Ann" })),
        Delivery::card_action(json!({ "kind": "nobody's" })),
        Delivery::link_preview("https://issues.example.com/browse/ABC-123"),
        Delivery::link_preview("https://example.com/not-an-issue"),
        Delivery::event("im.message.receive_v1", json!({ "message": { "chat_id": "oc_1" } })),
        Delivery::event_v1("out_approval", json!({})),
        Delivery::profile_view(),
    ];
    for delivery in deliveries {
        let by_webhook = platform.send_by(&Door::Webhook { url: url.clone() }, &delivery).await?;
        let by_connection = platform.send(&delivery).await?;
        let (one, other) = (by_webhook.exchange(), by_connection.exchange());
        ensure!(one.verdict == other.verdict, "{:?}\n{:?}", one.verdict, other.verdict);
        ensure!(one.verdict.error.is_none() && one.verdict.acknowledged, "{:?}", one.verdict);
        ensure!(
            one.code == Some(200) && other.code == Some(200),
            "{:?} {:?}",
            one.code,
            other.code
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_user_sees_what_the_plugin_said() -> anyhow::Result<()> {
    let running = Setup::new(examples()?).start().await?;
    let url = running.webhook_url(&running.apps()[0]).await?;
    let platform = running.platform()?;
    let approve = Delivery::card_action(
        json!({ "kind": "leave", "decision": "approve", "applicant": "Ann" }),
    );
    for door in [Door::LongConnection, Door::Webhook { url: url.clone() }] {
        let chinese = platform.send_by(&door, &approve.clone().locale("zh_cn")).await?;
        ensure!(chinese.toast() == "已批准" && chinese.toast_kind() == "success", "{chinese:?}");
        ensure!(chinese.exchange().verdict.card.is_some(), "{chinese:?}");
        let issue = platform
            .send_by(&door, &Delivery::link_preview("https://issues.example.com/browse/ABC-123"))
            .await?;
        let title = issue.exchange().verdict.preview_title.as_deref();
        ensure!(title == Some("ABC-123 · Issue"), "{issue:?}");
    }
    let old = Delivery::legacy_card(json!({ "answer": "toast" }));
    let old = platform.send_by(&Door::Webhook { url: url.clone() }, &old).await?;
    ensure!(old.toast() == "Noted", "{old:?}");
    // The platform shows the user of a forged callback an error, and the plugin is not called.
    let forged =
        platform.send_by(&Door::Webhook { url }, &approve.signing(Signing::WrongKey)).await?;
    ensure!(forged.error().is_some_and(|error| error.code == 200_671), "{forged:?}");
    Ok(())
}
