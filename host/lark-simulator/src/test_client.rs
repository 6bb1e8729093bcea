//! The smallest client that the simulated platform can be tested with: discovery, handshake, ping, answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::SinkExt as _;
use futures_util::StreamExt as _;
use lark_wire::frame::Frame;
use lark_wire::frame::Header;
use lark_wire::secret::Secret;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;

use crate::Simulator;
use crate::config::SimulatedApp;
use crate::config::SimulatorConfig;
use crate::loopback_client::LoopbackClient;
use crate::loopback_client::Response;
use crate::loopback_client::loopback_url;
use crate::sealing::Sealed;

pub(super) const APP: &str = "cli_0123456789abcdef";
pub(super) const SECRET: &str = "secret_abc";
/// Time limit of a test for what is about to happen. Only a failing test waits that long.
pub(super) const SOON: Duration = Duration::from_secs(10);

pub(super) async fn simulator() -> Simulator {
    let app = SimulatedApp::new(APP, Secret::new(SECRET));
    Simulator::start(SimulatorConfig::on_loopback(vec![app])).await.unwrap()
}

/// POSTs JSON text and returns the answer's JSON.
pub(super) async fn post(simulator: &Simulator, path: &str, body: &str) -> Value {
    let url = loopback_url(&format!("{}{path}", simulator.domain())).unwrap();
    let sealed = Sealed { body: body.to_owned().into(), signature: None };
    match LoopbackClient::new().unwrap().post(url, sealed).await {
        Response::Answered { body, .. } => serde_json::from_slice(&body).unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

pub(super) async fn discover(simulator: &Simulator, secret: &str) -> Value {
    let body = json!({"AppID": APP, "AppSecret": secret}).to_string();
    post(simulator, "/callback/ws/endpoint", &body).await
}

pub(super) struct TestClient {
    pub(super) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    service: i32,
}

impl TestClient {
    pub(super) async fn connect(simulator: &Simulator) -> Self {
        let answer = discover(simulator, SECRET).await;
        Self::handshake(answer["data"]["URL"].as_str().unwrap()).await.unwrap()
    }

    pub(super) async fn handshake(url: &str) -> Result<Self, tungstenite::Error> {
        let query: url::Url = url.parse().unwrap();
        let service = query.query_pairs().find(|(key, _)| key == "service_id").unwrap().1;
        let service = service.parse().unwrap();
        let (socket, _) = connect_async(url).await?;
        Ok(Self { socket, service })
    }

    pub(super) async fn ping(&mut self) -> Frame {
        let ping = Frame::control(self.service, "ping");
        self.send(Message::Binary(ping.to_bytes())).await;
        self.next_frame().await
    }

    pub(super) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub(super) async fn next(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        tokio::time::timeout(SOON, self.socket.next()).await.unwrap()
    }

    pub(super) async fn next_frame(&mut self) -> Frame {
        match self.next().await {
            Some(Ok(Message::Binary(bytes))) => Frame::parse(bytes).unwrap(),
            other => panic!("expected a frame, not {other:?}"),
        }
    }

    /// Returns all frames of the next message in order of arrival, and the joined payload.
    pub(super) async fn next_message(&mut self) -> (Vec<Frame>, Bytes) {
        let mut frames = vec![self.next_frame().await];
        let sum: usize = number(&frames[0], "sum");
        while frames.len() < sum {
            frames.push(self.next_frame().await);
        }
        let mut in_order = frames.clone();
        in_order.sort_by_key(|frame| number(frame, "seq"));
        let parts: Vec<_> = in_order.into_iter().filter_map(|frame| frame.payload).collect();
        (frames, parts.concat().into())
    }

    /// Answers as the official clients do: the completing frame with another payload and one more header.
    pub(super) async fn answer(&mut self, completing: &Frame, code: i64, data: Option<&Value>) {
        let mut payload = json!({"code": code});
        if let Some(data) = data {
            payload["data"] = STANDARD.encode(data.to_string()).into();
        }
        let mut reply = completing.clone();
        reply.headers.push(Header { key: "biz_rt".into(), value: "1".into() });
        reply.payload = Some(payload.to_string().into());
        self.send(Message::Binary(reply.to_bytes())).await;
    }
}

fn number(frame: &Frame, header: &str) -> usize {
    frame.header(header).unwrap().parse().unwrap()
}
