//! Sends the HTTP request that the button's value describes, and answers with its result: `url`, with `method`, `body_bytes`,
//! `headers`, `patience_ms`, `follow` for a redirect, `times` for requests in sequence, `at_once` for all of them at the same
//! time. Crashes unless the result holds the text in `must`.

use std::time::Duration;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::http::HttpError;
use aviary_sdk::http::Method;
use aviary_sdk::http::Pending;
use aviary_sdk::http::Request;
use aviary_sdk::http::Response;
use aviary_sdk::log;
use aviary_sdk::log::Level;
use aviary_sdk::serde_json::Value;

/// Bytes of a body that fit into a readable toast.
const SHOWN: usize = 200;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let value = action.action.value_json()?;
    let url = value["url"].as_str().unwrap_or_default();
    let outcome = if let Some(count) = value["at_once"].as_u64() {
        at_once(&value, url, count)
    } else {
        let before = (1..value["times"].as_u64().unwrap_or(1)).map(|_| ask(&value, url));
        before.for_each(drop);
        ask(&value, url)
    };
    let text = match outcome {
        Ok(Response { status, body, .. }) => {
            let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).into_owned();
            format!("status {status}, {} bytes: {shown}", body.len())
        }
        Err(error) => format!("{error:?}"),
    };
    if let Some(expected) = value["must"].as_str() {
        assert!(text.contains(expected), "{text}");
    }
    // A late answer reaches no user, so the result also goes to the log.
    log::write(Level::Info, "asked", &text);
    Ok(Toast::info(text).into())
}

fn ask(value: &Value, url: &str) -> Result<Response, HttpError> {
    let response = request(value, url).send()?;
    match response.header("location") {
        Some(location) if value["follow"] == true => request(value, location).send(),
        _ => Ok(response),
    }
}

fn at_once(value: &Value, url: &str, count: u64) -> Result<Response, HttpError> {
    let pending: Result<Vec<Pending>, _> =
        (0..count).map(|_| request(value, url).start()).collect();
    let answers = pending?.into_iter().rev().map(Pending::wait);
    answers.reduce(|last, other| last.and_then(|_| other)).unwrap_or(Err(HttpError::Url))
}

fn request(value: &Value, url: &str) -> Request {
    let method = match value["method"].as_str() {
        Some("POST") => Method::Post,
        Some(other) => Method::Other(other.to_owned()),
        None => Method::Get,
    };
    let mut request = Request::new(method, url);
    for (name, text) in value["headers"].as_object().into_iter().flatten() {
        request = request.header(name, text.as_str().unwrap_or_default());
    }
    if let Some(bytes) = value["body_bytes"].as_u64() {
        request = request.body(vec![b'x'; usize::try_from(bytes).unwrap_or(usize::MAX)]);
    }
    match value["patience_ms"].as_u64() {
        Some(ms) => request.patience(Duration::from_millis(ms)),
        None => request,
    }
}
