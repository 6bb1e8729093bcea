//! Bodies from strangers: encrypted without a signature, nested deeply, very long, and with characters that end a line or control
//! a terminal.

use std::collections::BTreeSet;
use std::time::Duration;

use aviary_e2e::http::Request;
use aviary_e2e::sender;
use serde_json::Value;
use serde_json::json;

use crate::siege::Target;
use crate::siege::connections::address;
use crate::siege::healthy;

/// Time between two attempts of one attack.
const PACE: Duration = Duration::from_millis(20);
/// Time between two attempts with large bodies.
const SLOW_PACE: Duration = Duration::from_millis(250);
/// Levels of nesting that overflow a stack if recursion is not limited.
const DEPTH: usize = 9000;
/// Bytes just below the limit of the webhook's bodies.
const LONG_BYTES: usize = 3_900_000;
/// Placeholder in a body for JSON that `Value` cannot represent.
const PLACE: &str = "\"PLACE\"";

/// Sends changed ciphertexts to learn their plaintext. Bad padding, bad JSON and a missing signature get one and the same answer.
pub(super) async fn unsigned_encrypted(target: &Target<'_>) -> anyhow::Result<()> {
    let body = |encrypted: Value| json!({ "encrypt": encrypted }).to_string();
    let not_json = sender::envelope("not JSON");
    let genuine = sender::envelope(healthy::click("ou_stranger", "").to_string());
    let mut bad_padding = not_json.clone().into_bytes();
    if let Some(byte) = bad_padding.iter_mut().rev().nth(6) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    let bodies = [
        not_json.into_bytes(),
        genuine.into_bytes(),
        bad_padding,
        body("AAAA".repeat(16).into()).into_bytes(),
        body("not base64".into()).into_bytes(),
    ];
    let mut answers = BTreeSet::new();
    for number in 0_usize.. {
        tokio::time::sleep(PACE).await;
        target.ledger.attempt("unsigned encrypted bodies");
        let request = sender::plain(&bodies[number % bodies.len()]);
        // The host answers differently if a stranger asks too often, or if it has no room for another request.
        if let Ok(answer) = request.send_from(address(4, number), target.webhook).await
            && !matches!(answer.status, 429 | 503)
        {
            answers.insert((answer.status, answer.text()));
        }
        target.ledger.must_not("unsigned bodies are told apart", answers.len() > 1);
    }
    Ok(())
}

/// Genuine callbacks whose value is nested too deeply, as JSON and as text that is JSON.
pub(super) async fn nested(target: &Target<'_>) -> anyhow::Result<()> {
    let lists = "[".repeat(DEPTH) + &"]".repeat(DEPTH);
    // The journal masks a member of this name, and therefore walks through everything below it.
    let objects = "{\"token\":".repeat(DEPTH) + "1" + &"}".repeat(DEPTH);
    let as_text = Value::from(lists.as_str()).to_string();
    for number in 0_usize.. {
        tokio::time::sleep(PACE).await;
        let mut body = match number % 2 {
            0 => sender::event(),
            _ => healthy::click("ou_nesting", ""),
        };
        let place = if number % 2 == 0 { "/event/message" } else { "/event/action/value" };
        if let Some(value) = body.pointer_mut(place) {
            *value = "PLACE".into();
        }
        let deep = [&lists, &objects, &as_text][number % 3];
        target.ledger.attempt("nested JSON");
        let request = sender::sealed(body.to_string().replace(PLACE, deep));
        let _ = request.send_from(address(5, number), target.webhook).await;
    }
    Ok(())
}

/// Sends unsigned bodies of four megabytes, each of which would be a line of the log.
pub(super) async fn long(target: &Target<'_>) -> anyhow::Result<()> {
    let texts = ["event_id", "challenge", "encrypt"];
    // Made once: the harness shares two cores with the host, and its own work must not delay the people whom it times.
    let bodies =
        texts.map(|name| json!({ name: "x".repeat(LONG_BYTES), "schema": "2.0" }).to_string());
    for number in 0_usize.. {
        tokio::time::sleep(SLOW_PACE).await;
        target.ledger.attempt("long bodies");
        let _ = sender::plain(&bodies[number % bodies.len()])
            .send_from(address(6, number), target.webhook)
            .await;
    }
    Ok(())
}

/// Sends event ids and paths with characters that end a line of the log, forge another one, or control a terminal.
pub(super) async fn escaping(target: &Target<'_>) -> anyhow::Result<()> {
    let forged = "\n{\"level\":\"ERROR\",\"message\":\"forged\"}\r\u{1b}[2J\u{9b}31m";
    let (log, mut seen) = (target.running.host.log(), 0);
    for number in 0_usize.. {
        tokio::time::sleep(PACE * 5).await;
        let mut body = sender::event();
        body["header"]["event_id"] = format!("{number}{forged}").into();
        body["header"]["event_type"] = forged.into();
        target.ledger.attempt("texts that end a line");
        let _ =
            sender::sealed(body.to_string()).send_from(address(7, number), target.webhook).await;
        let lost = Request::post("/%0aforged%1b", "{}");
        let _ = lost.send_from(address(7, number), target.webhook).await;
        let forged = |line: &aviary_e2e::log::LogLine| line.message() == "forged";
        let written = log.len();
        let came = !log.lines_after(seen, forged).is_empty();
        seen = written;
        target.ledger.must_not("a stranger has written a line of the log", came);
    }
    Ok(())
}
