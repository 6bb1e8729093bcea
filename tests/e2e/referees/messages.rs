//! Messages of one frame: the answers, and their form on the wire.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use aviary_e2e::PATIENCE;
use aviary_e2e::sender;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lark_simulator::fragment::Envelope;
use lark_wire::frame::Frame;
use lark_wire::frame::Header;
use serde_json::Value;
use serde_json::json;

use crate::referees::contestant::Line;
use crate::referees::scenario::Scenario;

/// Limit between two calls of more than a second each: closer together than this, they ran at the same time.
const AT_ONCE: Duration = Duration::from_millis(1000);
/// A larger message than one SDK accepts on a WebSocket.
const THREE_MEGABYTES: usize = 3 * 1024 * 1024;
/// An integer beyond the precision of a floating point number.
const LARGE_ID: u64 = 7_384_738_473_847_384_739;

pub(crate) fn all() -> Vec<Scenario> {
    answers().into_iter().chain(odd_frames()).chain(wire()).map(Scenario::in_company).collect()
}

/// Builds a click whose handler does that.
pub(crate) fn click(asked: &str) -> Bytes {
    sender::click_with("referee", json!({ "do": asked })).to_string().into()
}

fn event(asked: &str) -> Bytes {
    let mut event = sender::event();
    event["event"]["do"] = asked.into();
    event.to_string().into()
}

fn answers() -> Vec<Scenario> {
    let words = "The SDKs answer 500, and the user sees an error code";
    let deaf = "The SDKs leave the user with an error or a wrong answer";
    vec![
        sent("an event", event("")).all("200, no data"),
        sent("an event, the handler fails", event("throw")).all("500, no data"),
        sent("an event, no handler", event(""))
            .without_handlers()
            .each("200, no data", "500, no data", "200, a string")
            .fault("Python has it sent again for hours; Node sends a sentence as data"),
        sent("a click, answered with a toast", click("toast")).all("200, toast ok"),
        sent("a click, answered with {}", click("empty")).all("200, {}"),
        sent("a click, answered with nothing", click("none"))
            .each("200, {}", "200, no data", "200, no data")
            .fault("Without data, users have seen a timeout"),
        sent("a click, the handler fails", click("throw"))
            .each("200, toast Something went wrong", "500, no data", "500, no data")
            .fault(words),
        sent("a click, no handler", click("toast"))
            .without_handlers()
            .each(
                "200, toast This button is not available right now",
                "500, no data",
                "200, a string",
            )
            .fault(deaf),
        sent(
            "a click whose value is a string",
            sender::click_with("referee", "text").to_string().into(),
        )
        .each("200, toast ok", "500, no data", "200, toast ok")
        .fault("Python cannot read a documented kind of value"),
        sent("a link preview", sender::preview("https://example.com").to_string().into())
            .all("200, preview T"),
        sent("a link preview, no handler", {
            sender::preview("https://example.com").to_string().into()
        })
        .without_handlers()
        .each("200, preview https://example.com", "500, no data", "200, a string")
        .fault(deaf),
        sent("a payload that is not JSON", Bytes::from_static(b"{\"schema\":"))
            .each("500, no data", "500, no data", "no reply")
            .fault("Node leaves the platform without an answer"),
        Scenario::new("3 MB in one frame", three_megabytes)
            .each("200, toast ok", "no reply", "200, toast ok")
            .fault("Python closes the connection at 1 MiB and dials again"),
    ]
}

fn odd_frames() -> Vec<Scenario> {
    let unanswered = "The SDKs drop the frame without an answer";
    let dropped = "The SDKs drop the frame without an answer, and no log says why";
    let missing = |key: &'static str| {
        changed(&format!("without the header {key}"), move |frame| {
            frame.headers.retain(|header| header.key != key);
        })
    };
    vec![
        changed("type card", |frame| set(frame, "type", "card"))
            .each("500, no data", "no reply", "no reply")
            .fault(dropped),
        changed("an unknown type", |frame| set(frame, "type", "unheard-of")).all("no reply"),
        missing("type").all("no reply"),
        missing("message_id")
            .each("200, toast ok", "no reply", "200, toast ok")
            .fault("Python drops the frame without an answer"),
        missing("trace_id")
            .each("200, toast ok", "no reply", "200, toast ok")
            .fault("Python drops the frame without an answer"),
        missing("sum").each("200, toast ok", "no reply", "no reply").fault(unanswered),
        missing("seq").each("200, toast ok", "no reply", "no reply").fault(unanswered),
        changed("type event, and type card after it", |frame| {
            frame.headers.push(Header { key: "type".into(), value: "card".into() });
        })
        .each("200, toast ok", "200, toast ok", "no reply")
        .fault("Node takes the last of two headers, the other SDKs the first"),
        changed("an unknown method", |frame| frame.method = 7).all("no reply"),
        Scenario::new("a text message, then a click", |line: Line| async move {
            line.connected().await?;
            line.simulator().send_text(line.app(), "hello").await?;
            goes_on(&line).await
        })
        .all("goes on"),
        Scenario::new("bytes that are no frame, then a click", |line: Line| async move {
            line.connected().await?;
            line.simulator().send_bytes(line.app(), Bytes::from_static(&[0xff; 40])).await?;
            goes_on(&line).await
        })
        .all("goes on"),
        Scenario::new("a ping from the platform, then a click", |line: Line| async move {
            line.connected().await?;
            let before = line.counters().pings;
            let ping = Frame::control(line.envelope()?.service, "ping");
            line.send(&ping).await?;
            let outcome = goes_on(&line).await?;
            let answered = line.counters().pings > before.max(1);
            Ok(if answered { "answers it".to_owned() } else { outcome })
        })
        .all("goes on"),
    ]
}

async fn goes_on(line: &Line) -> anyhow::Result<String> {
    let before = line.counters().handshakes;
    let alive = line.is_alive().await?;
    let same = line.counters().handshakes == before;
    Ok(match (alive, same) {
        (true, true) => "goes on",
        (true, false) => "connects again",
        (false, _) => "deaf",
    }
    .to_owned())
}

fn wire() -> Vec<Scenario> {
    vec![
        Scenario::new("the reply's fields and headers", |line: Line| async move {
            line.connected().await?;
            let mut frame = line.envelope()?.frame(1, 0, click("toast"));
            frame.headers.push(Header { key: "new_header".into(), value: "kept".into() });
            let reply = reply_to(&line, &frame).await?;
            Ok(echo(&frame, &reply))
        })
        .all("all as they came, biz_rt last"),
        Scenario::new(
            "the reply's fields and headers, the handler fails",
            |line: Line| async move {
                line.connected().await?;
                let frame = line.envelope()?.frame(1, 0, click("throw"));
                let reply = reply_to(&line, &frame).await?;
                Ok(echo(&frame, &reply))
            },
        )
        .each(
            "all as they came, biz_rt last",
            "all as they came, no biz_rt",
            "all as they came, biz_rt last",
        )
        .fault("Python leaves out the handling time"),
        Scenario::new("SeqID and LogID beyond 2^53", |line: Line| async move {
            line.connected().await?;
            let envelope = Envelope { seq_id: LARGE_ID, log_id: u64::MAX, ..line.envelope()? };
            let frame = envelope.frame(1, 0, click("toast"));
            let reply = reply_to(&line, &frame).await?;
            let exact = (reply.seq_id, reply.log_id) == (frame.seq_id, frame.log_id);
            Ok(if exact { "exact" } else { "rounded" }.to_owned())
        })
        .each("exact", "exact", "rounded")
        .fault("Node counts in floating point"),
        Scenario::new("biz_rt of a handler that takes 1.2 s", |line: Line| async move {
            line.connected().await?;
            let frame = line.envelope()?.frame(1, 0, click("slow"));
            let reply = reply_to(&line, &frame).await?;
            let millis: i64 = reply.header("biz_rt").context("no biz_rt")?.parse()?;
            Ok(if millis >= 1000 { "as long" } else { "negative" }.to_owned())
        })
        .each("as long", "as long", "negative")
        .fault("Node subtracts the wrong way round"),
        Scenario::new("two slow handlers", two_slow)
            .each("at once", "one after the other", "at once")
            .fault("Python runs handlers in the loop that reads and pings"),
    ]
}

async fn two_slow(line: Line) -> anyhow::Result<String> {
    line.connected().await?;
    let (one, other) = (line.envelope()?, line.envelope()?);
    for envelope in [&one, &other] {
        line.send(&envelope.frame(1, 0, click("slow"))).await?;
    }
    let (one, other) = (one.message_id, other.message_id);
    let answered = |line: &Line, id: &str| !line.replies(id).is_empty();
    line.wait("an answer", |line| answered(line, &one) || answered(line, &other)).await?;
    let first = Instant::now();
    line.wait("both answers", |line| answered(line, &one) && answered(line, &other)).await?;
    Ok(if first.elapsed() < AT_ONCE { "at once" } else { "one after the other" }.to_owned())
}

/// Builds a scenario with an ordinary frame that has this payload.
fn sent(name: &str, payload: Bytes) -> Scenario {
    Scenario::new(name, move |line: Line| {
        let payload = payload.clone();
        async move {
            line.connected().await?;
            let frame = line.envelope()?.frame(1, 0, payload);
            outcome(&line, &[frame]).await
        }
    })
}

/// Sends a click of three megabytes. It may be answered later than a small one that was sent after it.
async fn three_megabytes(line: Line) -> anyhow::Result<String> {
    line.connected().await?;
    let mut click = sender::click("referee");
    click["event"]["padding"] = "x".repeat(THREE_MEGABYTES).into();
    let envelope = line.envelope()?;
    let frame = envelope.frame(1, 0, click.to_string().into());
    line.send(&frame).await?;
    let is_settled =
        |line: &Line| !line.replies(&envelope.message_id).is_empty() || !line.is_connected();
    line.sees(PATIENCE, is_settled).await;
    replies(&line, &[frame]).await
}

/// Builds a scenario with an ordinary click whose frame is changed.
fn changed(name: &str, change: impl Fn(&mut Frame) + Clone + Send + Sync + 'static) -> Scenario {
    Scenario::new(name, move |line: Line| {
        let change = change.clone();
        async move {
            line.connected().await?;
            let mut frame = line.envelope()?.frame(1, 0, click("toast"));
            change(&mut frame);
            outcome(&line, &[frame]).await
        }
    })
}

fn set(frame: &mut Frame, key: &str, value: &str) {
    for header in frame.headers.iter_mut().filter(|header| header.key == key) {
        value.clone_into(&mut header.value);
    }
}

/// Sends these frames in a row, and returns the replies in words.
pub(crate) async fn outcome(line: &Line, frames: &[Frame]) -> anyhow::Result<String> {
    for frame in frames {
        line.send(frame).await?;
    }
    replies(line, frames).await
}

/// Returns the replies to these frames, after the client has answered a later message.
pub(crate) async fn replies(line: &Line, frames: &[Frame]) -> anyhow::Result<String> {
    anyhow::ensure!(line.is_alive().await?, "the client does not answer any more");
    let belongs = |reply: &Frame| frames.iter().any(|frame| frame.log_id == reply.log_id);
    let all = line.simulator().stray_answers(line.app());
    let said: Vec<_> = all.iter().filter(|reply| belongs(reply)).map(say).collect();
    Ok(if said.is_empty() { "no reply".to_owned() } else { said.join(" + ") })
}

async fn reply_to(line: &Line, frame: &Frame) -> anyhow::Result<Frame> {
    line.send(frame).await?;
    let id = frame.header("message_id").unwrap_or_default();
    let answered = |line: &Line| !line.replies(id).is_empty();
    anyhow::ensure!(line.sees(PATIENCE, answered).await, "no reply");
    line.replies(id).pop().context("there is one")
}

/// Says whether the reply repeats the frame, except the parts that must differ.
fn echo(frame: &Frame, reply: &Frame) -> String {
    let mut bare = Frame { payload: frame.payload.clone(), ..reply.clone() };
    let added = match bare.headers.last() {
        Some(last) if last.key == "biz_rt" => {
            bare.headers.pop();
            "biz_rt last"
        }
        _ => "no biz_rt",
    };
    let same = bare.to_bytes() == frame.to_bytes();
    format!("{}, {added}", if same { "all as they came" } else { "changed" })
}

/// Returns the code of a reply and a summary of its data.
fn say(reply: &Frame) -> String {
    let payload: Value =
        serde_json::from_slice(reply.payload.as_deref().unwrap_or_default()).unwrap_or_default();
    let data = payload["data"].as_str().map(|data| STANDARD.decode(data));
    let data = match data {
        None => "no data".to_owned(),
        Some(Err(_)) => "not base64".to_owned(),
        Some(Ok(bytes)) => summary(&serde_json::from_slice(&bytes).unwrap_or_default()),
    };
    format!("{}, {data}", payload["code"])
}

/// Returns the toast or preview of an answer in a few words.
pub(crate) fn summary(answer: &Value) -> String {
    let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).map(first_sentence);
    match (text("/toast/content"), text("/inline/title"), answer) {
        (Some(toast), ..) => format!("toast {toast}"),
        (_, Some(title), _) => format!("preview {title}"),
        (_, _, Value::String(_)) => "a string".to_owned(),
        (_, _, other) => other.to_string(),
    }
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(sentence, _)| sentence).trim_end_matches('.')
}
