//! `wit/command/`: the schemas of the command form match the real callbacks and replies.

use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::cases;
use aviary_e2e::cases::Case;
use aviary_e2e::cases::CaseDoor;
use aviary_e2e::schema::Schema;
use aviary_e2e::vectors;
use lark_simulator::sample;
use lark_simulator::sample::CardAction;
use serde_json::Value;
use serde_json::json;

/// Returns the callback as a guest sees it: without the verification token. The token of an old card is not secret and stays.
fn without_secrets(mut callback: Value) -> Value {
    if let Some(header) = callback.get_mut("header").and_then(Value::as_object_mut) {
        header.remove("token");
    } else if callback.get("event").is_some() {
        callback.as_object_mut().map(|fields| fields.remove("token"));
    }
    callback
}

#[test]
fn callbacks_are_as_documented() -> anyhow::Result<()> {
    let schema = Schema::of("wit/command/callback.schema.json")?;
    let mut callbacks = vec![
        serde_json::from_str(vectors::text("/crypto/aes_256_cbc/plaintext_utf8")?)?,
        serde_json::from_str(vectors::text("/signatures/legacy_card_sha1/raw_body")?)?,
        sample::card_action(CardAction::default()),
        sample::link_preview("https://example.com/x"),
        sample::legacy_card(json!({ "key": "value" })),
        sample::event("im.message.receive_v1", json!({ "message": {} })),
        sample::event_v1("out_approval", json!({})),
        sample::profile_view(),
    ];
    for entry in std::fs::read_dir(artifacts::source_root().join("wit/command/samples"))? {
        callbacks.push(serde_json::from_slice(&std::fs::read(entry?.path())?)?);
    }
    // The host puts what comes to the approval center's addresses into the envelope that the samples have.
    let in_envelope = |case: &Case| !case.plugin.doors.contains(&CaseDoor::Approval);
    for case in cases::all()?.into_iter().filter(in_envelope) {
        callbacks.push(serde_json::from_slice(&case.callback)?);
    }
    for callback in callbacks {
        let callback = without_secrets(callback);
        ensure!(schema.takes(&callback)?, "{callback:#}");
    }
    let with_token = json!({ "header": { "event_type": "x", "token": "t" }, "event": {} });
    for wrong in [json!([]), json!({}), json!({ "header": {} }), with_token] {
        ensure!(!schema.takes(&wrong)?, "{wrong}");
    }
    Ok(())
}

#[test]
fn replies_are_as_documented() -> anyhow::Result<()> {
    let schema = Schema::of("wit/command/reply.schema.json")?;
    let card = json!({ "schema": "2.0", "body": { "elements": [] } });
    let mut replies = vec![
        json!({}),
        json!({ "toast": { "content": "x", "i18n": { "zh_cn": "好" } } }),
        json!({ "card": { "type": "raw", "data": card } }),
        json!({ "card": { "type": "template", "data": { "template_id": "AAq" } } }),
        json!({ "inline": { "title": "x", "url": { "pc": "https://example.com" } } }),
        json!({ "toast": { "content": "x" }, "elements": [] }),
    ];
    replies.extend(cases::all()?.into_iter().filter_map(|case| case.expect.reply));
    for reply in replies {
        ensure!(schema.takes(&reply)?, "{reply:#}");
    }
    let wrong = [
        json!("text"),
        json!({ "toast": "text" }),
        json!({ "toast": { "type": "blue", "content": "x" } }),
        json!({ "toast": { "type": "info" } }),
        json!({ "card": card }),
        json!({ "card": { "type": "raw", "data": "{}" } }),
        json!({ "card": { "type": "template", "data": {} } }),
        json!({ "inline": { "url": { "windows": "https://example.com" } } }),
    ];
    for wrong in wrong {
        ensure!(!schema.takes(&wrong)?, "{wrong}");
    }
    Ok(())
}
