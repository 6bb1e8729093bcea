//! Requests to the webhook: which of them each of the three accepts, and the answers.

use std::sync::Arc;

use aviary_e2e::http::Request;
use aviary_e2e::sender;
use aviary_e2e::sender::Signer;
use aviary_e2e::vectors;
use serde_json::Value;
use serde_json::json;

use crate::referees::contestant::Contestant;
use crate::referees::contestant::Line;
use crate::referees::messages::summary;
use crate::referees::scenario::Scenario;

/// Path of an app that takes encrypted, signed bodies.
const ENCRYPTED: &str = "/encrypted";
/// Path of an app with a Verification Token and no Encrypt Key.
const PLAIN: &str = "/plain";
/// Path of an app like the plain one, without handlers.
const NONE: &str = "/none";
/// Path of an app that takes old cards.
const LEGACY: &str = "/legacy";

pub(crate) fn all() -> Vec<Scenario> {
    callbacks().into_iter().chain(checks()).chain(challenges()).chain(old_cards()).collect()
}

fn click(asked: &str) -> Value {
    sender::click_with("referee", json!({ "do": asked }))
}

fn callbacks() -> Vec<Scenario> {
    let silent = "Node lets the failure escape and never answers";
    vec![
        at(ENCRYPTED, "encrypted and signed", || sender::sealed(click("toast").to_string()))
            .all("200, toast ok"),
        at(PLAIN, "plain with the right token", || sender::plain(click("toast").to_string()))
            .all("200, toast ok"),
        at(PLAIN, "an event", || sender::plain(sender::event().to_string()))
            .each("200, a message", "200, a message", "200, empty")
            .fault("Node's body is empty, not JSON"),
        at(PLAIN, "a click, answered with nothing", || sender::plain(click("none").to_string()))
            .each("200, {}", "refused (500)", "200, empty")
            .fault("Python fails on it; Node's body is empty, not JSON"),
        at(PLAIN, "a click, the handler fails", || sender::plain(click("throw").to_string()))
            .each("200, toast Something went wrong", "refused (500)", "no answer")
            .fault(silent),
        at(NONE, "a click, no handler", || sender::plain(click("toast").to_string()))
            .each(
                "200, toast This button is not available right now",
                "refused (500)",
                "200, a string",
            )
            .fault("Python's user sees an error code; Node's body is not an object"),
    ]
}

fn checks() -> Vec<Scenario> {
    let trusting = "Node answers a forged request with 200 and an empty body";
    vec![
        at(ENCRYPTED, "encrypted, signed with another key", || {
            sender::signed(sender::envelope(click("toast").to_string()), Signer::Stranger)
        })
        .each("refused (401)", "refused (500)", "200, empty")
        .fault(trusting),
        at(ENCRYPTED, "encrypted, not signed", || {
            sender::plain(sender::envelope(click("toast").to_string()))
        })
        .each("refused (401)", "refused (500)", "200, empty")
        .fault(trusting),
        at(ENCRYPTED, "plain, signed, with a key configured", || {
            sender::signed(click("toast").to_string(), Signer::EncryptKey)
        })
        .all("200, toast ok"),
        at(ENCRYPTED, "encrypted and signed, with spaces in the JSON", || {
            let envelope = sender::envelope(click("toast").to_string()).replace(":", " : ");
            sender::signed(envelope, Signer::EncryptKey)
        })
        .each("200, toast ok", "200, toast ok", "200, empty")
        .fault("Node does not check the bytes that were signed, but what it makes of them"),
        at(PLAIN, "plain with a wrong token", || {
            let mut click = click("toast");
            click["header"]["token"] = "a stranger's".into();
            sender::plain(click.to_string())
        })
        .each("refused (401)", "refused (500)", "200, toast ok")
        .fault("Node never checks the token"),
        at(PLAIN, "encrypted, with no key configured", || {
            sender::sealed(click("toast").to_string())
        })
        .each("refused (400)", "refused (500)", "no answer")
        .fault("Node lets the failure escape and never answers"),
        at(PLAIN, "not JSON", || sender::plain("{\"schema\":"))
            .each("refused (400)", "refused (500)", "200, a string")
            .fault("Node answers anything with 200"),
    ]
}

fn challenges() -> Vec<Scenario> {
    let vector = |name: &str| vectors::text(name).unwrap_or_default().to_owned();
    let plain = move || sender::plain(vector("/challenge/plain_request"));
    let sealed = move || sender::plain(vector("/challenge/encrypted_request"));
    vec![
        at(PLAIN, "the URL check, plain", plain).all("200, the challenge"),
        at(ENCRYPTED, "the URL check, encrypted", sealed).all("200, the challenge"),
        at(PLAIN, "the URL check with a wrong token", || {
            let body = json!({
                "challenge": "ajls384kdjx98XX", "token": "a stranger's", "type": "url_verification",
            });
            sender::plain(body.to_string())
        })
        .each("refused (401)", "refused (500)", "200, the challenge")
        .fault("Node never checks the token"),
    ]
}

fn old_cards() -> Vec<Scenario> {
    let old = |asked: &str| {
        let mut click = sender::legacy_click("referee");
        click["action"]["value"] = json!({ "do": asked });
        click.to_string()
    };
    vec![
        at(LEGACY, "an old card", move || sender::signed(old("toast"), Signer::VerificationToken))
            .all("200, toast ok"),
        at(LEGACY, "an old card, signed with another key", move || {
            sender::signed(old("toast"), Signer::Stranger)
        })
        .each("refused (401)", "refused (500)", "200, empty")
        .fault("Node answers a forged request with 200 and an empty body"),
        at(LEGACY, "an old card, not signed", move || sender::plain(old("toast")))
            .each("refused (401)", "refused (500)", "200, empty")
            .fault("Node answers a forged request with 200 and an empty body"),
        at(LEGACY, "an old card, answered with nothing", move || {
            sender::signed(old("none"), Signer::VerificationToken)
        })
        .each("200, {}", "200, a message", "200, empty")
        .fault("Node's body is empty, not JSON"),
        at(LEGACY, "an old card, the handler fails", move || {
            sender::signed(old("throw"), Signer::VerificationToken)
        })
        .each("200, toast Something went wrong", "refused (500)", "200, empty")
        .fault("Python's user sees an error code; Node's body is empty, not JSON"),
        at(LEGACY, "an old card, answered with a status and body of its own", move || {
            sender::signed(old("custom"), Signer::VerificationToken)
        })
        .all("418, {\"custom\":true}")
        .impossible_for(Contestant::Node),
    ]
}

/// Builds a scenario of that request to that path.
fn at(
    path: &'static str,
    name: &str,
    request: impl Fn() -> Request + Send + Sync + 'static,
) -> Scenario {
    let request = Arc::new(request);
    Scenario::new(name, move |line: Line| {
        let request = Arc::clone(&request);
        async move {
            let address = line.webhook().await?;
            // Signed at the last moment: the host refuses requests that were signed before its start.
            let request = Request { path: path.to_owned(), ..request() };
            let Ok(response) = request.send(address).await else {
                return Ok("no answer".to_owned());
            };
            let status = response.status;
            if response.body.is_empty() {
                return Ok(format!("{status}, empty"));
            }
            let Ok(json) = response.json() else { return Ok(format!("{status}, not JSON")) };
            Ok(match (status, &json) {
                (200, json) if json.get("challenge").is_some() => "200, the challenge".to_owned(),
                (200, json) if json.get("msg").is_some() => "200, a message".to_owned(),
                (_, json) if json.get("msg").is_some() => format!("refused ({status})"),
                (_, json) => format!("{status}, {}", summary(json)),
            })
        }
    })
    .by_webhook()
}
