//! Every webhook case that was run against the official SDKs: the same answer, or a better one with the fault named.

mod node;
mod python;

use std::collections::BTreeSet;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::http::Request;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Keys;
use aviary_e2e::setup::Setup;
use aviary_e2e::vectors;
use serde_json::Value;
use serde_json::json;

/// Keys of the host, and its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Host {
    Token,
    TokenAndKey,
    Key,
    HandlerReturnsNothing,
    HandlerFails,
    NoHandler,
    HandlerReturnsCard,
    LegacyToast,
    LegacyFails,
    LegacyUnchanged,
}

/// Reason why the answer differs from the captured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// The answer is the same.
    None,
    /// The status of a refusal names the party at fault: 400 and 401 the sender, 500 the receiver.
    Status,
    /// This is a fault of the SDK.
    Fault(&'static str),
}

struct Case {
    name: &'static str,
    host: Host,
    request: Request,
    status: u16,
    difference: Difference,
}

/// Builds a case that the host answers like the SDK.
fn same(name: &'static str, host: Host, request: Request) -> Case {
    Case { name, host, request, status: 200, difference: Difference::None }
}

/// Builds a case that the host refuses like the SDK, with a status that names the party at fault.
fn refused(name: &'static str, host: Host, request: Request, status: u16) -> Case {
    Case { name, host, request, status, difference: Difference::Status }
}

/// Builds a case that the host answers better than the SDK, whose fault is named.
fn better(
    name: &'static str,
    host: Host,
    request: Request,
    status: u16,
    fault: &'static str,
) -> Case {
    Case { name, host, request, status, difference: Difference::Fault(fault) }
}

fn wrong_token(mut body: Value) -> String {
    if body.get("header").is_some() {
        body["header"]["token"] = json!("another token");
    } else {
        body["token"] = json!("another token");
    }
    body.to_string()
}

fn challenge(text: &str, token: &str) -> String {
    json!({ "challenge": text, "token": token, "type": "url_verification" }).to_string()
}

fn lower_case_headers(mut request: Request) -> Request {
    for (name, _) in &mut request.headers {
        *name = name.to_lowercase();
    }
    request
}

fn upper_case_signature(mut request: Request) -> Request {
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == "X-Lark-Signature") {
        *value = value.to_uppercase();
    }
    request
}

fn event_v1() -> Value {
    json!({ "ts": "1502199207.7171419", "uuid": "u1", "token": VERIFICATION_TOKEN, "type": "event_callback", "event": { "type": "out_approval" } })
}

fn app(host: Host) -> anyhow::Result<App> {
    let app = App::default().webhook_only();
    let click = |answer: &str| json!({ "settings": { "click": answer } });
    Ok(match host {
        Host::Token => app.guest("captured-answers")?,
        Host::TokenAndKey => app.encrypted().guest("captured-answers")?,
        Host::Key => app.with_keys(Keys::EncryptKey).guest("captured-answers")?,
        Host::HandlerReturnsNothing => app.guest_with("captured-answers", click("nothing"))?,
        Host::HandlerFails | Host::LegacyFails => app.guest("failing")?,
        Host::NoHandler => app,
        Host::HandlerReturnsCard => app.guest_with("captured-answers", click("card"))?,
        Host::LegacyToast => app.guest("echo-fields")?,
        Host::LegacyUnchanged => app.guest_with("captured-answers", click("nothing"))?,
    })
}

fn check(case: &Case, response: &Response, captured: &Value) -> anyhow::Result<()> {
    ensure!(response.status == case.status, "{} {}", response.status, response.text());
    let body = response.json()?;
    ensure!(body.is_object(), "a body is always a JSON object: {body}");
    let captured_status = captured["status"].as_u64().context("a status")?;
    let same_status = captured_status == u64::from(response.status);
    let captured_body: Option<Value> =
        captured["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
    match case.difference {
        Difference::None => {
            ensure!(same_status, "the SDK answered {captured_status}");
            // The texts of a handler are its own; everything else is the same JSON.
            let own_words = body.get("toast").is_some();
            ensure!(
                own_words || captured_body.as_ref() == Some(&body),
                "{body} and not {captured_body:?}"
            );
        }
        Difference::Status => {
            ensure!(!same_status && captured_status == 500, "the SDK answered {captured_status}")
        }
        Difference::Fault(fault) => {
            ensure!(
                !same_status || captured_body.as_ref() != Some(&body),
                "not a fault any more: {fault}"
            );
        }
    }
    Ok(())
}

async fn run(
    cases: fn() -> Vec<Case>,
    captured: &Value,
    not_configurable: &[&str],
) -> anyhow::Result<()> {
    let captured = captured.as_object().context("an object")?;
    let all = cases();
    for name in captured.keys() {
        let known =
            all.iter().any(|case| case.name == name) || not_configurable.contains(&name.as_str());
        ensure!(known, "{name:?} is not tested");
    }
    let hosts: BTreeSet<Host> = all.iter().map(|case| case.host).collect();
    let mut failures = Vec::new();
    for host in hosts {
        let running = Setup::new(app(host)?).start().await?;
        // Signed anew, because the host refuses requests that were signed before its start.
        for case in cases().into_iter().filter(|case| case.host == host) {
            let response = running.post(case.request.clone()).await?;
            let captured = captured.get(case.name).with_context(|| case.name.to_owned())?;
            failures.extend(
                check(&case, &response, captured)
                    .err()
                    .map(|error| format!("{}: {error:#}", case.name)),
            );
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

#[tokio::test]
async fn every_case_run_against_the_python_sdk() -> anyhow::Result<()> {
    // Without a token and a key no request can be authenticated: the configuration is refused.
    let not_configurable = ["v2 card plain, both empty", "challenge plain, both empty cfg"];
    run(python::cases, vectors::at("/webhook_matrix/python/dispatcher")?, &not_configurable).await
}

#[tokio::test]
async fn every_case_run_against_the_node_sdk() -> anyhow::Result<()> {
    run(node::cases, vectors::at("/webhook_matrix/node")?, &[]).await
}

/// Accepts signatures of any age, because the captured requests are old.
fn recorded(app: App) -> Setup {
    Setup::new(app).set("webhook", "signature_window_secs", "off")
}

#[tokio::test]
async fn captured_requests_are_accepted_as_they_are() -> anyhow::Result<()> {
    let text = |vector: &str, field: &str| vectors::text(&format!("/signatures/{vector}/{field}"));
    let running =
        recorded(App::default().webhook_only().encrypted().guest("echo-fields")?).start().await?;
    let event = "event_or_new_callback_sha256";
    for vector in [event, "new_callback_plain_body_with_key_configured", "legacy_card_sha1"] {
        let request = sender::plain(text(vector, "raw_body")?)
            .header("X-Lark-Request-Timestamp", text(event, "timestamp")?)
            .header("X-Lark-Request-Nonce", text(event, "nonce")?)
            .header("X-Lark-Signature", text(vector, "X-Lark-Signature")?);
        let response = running.post(request).await?;
        ensure!(
            response.status == 200 && response.toast().contains("\"key\":\"value\""),
            "{vector}: {}",
            response.text()
        );
    }
    for (field, captured) in
        [("plain_request", "python_response"), ("encrypted_request", "python_encrypted_response")]
    {
        let response =
            running.post(sender::plain(vectors::text(&format!("/challenge/{field}"))?)).await?;
        let captured = vectors::at(&format!("/challenge/{captured}"))?;
        ensure!(response.status == 200, "{field}: {}", response.text());
        ensure!(
            response.text() == captured["body"].as_str().unwrap_or_default(),
            "{field}: {}",
            response.text()
        );
        let content_type = captured.pointer("/headers/Content-Type").and_then(Value::as_str);
        ensure!(response.header("content-type") == content_type, "{field}: {:?}", response.headers);
    }
    Ok(())
}
