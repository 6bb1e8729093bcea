//! The narrowest route wins; two plugins with the same claim need the operator's decision, or neither gets the callback.

use std::fs;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

async fn answering(running: &Running, body: &Value) -> anyhow::Result<String> {
    let response = running.deliver(body).await?;
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    let line = running.callback_line(sender::event_id(body)).await?;
    Ok(line.text_of("plugin").to_owned())
}

#[tokio::test]
async fn a_plugin_s_own_routes_are_followed() -> anyhow::Result<()> {
    let links = |pattern: &str| Some(json!({ "route": [{ "url_pattern": pattern }] }));
    let app = App::default()
        .webhook_only()
        .guest("routed")?
        .guest("echo-fields")?
        .component("a-wiki", artifacts::guest("echo-fields")?, links("https://wiki.example.com/*"))
        .component("a-wiki-s-page", artifacts::guest("echo-fields")?, links("https://*.com/page/*"))
        .component(
            "b-wiki-s-page",
            artifacts::guest("echo-fields")?,
            links("https://wiki.example.com/page/*"),
        );
    let running = Setup::new(app).start().await?;
    ensure!(
        answering(&running, &sender::click("mine")).await? == "routed",
        "a route wins over none"
    );
    ensure!(
        answering(&running, &sender::click("other")).await? == "echo-fields",
        "the rest is for the other"
    );
    let pull = sender::preview("https://git.example.com/team/repo/pull/7");
    ensure!(answering(&running, &pull).await? == "routed", "the pattern matches");
    let other = sender::preview("https://git.example.com/team/repo/issues/7");
    ensure!(answering(&running, &other).await? == "echo-fields", "the pattern does not match");
    for (link, expected) in [("start", "a-wiki"), ("page/7", "b-wiki-s-page")] {
        let link = sender::preview(&format!("https://wiki.example.com/{link}"));
        ensure!(answering(&running, &link).await? == expected, "the longer pattern is narrower");
    }
    Ok(())
}

#[tokio::test]
async fn every_field_of_a_route_must_match_and_the_narrowest_wins() -> anyhow::Result<()> {
    let component = artifacts::guest("version-a")?;
    let route = |fields: Value| Some(json!({ "route": [fields] }));
    let app = App::default()
        .webhook_only()
        .component("any", component.clone(), None)
        .component("tag", component.clone(), route(json!({ "action_tag": "button" })))
        .component("name", component.clone(), route(json!({ "action_tag": "button", "action_name": "go" })))
        .component("value", component.clone(), route(json!({ "value_at": { "pointer": "/kind/0", "equals": "leave" }, "action_tag": "button" })))
        .component("chat", component.clone(), route(json!({ "chat_id": "oc_special", "tenant_key": aviary_e2e::TENANT_KEY })))
        .component("elsewhere", component, route(json!({ "tenant_key": "another", "action_name": "go", "action_tag": "button", "app_id": "x" })));
    let running = Setup::new(app).start().await?;
    let click = |name: &str, tag: &str, value: Value, chat: &str| {
        let mut click = sender::click_with(name, value);
        click["event"]["action"]["tag"] = json!(tag);
        click["event"]["context"]["open_chat_id"] = json!(chat);
        click
    };
    let leave = json!({ "kind": ["leave"] });
    for (expected, body) in [
        ("any", click("x", "input", json!({}), "oc_1")),
        ("tag", click("x", "button", json!({}), "oc_1")),
        ("name", click("go", "button", json!({}), "oc_1")),
        ("value", click("x", "button", leave.clone(), "oc_1")),
        ("any", click("x", "input", leave, "oc_1")),
        ("chat", click("x", "input", json!({}), "oc_special")),
        // A text instead of an object must not be an error.
        ("tag", click("x", "button", json!("leave"), "oc_1")),
    ] {
        let found = answering(&running, &body).await?;
        ensure!(found == expected, "{body}: {found} answered, not {expected}");
    }
    Ok(())
}

#[tokio::test]
async fn a_general_handler_with_a_narrower_route_wins_over_a_typed_one() -> anyhow::Result<()> {
    let narrow = json!({ "route": [{ "action_name": "approve", "event_type": "card.action.trigger" },
        { "event_type": "url.preview.get" }, { "event_type": "im.message.receive_v1" }] });
    let app = App::default()
        .webhook_only()
        .component("typed", artifacts::guest("echo-fields")?, None)
        .component("button", artifacts::guest("version-a")?, Some(json!({ "route": [
            { "action_name": "approve", "event_type": "card.action.trigger", "action_tag": "input" },
            { "action_name": "same", "event_type": "card.action.trigger" }] })))
        .component("program", artifacts::guest("as-command")?, Some(narrow))
        .component("json", artifacts::guest("json-handler")?, Some(json!({ "route": [
            { "action_name": "same", "event_type": "card.action.trigger" }] })));
    let running = Setup::new(app).start().await?;
    let mut input = sender::click("approve");
    input["event"]["action"]["tag"] = json!("input");
    for (expected, body) in [
        ("program", sender::click("approve")),
        ("button", input),
        ("button", sender::click("same")),
        ("typed", sender::click("another")),
        ("program", sender::preview("https://example.com")),
        ("program", sender::event()),
        ("typed", sender::callback("contact.user.created_v3", json!({}))),
    ] {
        let found = answering(&running, &body).await?;
        ensure!(found == expected, "{body}: {found} answered, not {expected}");
    }
    Ok(())
}

#[tokio::test]
async fn a_newcomer_cannot_take_what_another_plugin_has() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only().guest("version-a")?).start().await?;
    running.drop_guest("version-b", "a-newcomer")?;
    let refused =
        running.host.log().wait_for(events::PLUGIN_REFUSED, &[("plugin", "a-newcomer")]).await?;
    ensure!(
        refused.text_of("reason").contains("version-a"),
        "the other is named: {}",
        refused.text()
    );
    ensure!(running.deliver(&sender::click("b")).await?.toast() == "a", "nothing has changed");
    // The remedy that the reason names: a narrower route.
    fs::write(running.plugin_file("a-newcomer.toml"), "[[route]]\naction_name = \"new\"\n")?;
    running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "a-newcomer")]).await?;
    ensure!(
        running.deliver(&sender::click("new")).await?.toast() == "b",
        "its own button is answered by it"
    );
    ensure!(running.deliver(&sender::click("b")).await?.toast() == "a", "and the others are not");
    Ok(())
}
