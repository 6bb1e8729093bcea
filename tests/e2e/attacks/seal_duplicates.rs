//! A sealed value with a duplicate of a sealed member: the host checks one of the two, and a plugin with another parser acts on
//! the other.

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Seal;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

/// Placeholder for a value that no JSON library would write.
const PLACE: &str = "the value stands here";

async fn use_value(running: &Running, value: &str) -> anyhow::Result<Response> {
    let body =
        sender::click_with("use", json!(PLACE)).to_string().replace(&format!("\"{PLACE}\""), value);
    running.deliver_bytes(body, Seal::Plain).await
}

async fn calls(running: &Running) -> anyhow::Result<f64> {
    let metrics = running.host.metrics().await?;
    Ok(metrics.sum("aviary_callbacks_total", &[("door", "webhook")]))
}

#[tokio::test]
async fn a_second_member_of_a_name_is_refused_before_the_plugin_sees_it() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only().guest("seals")?).start().await?;
    let asked = json!({ "value": { "order": 17, "by": { "name": "n", "list": [{ "a": 1 }] } } });
    let made = running.deliver(&sender::click_with("make", asked)).await?.toast();
    let genuine: Value = serde_json::from_str(&made).with_context(|| made.clone())?;
    let seal = genuine["aviary_seal"].to_string();
    ensure!(use_value(&running, &made).await?.toast() == "order 17", "it is genuine: {made}");

    let rest = made.strip_prefix('{').context("an object")?;
    let doubled = [
        format!(r#"{{"order":18,{rest}"#),
        made.replace(r#""order":17"#, r#""order":17,"order":18"#),
        made.replace(r#""order":17"#, r#""order":17,"\u006frder":18"#),
        made.replace(r#""name":"n""#, r#""name":"x","name":"n""#),
        made.replace(r#"{"a":1}"#, r#"{"a":2,"a":1}"#),
        made.replace(r#""until":"#, r#""until":1,"until":"#),
        format!(r#"{{"aviary_seal":{{}},{rest}"#),
        format!(r#"{{"aviary\u005fseal":{seal},{rest}"#),
    ];
    let before = calls(&running).await?;
    for value in &doubled {
        ensure!(*value != made, "nothing was doubled");
        let response = use_value(&running, value).await?;
        ensure!(response.status == 400, "{value}: {} {}", response.status, response.text());
        ensure!(response.toast().is_empty(), "{value}: {}", response.text());
    }
    ensure!(calls(&running).await? == before, "a callback was answered");
    Ok(())
}

/// Routes, and with them the lists of users who may click, are chosen by a value's members.
#[tokio::test]
async fn what_a_route_is_chosen_by_stands_there_once() -> anyhow::Result<()> {
    let sidecar = json!({
        "route": [
            { "event_type": "card.action.trigger", "value_at": { "pointer": "/do", "equals": "look" } },
            { "event_type": "card.action.trigger", "value_at": { "pointer": "/do", "equals": "pay" },
              "allow": { "open_ids": ["ou_boss"] } },
        ],
    });
    let app = App::default().webhook_only().guest_with("seals", sidecar)?;
    let running = Setup::new(app).start().await?;
    let looked = use_value(&running, r#"{"do":"look","order":17}"#).await?;
    ensure!(looked.toast() == "order 17", "{}", looked.text());
    let paid = use_value(&running, r#"{"do":"pay","order":17}"#).await?;
    ensure!(paid.toast() == "This button is not for you.", "{}", paid.text());
    for both in [r#"{"do":"pay","do":"look","order":17}"#, r#"{"do":"look","do":"pay"}"#] {
        let response = use_value(&running, both).await?;
        ensure!(response.status == 400, "{both}: {} {}", response.status, response.text());
    }

    let mut form = sender::click("b");
    form["event"]["action"]["form_value"] = json!(PLACE);
    let body = form.to_string().replace(&format!("\"{PLACE}\""), r#"{"sum":"1","sum":"1000"}"#);
    let response = running.deliver_bytes(body, Seal::Plain).await?;
    ensure!(response.status == 400, "{} {}", response.status, response.text());
    Ok(())
}
