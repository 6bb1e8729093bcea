//! Replies in the platform's own JSON, of components and of programs: what the platform would refuse is mended where its meaning is
//! certain, and named otherwise. Numbers and texts of callbacks and replies stay what they are.

use std::path::PathBuf;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Seal;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use serde_json::Value;
use serde_json::json;

/// Returns a component and a program that answer with the text in the event's `reply`.
fn both() -> anyhow::Result<[PathBuf; 2]> {
    Ok([artifacts::guest("json-handler")?, artifacts::guest("as-command")?])
}

async fn with(component: PathBuf) -> anyhow::Result<Running> {
    Setup::new(App::default().encrypted().component("plugin", component, None)).start().await
}

/// The kinds of callbacks whose answers have a documented form.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Click,
    Preview,
    OldClick,
}

/// A reply, the answer that it becomes, the outcome, and a fragment of the reason; no reason where that is empty.
type Row = (Kind, &'static str, Option<Value>, &'static str, &'static str);

fn rows() -> Vec<Row> {
    let card = json!({ "header": { "title": { "tag": "plain_text", "content": "done" } },
        "elements": [{ "tag": "div", "text": { "tag": "plain_text", "content": "done" } }] });
    let shown = |data: &Value| Some(json!({ "card": { "type": "raw", "data": data } }));
    let old = r#"{"header":{"title":{"tag":"plain_text","content":"done"}},"elements":[{"tag":"div","text":{"tag":"plain_text","content":"done"}}]}"#;
    let new = r#"{"schema":"2.0","body":{"elements":[{"tag":"hr"}]}}"#;
    let of_new = json!({ "schema": "2.0", "body": { "elements": [{ "tag": "hr" }] } });
    let (answered, invalid) = ("answered", "invalid_reply");
    vec![
        (Kind::Click, old, shown(&card), answered, "mended: /: a bare card"),
        (Kind::Click, new, shown(&of_new), answered, "mended: /: a bare card"),
        (Kind::Preview, old, shown(&card), answered, "mended: /: a bare card"),
        (Kind::OldClick, old, Some(card), answered, ""),
        (
            Kind::OldClick,
            r#"{"card":{"type":"raw","data":{"elements":[]}}}"#,
            Some(json!({ "elements": [] })),
            answered,
            "its wrapper was taken off",
        ),
        (Kind::Click, r#"{"code":0,"msg":"ok"}"#, None, invalid, "`code`, `msg`"),
        (Kind::Preview, r#"{"code":0,"msg":"ok"}"#, None, invalid, "`code`, `msg`"),
        (Kind::OldClick, r#"{"code":0,"msg":"ok"}"#, Some(json!({})), answered, "`code`, `msg`"),
        (
            Kind::Click,
            r#"{"toast":{"type":"info","content":"x"},"code":0}"#,
            Some(json!({ "toast": { "type": "info", "content": "x" } })),
            answered,
            "left out `code`",
        ),
        (
            Kind::Click,
            r#"{"toast":{"type":"info","content":"x"},"card":null}"#,
            Some(json!({ "toast": { "type": "info", "content": "x" } })),
            answered,
            "",
        ),
        (
            Kind::Click,
            r#"{"toast":{"type":"info","content":"x","i18n":null}}"#,
            Some(json!({ "toast": { "type": "info", "content": "x" } })),
            answered,
            "",
        ),
        (Kind::Click, r#"{"card":null}"#, Some(json!({})), answered, ""),
        (Kind::Click, r#"{"toast":null,"card":null}"#, Some(json!({})), answered, ""),
        (Kind::Click, "null", Some(json!({})), answered, ""),
        (Kind::Click, "[]", None, invalid, "must be a JSON object"),
        (
            Kind::Preview,
            r#"{"inline":{"title":"x","i18n_title":null,"url":{"pc":null}},"card":null}"#,
            Some(json!({ "inline": { "title": "x" } })),
            answered,
            "",
        ),
        (Kind::Preview, r#"{"inline":null,"card":null}"#, Some(json!({})), answered, ""),
        (Kind::OldClick, r#"{"toast":null,"config":null}"#, Some(json!({})), answered, ""),
    ]
}

fn callback(kind: Kind, index: usize) -> Value {
    match kind {
        Kind::Click => sender::click(&format!("{index}")),
        Kind::Preview => sender::preview(&format!("https://example.com/{index}")),
        Kind::OldClick => sender::legacy_click(&format!("{index}")),
    }
}

#[tokio::test]
async fn what_the_platform_would_refuse_is_mended_or_named() -> anyhow::Result<()> {
    for component in both()? {
        let running = with(component).await?;
        for (index, (kind, reply, answer, outcome, reason)) in rows().into_iter().enumerate() {
            let mut body = callback(kind, index);
            let event = if kind == Kind::OldClick { &mut body } else { &mut body["event"] };
            event["reply"] = reply.into();
            let response = running.deliver(&body).await?;
            let lines = running.host.log().wait_for_count(index + 1, events::CALLBACK, &[]).await?;
            let line = &lines[index];
            let said = line.text_of("reason");
            ensure!(line.text_of("outcome") == outcome, "{reply}: {}", line.text());
            ensure!(
                said.contains(reason) && said.is_empty() == reason.is_empty(),
                "{reply}: {said}"
            );
            let is_warning = line.text_of("level") == "WARN";
            ensure!(is_warning != reason.is_empty(), "{reply}: {}", line.text());
            match answer {
                Some(answer) => ensure!(response.json()? == answer, "{reply}: {}", response.text()),
                None if kind == Kind::Preview => {
                    ensure!(response.text_at("/inline/title").starts_with("https://"))
                }
                None => ensure!(response.text_at("/toast/type") == "error", "{}", response.text()),
            }
        }
    }
    Ok(())
}

/// The simulated platform decides by itself, and has nothing to complain about.
#[tokio::test]
async fn a_mended_reply_is_shown_through_both_doors() -> anyhow::Result<()> {
    for component in both()? {
        let running = with(component).await?;
        let platform = running.platform()?;
        let webhook = Door::Webhook { url: running.webhook_url(&running.apps()[0]).await? };
        for (index, (kind, reply, answer, ..)) in rows().into_iter().enumerate() {
            let kind_of_delivery = match kind {
                Kind::Click => DeliveryKind::CardAction,
                Kind::Preview => DeliveryKind::LinkPreview,
                Kind::OldClick => continue,
            };
            for door in [&Door::LongConnection, &webhook] {
                let mut body = callback(kind, index);
                body["event"]["reply"] = reply.into();
                let delivery = Delivery::json(kind_of_delivery, body);
                let seen = platform.send_by(door, &delivery).await?;
                ensure!(seen.error().is_none(), "{reply}: {seen:?}");
                ensure!(answer.as_ref().is_none_or(|answer| *answer == seen.reply()), "{seen:?}");
            }
        }
    }
    Ok(())
}

/// Members of `action` as the platform may send them, each with what a plugin finds in its place.
const ODD: [(&str, &str); 6] = [
    (r#""value":{"text":"cut \ud83d"}"#, r#""value":{"text":"cut \ufffd"}"#),
    (r#""form_value":{"t":"cut \ud83d"}"#, r#""form_value":{"t":"cut \ufffd"}"#),
    (r#""input_value":"cut \ud83d""#, r#""input_value":"cut \ufffd""#),
    (r#""value":{"n":1e400}"#, r#""value":{"n":1e400}"#),
    (
        r#""value":{"n":[18446744073709551616,0.10000000000000001,5e36,1.10]}"#,
        r#""value":{"n":[18446744073709551616,0.10000000000000001,5e36,1.10]}"#,
    ),
    (r#""value":{"t":"\ud83d\ude00"}"#, r#""value":{"t":"\ud83d\ude00"}"#),
];

#[tokio::test]
async fn numbers_and_halves_of_characters_reach_every_plugin() -> anyhow::Result<()> {
    let guests = ["json-handler", "as-command", "echo-raw"];
    for guest in guests {
        let running = with(artifacts::guest(guest)?).await?;
        for (index, (sent, found)) in ODD.into_iter().enumerate() {
            let mut click = sender::click("show what you got");
            click["event"]["action"] =
                json!({ "tag": "button", "name": format!("show what you got {index}") });
            let body = click
                .to_string()
                .replace(r#""tag":"button""#, &format!(r#""tag":"button",{sent}"#));
            let response = running.deliver_bytes(body, Seal::Encrypted).await?;
            ensure!(response.toast().contains(found), "{guest}: {sent}: {}", response.text());
            ensure!(!response.toast().contains("token\":\"066"), "{guest}: {}", response.text());
            let line = running.callback_line(sender::event_id(&click)).await?;
            ensure!(line.text_of("outcome") == "answered", "{guest}: {}", line.text());
        }
    }
    Ok(())
}

#[tokio::test]
async fn half_a_character_becomes_a_replacement_in_typed_fields_and_replies() -> anyhow::Result<()>
{
    let running = with(artifacts::guest("echo-fields")?).await?;
    for (index, (sent, _)) in ODD.into_iter().enumerate().take(3) {
        let mut click = sender::click("b");
        click["event"]["action"] = json!({ "tag": "button", "name": index.to_string() });
        let body =
            click.to_string().replace(r#""tag":"button""#, &format!(r#""tag":"button",{sent}"#));
        let response = running.deliver_bytes(body, Seal::Encrypted).await?;
        ensure!(response.toast().contains("cut \u{fffd}"), "{sent}: {}", response.text());
    }
    for component in both()? {
        let running = with(component).await?;
        let mut click = sender::click("b");
        let reply = r#"{"toast":{"content":"cut \ud83d"},"card":{"type":"raw","data":{"elements":[{"tag":"action","actions":[{"tag":"button","text":{"tag":"plain_text","content":"x"},"value":{"n":18446744073709551616,"m":1e400}}]}]}}}"#;
        click["event"]["reply"] = reply.into();
        let response = running.deliver(&click).await?;
        ensure!(response.text().contains("cut \u{fffd}"), "{}", response.text());
        let value = r#""value":{"n":18446744073709551616,"m":1e400}"#;
        ensure!(response.text().contains(value), "{}", response.text());
    }
    let running = with(artifacts::guest("as-command")?).await?;
    let cut = running.deliver(&sender::click("half a character")).await?;
    ensure!(cut.toast() == "cut \u{fffd}", "{}", cut.text());
    Ok(())
}
