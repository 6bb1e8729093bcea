//! One long connection from the platform's end: it answers pings, and hands replies to the senders that wait for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use futures_util::StreamExt as _;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use lark_wire::frame::Frame;
use lark_wire::frame::Method;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::answers::Arrival;
use crate::app::App;
use crate::connections::Connection;
use crate::connections::ConnectionPlace;
use crate::connections::Queued;
use crate::script::PongScript;

/// Largest message from a client, in bytes. A reply carries a card of 30 KB in base64, so this is generous; it only keeps a
/// broken client from filling memory.
const MAX_INBOUND_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that are read at once. The library fills that much with zeros for every read; a reply has some hundred bytes.
const READ_BYTES: usize = 16 * 1024;
/// Time for one message to leave. A peer that does not read for so long is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Time for the peer to answer a Close frame before TCP is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The fate of the connection after a message.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    Stop,
}

/// Serves the connection until either side ends it. Returning drops TCP, which is how the platform closes.
pub(super) async fn serve(upgraded: Upgraded, app: Arc<App>, mut place: ConnectionPlace) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .max_message_size(Some(MAX_INBOUND_BYTES))
        .max_frame_size(Some(MAX_INBOUND_BYTES));
    let mut socket: Socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let connection: Arc<Connection> = Arc::clone(&place.connection);
    loop {
        // Every arm is cancel safe: two tokens, a queue that keeps what is not taken, a stream that keeps what it read.
        let flow = tokio::select! {
            () = connection.ended.cancelled() => Flow::Stop,
            () = connection.silenced.cancelled() => {
                connection.ended.cancelled().await;
                Flow::Stop
            }
            Some(Queued { message, written }) = place.outgoing.recv() => {
                let flow = write(&mut socket, message).await;
                if let Some(written) = written.filter(|_| flow == Flow::Continue) {
                    // The sender may have given up meanwhile.
                    let _ = written.send(());
                }
                flow
            }
            incoming = socket.next() => read(&mut socket, &app, incoming).await,
        };
        if flow == Flow::Stop {
            return;
        }
    }
}

async fn write(socket: &mut Socket, message: Message) -> Flow {
    let closing = message.is_close();
    match tokio::time::timeout(WRITE_LIMIT, socket.send(message)).await {
        Ok(Ok(())) if closing => {
            // Dropping TCP over unread bytes would reset it and could overtake our own Close frame.
            let drain = async { while let Some(Ok(_)) = socket.next().await {} };
            // Drained or not, the connection ends here.
            let _ = tokio::time::timeout(CLOSE_LIMIT, drain).await;
            Flow::Stop
        }
        Ok(Ok(())) => Flow::Continue,
        Ok(Err(_)) | Err(_) => Flow::Stop,
    }
}

async fn read(
    socket: &mut Socket,
    app: &App,
    incoming: Option<Result<Message, tungstenite::Error>>,
) -> Flow {
    match incoming {
        Some(Ok(Message::Binary(bytes))) => match understand(app, bytes) {
            Some(pong) => write(socket, pong).await,
            None => Flow::Continue,
        },
        Some(Ok(Message::Text(_))) => {
            app.tally.count(|counters| counters.broken_frames += 1);
            Flow::Continue
        }
        // The answer to a WebSocket ping is queued by the codec and leaves with the next read.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Flow::Continue,
        Some(Ok(Message::Close(_))) => {
            // Lets the codec's own Close answer out; if it cannot leave, the peer sees the end of TCP anyway.
            let _ = tokio::time::timeout(CLOSE_LIMIT, socket.flush()).await;
            Flow::Stop
        }
        Some(Err(_)) | None => Flow::Stop,
    }
}

/// Records an incoming message, and returns the answer if it needs one.
fn understand(app: &App, bytes: Bytes) -> Option<Message> {
    let Ok(frame) = Frame::parse(bytes.clone()) else {
        app.tally.count(|counters| counters.broken_frames += 1);
        return None;
    };
    match frame.kind() {
        Method::Control if frame.header("type") == Some("ping") => {
            app.tally.ping(bytes);
            Some(Message::Binary(pong(app, &frame).to_bytes()))
        }
        Method::Data => {
            match app.answers.arrived(frame, Instant::now()) {
                Arrival::InTime => {}
                Arrival::Late => app.tally.count(|counters| counters.late_answers += 1),
                Arrival::Duplicate => app.tally.count(|counters| counters.duplicate_answers += 1),
                Arrival::Stray(frame) => app.tally.stray_answer(*frame),
            }
            None
        }
        Method::Control | Method::Unknown(_) => None,
    }
}

/// Builds a pong with the whole configuration, unless a script says otherwise: official clients stop pinging, or ping without
/// pause, when a key is missing.
fn pong(app: &App, ping: &Frame) -> Frame {
    let scripts = app.scripts();
    let mut pong = Frame::control(ping.service, "pong");
    pong.payload = match &scripts.pong {
        // Four integers always serialise; an empty payload would be the next best thing.
        PongScript::Normal => serde_json::to_vec(&scripts.client_config).ok().map(Bytes::from),
        PongScript::Payload(payload) => Some(payload.clone()),
    };
    pong
}

#[cfg(test)]
mod tests {
    use lark_wire::secret::Secret;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::changes::Changes;
    use crate::config::ClientConfig;
    use crate::config::SimulatedApp;

    /// The pong that both official clients accepted, byte for byte.
    #[test]
    fn a_pong_has_the_captured_bytes() {
        let app = App::new(
            SimulatedApp::new("cli_0123456789abcdef", Secret::new("s")),
            33_554_678,
            ClientConfig::default(),
            &Changes::new(),
            &CancellationToken::new(),
        );
        let ping = hex::decode("0800100018f681801020002a0c0a0474797065120470696e67").unwrap();
        let Some(Message::Binary(pong)) = understand(&app, ping.clone().into()) else {
            panic!("a ping is answered");
        };
        let head = "0800100018f681801020002a0c0a04747970651204706f6e674254";
        let config = concat!(
            r#"{"ReconnectCount":-1,"ReconnectInterval":120,"#,
            r#""ReconnectNonce":30,"PingInterval":120}"#
        );
        assert_eq!(hex::encode(&pong), format!("{head}{}", hex::encode(config)));
        assert_eq!(app.tally.last_ping(), Some(ping.into()));
    }
}
