//! Delivers a callback through one of the two doors, waits as long as a user's client does, and has the answer judged.
//!
//! Giving up does not stop listening: an answer that comes afterwards is counted as late.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lark_wire::frame::Frame;
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use crate::app::App;
use crate::approval::Approval;
use crate::approval::open_options;
use crate::connections::Connection;
use crate::connections::Sent;
use crate::delivery::Delivery;
use crate::delivery::DeliveryKind;
use crate::delivery::Door;
use crate::delivery::FragmentOrder;
use crate::exchange::Carrier;
use crate::exchange::Exchange;
use crate::exchange::SendError;
use crate::fragment::Envelope;
use crate::loopback_client::Response;
use crate::loopback_client::loopback_url;
use crate::sealing;
use crate::state::State;
use crate::update_token::AnswerMark;
use crate::verdict;
use crate::verdict::Answer;

/// Time for an answer: three seconds end to end, as documented.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// Time for the answer to a URL check: one second, as documented.
const CHALLENGE_LIMIT: Duration = Duration::from_secs(1);

/// Delivers a callback or an event and judges the answer, as [`Simulator::send`](crate::Simulator::send) promises.
pub(super) async fn send(
    state: &State,
    app_id: &str,
    door: &Door,
    delivery: &Delivery,
) -> Result<Exchange, SendError> {
    let app = state.app(app_id)?;
    let sent = delivery.body(&app.settings);
    let (traffic, start) = match door {
        Door::LongConnection => {
            if delivery.is_for_webhook_only() {
                return Err(SendError::WebhookOnly);
            }
            let mark = mark_update_token(state, app, delivery);
            let start = Instant::now();
            (over_long_connection(app, delivery, &sent, mark, start).await, start)
        }
        Door::Webhook { url } => {
            let url = loopback_url(url)?;
            let mark = mark_update_token(state, app, delivery);
            let start = Instant::now();
            (over_webhook(state, app, delivery, &sent, mark, url, start).await, start)
        }
    };
    let elapsed = start.elapsed();
    let traffic = opened(traffic, app, delivery);
    let verdict = verdict::judge(delivery, &traffic.answer);
    let (code, received) = match traffic.answer {
        Answer::Given { code, body } => (Some(code), body),
        Answer::Garbled { code, .. } => (code, None),
        Answer::NotOnline | Answer::Unreachable | Answer::Broken | Answer::None => (None, None),
    };
    Ok(Exchange {
        sent,
        sent_frames: traffic.frames,
        received,
        code,
        carrier: traffic.carrier,
        reply_frame: traffic.reply,
        elapsed,
        verdict,
    })
}

/// Frames and answer of one delivery, and the state of its door.
struct Traffic {
    frames: Vec<Frame>,
    reply: Option<Frame>,
    carrier: Carrier,
    answer: Answer,
}

/// Decrypts what the approval center expects encrypted.
fn opened(mut traffic: Traffic, app: &App, delivery: &Delivery) -> Traffic {
    if let (Answer::Given { body: Some(body), .. }, Some(key), Some(Approval::ExternalOptions)) =
        (&mut traffic.answer, &app.settings.encrypt_key, delivery.for_approval())
    {
        *body = open_options(key, body);
    }
    traffic
}

fn mark_update_token(state: &State, app: &App, delivery: &Delivery) -> AnswerMark {
    match delivery.update_token() {
        Some(token) => {
            let on_screen = delivery.viewer.on_screen;
            state.update_tokens.issue(&token, &app.settings.id, on_screen, Instant::now())
        }
        None => AnswerMark::default(),
    }
}

async fn over_long_connection(
    app: &App,
    delivery: &Delivery,
    payload: &Bytes,
    mark: AnswerMark,
    start: Instant,
) -> Traffic {
    let mut envelope = Envelope::new(app.service_id);
    envelope.kind.clone_from(&delivery.framing.frame_type);
    let mut frames = envelope.frames(payload, delivery.framing.fragments);
    match delivery.framing.order {
        FragmentOrder::InOrder => {}
        FragmentOrder::Reversed => frames.reverse(),
        FragmentOrder::Shuffled => fastrand::shuffle(&mut frames),
    }
    let waiting = app.answers.expect(&envelope.message_id, mark);
    let mut used = None;
    let exchange = async {
        used = send_first(app, frames.first()?).await;
        let connection = used.as_ref()?;
        for frame in frames.iter().skip(1) {
            if !delivery.framing.gap.is_zero() {
                tokio::time::sleep(delivery.framing.gap).await;
            }
            connection.send(Message::Binary(frame.to_bytes())).await;
        }
        waiting.await.ok()
    };
    let reply = tokio::time::timeout_at(start + ANSWER_LIMIT, exchange).await.ok().flatten();
    let carrier = match (&used, &reply) {
        (None, _) => Carrier::None,
        (Some(connection), None) if connection.ended.is_cancelled() => Carrier::Lost,
        (Some(_), _) => Carrier::Standing,
    };
    let answer = match (&reply, carrier) {
        (Some(reply), _) => read_reply(reply),
        (None, Carrier::None) => Answer::NotOnline,
        (None, Carrier::Standing | Carrier::Lost) => Answer::None,
    };
    let frames = if carrier == Carrier::None { Vec::new() } else { frames };
    Traffic { frames, reply, carrier, answer }
}

/// Writes the first frame on a random connection, and on another one if that ends before anything was written: a message that
/// never left the platform's gateway is not lost.
async fn send_first(app: &App, frame: &Frame) -> Option<Arc<Connection>> {
    loop {
        let connection = app.connections.pick()?;
        match connection.send(Message::Binary(frame.to_bytes())).await {
            Sent::Written => return Some(connection),
            // It takes a moment until the ended connection has given its place back.
            Sent::NotWritten => tokio::task::yield_now().await,
        }
    }
}

/// The payload of a reply frame. Official clients also send `headers`, null or absent, and never anything in it.
#[derive(Deserialize)]
struct ReplyPayload {
    code: i64,
    #[serde(default)]
    data: Option<String>,
}

fn read_reply(frame: &Frame) -> Answer {
    let payload = frame.payload.as_deref().unwrap_or_default();
    let reply: ReplyPayload = match named_fields::from_slice(payload) {
        Ok(reply) => reply,
        Err(error) => return Answer::Garbled { code: None, reason: format!("payload: {error}") },
    };
    match reply.data.map(|data| STANDARD.decode(data)).transpose() {
        Ok(body) => Answer::Given { code: reply.code, body: body.map(Bytes::from) },
        Err(error) => Answer::Garbled { code: Some(reply.code), reason: format!("data: {error}") },
    }
}

async fn over_webhook(
    state: &State,
    app: &Arc<App>,
    delivery: &Delivery,
    payload: &Bytes,
    mark: AnswerMark,
    url: Url,
    start: Instant,
) -> Traffic {
    let sealed = sealing::seal(&app.settings, delivery, payload);
    let (done, waiting) = oneshot::channel();
    let (client, stop, app) = (state.client.clone(), state.stop.clone(), Arc::clone(app));
    // A task of its own, so that the request goes on after its user has given up.
    state.tasks.spawn(async move {
        let Some(response) = stop.run_until_cancelled(client.post(url, sealed)).await else {
            return;
        };
        let is_answer = matches!(response, Response::Answered { .. });
        if is_answer {
            mark.set(Instant::now());
        }
        if done.send(response).is_err() && is_answer {
            app.tally.count(|counters| counters.late_answers += 1);
        }
    });
    let limit = match delivery.kind {
        DeliveryKind::Challenge => CHALLENGE_LIMIT,
        DeliveryKind::Approval(approval) => approval.limit(),
        _ => ANSWER_LIMIT,
    };
    let response = tokio::time::timeout_at(start + limit, waiting).await;
    let answer = match response {
        Ok(Ok(Response::Answered { status, body })) => {
            Answer::Given { code: status.into(), body: Some(body) }
        }
        Ok(Ok(Response::Unreachable)) => Answer::Unreachable,
        Ok(Ok(Response::Broken)) => Answer::Broken,
        // There is no answer, or the simulator is being stopped.
        Ok(Ok(Response::Silent) | Err(_)) | Err(_) => Answer::None,
    };
    Traffic { frames: Vec::new(), reply: None, carrier: Carrier::Standing, answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Answer {
        read_reply(&Frame { payload: Some(payload.to_owned().into()), ..Frame::default() })
    }

    /// Every spelling that an official client has been seen to send.
    #[test]
    fn the_official_clients_replies_are_understood() {
        for (payload, body) in [
            (r#"{"code": 200}"#, None),
            (r#"{"code":200}"#, None),
            (r#"{"code":200,"headers":null,"data":null}"#, None),
            (r#"{"code":200,"headers":null,"data":"bnVsbA=="}"#, Some("null")),
            (r#"{"code": 200, "data": "e30="}"#, Some("{}")),
            (r#"{"data":"e30=","headers":{},"code":200}"#, Some("{}")),
        ] {
            let body = body.map(Bytes::from);
            assert_eq!(read(payload), Answer::Given { code: 200, body }, "{payload}");
        }
        assert_eq!(read(r#"{"code":500}"#), Answer::Given { code: 500, body: None });
    }

    #[test]
    fn other_replies_are_garbled() {
        for payload in ["", "ok", "{}", r#"{"code":"200"}"#, r#"{"code":200,"data":{"toast":{}}}"#]
        {
            assert!(matches!(read(payload), Answer::Garbled { code: None, .. }), "{payload}");
        }
        let not_base64 = read(r#"{"code":200,"data":"{}"}"#);
        assert!(matches!(not_base64, Answer::Garbled { code: Some(200), .. }));
    }
}
