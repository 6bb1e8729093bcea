//! Sealed values: forged, changed, and with a duplicate member.

use std::time::Duration;

use anyhow::ensure;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::setup::Running;
use serde_json::json;

use crate::siege::Target;
use crate::siege::connections::address;

/// Time between two attempts.
const PACE: Duration = Duration::from_millis(50);
/// Prefix of the plugin's answer to a click whose value it was given.
const TAKEN: &str = "order";

/// Returns a value that the host has sealed.
pub(super) async fn genuine(running: &Running) -> anyhow::Result<String> {
    let mut click = sender::click("make");
    click["event"]["action"]["value"] = json!({ "secs": 86_400, "value": { "order": 1 } });
    let said = running.deliver(&click).await?.toast();
    ensure!(said.contains("aviary_seal"), "the plugin has sealed nothing: {said}");
    Ok(said)
}

/// Sends clicks with forged seals. The plugin must not see any of them.
pub(super) async fn forged(target: &Target<'_>) -> anyhow::Result<()> {
    let sealed = &target.sealed;
    let rest = sealed.trim_start_matches('{');
    let values = [
        r#"{"order":2}"#.to_owned(),
        r#"{"order":2,"aviary_seal":{"until":99999999999,"mac":"AAAA"}}"#.to_owned(),
        sealed.replace("\"order\":1", "\"order\":2"),
        format!("{{\"order\":2,{rest}"),
        format!("{{\"\\u006frder\":2,{rest}"),
        format!("{{\"aviary_seal\":null,{rest}"),
    ];
    for number in 0_usize.. {
        tokio::time::sleep(PACE).await;
        target.ledger.attempt("forged seals");
        let value = &values[number % values.len()];
        let taken = buy(target, value, number).await.map(|answer| answer.toast());
        let was_taken = taken.is_ok_and(|said| said.starts_with(TAKEN));
        target.ledger.must_not("a forged seal is taken", was_taken);
    }
    Ok(())
}

async fn buy(target: &Target<'_>, value: &str, number: usize) -> anyhow::Result<Response> {
    let mut body = sender::click("buy");
    body["event"]["action"]["value"] = "PLACE".into();
    let body = body.to_string().replace("\"PLACE\"", value);
    sender::sealed(body).send_from(address(8, number), target.webhook).await
}
