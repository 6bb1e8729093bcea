//! One user of a contestant: clicks, waits for the answer, checks it, clicks again.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use lark_simulator::Simulator;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::click::Click;
use crate::click::Clicks;

/// Maximum bytes of a contestant's answer.
const LARGEST_ANSWER: usize = 64 << 10;
/// Every tenth message is longer than a frame of the platform.
const EVERY_FRAGMENTED: usize = 10;
/// Number of frames of such a message.
const FRAGMENTS: usize = 3;

/// The door that clicks go to.
#[derive(Clone)]
pub(crate) enum Target {
    /// An HTTP connection with keep-alive.
    Webhook(SocketAddr),
    /// Over one of the connections that the app has to the simulated platform.
    LongConnection { platform: Arc<Simulator>, app: String },
}

/// A user with a connection of its own.
pub(crate) struct Lane {
    clicks: Arc<Clicks>,
    way: Way,
}

enum Way {
    Webhook(Connection),
    LongConnection { platform: Arc<Simulator>, app: String, sent: usize },
}

impl Lane {
    pub(crate) async fn open(target: &Target, clicks: Arc<Clicks>) -> anyhow::Result<Self> {
        let way = match target {
            Target::Webhook(address) => Way::Webhook(Connection::open(*address).await?),
            Target::LongConnection { platform, app } => Way::LongConnection {
                platform: Arc::clone(platform),
                app: app.clone(),
                // A random start keeps the lanes from sending their long messages all at once.
                sent: fastrand::usize(..EVERY_FRAGMENTED),
            },
        };
        Ok(Self { clicks, way })
    }

    /// Clicks and returns the latency. A wrong answer is an error.
    pub(crate) async fn click(&mut self) -> anyhow::Result<Duration> {
        let click = self.clicks.next();
        let (reply, took) = self.exchange(&click).await?;
        click.check(&reply)?;
        Ok(took)
    }

    /// Clicks on a plugin that may be slow or never answer by itself: any toast of the server is accepted.
    pub(crate) async fn click_for_any_toast(&mut self) -> anyhow::Result<()> {
        let click = self.clicks.next();
        let (reply, _) = self.exchange(&click).await?;
        let answer: serde_json::Value = serde_json::from_slice(&reply)?;
        ensure!(answer["toast"]["content"].is_string(), "not a toast: {answer}");
        Ok(())
    }

    async fn exchange(&mut self, click: &Click) -> anyhow::Result<(Cow<'_, [u8]>, Duration)> {
        match &mut self.way {
            Way::Webhook(connection) => {
                let request = self.clicks.request(click);
                let began = Instant::now();
                let reply = connection.exchange(&request).await?;
                Ok((reply.into(), began.elapsed()))
            }
            Way::LongConnection { platform, app, sent } => {
                *sent += 1;
                let fragments = if sent.is_multiple_of(EVERY_FRAGMENTED) { FRAGMENTS } else { 1 };
                let delivery = Delivery::exact(DeliveryKind::CardAction, click.body.clone());
                let delivery = delivery.fragments(fragments);
                let exchange = platform.send(app, &Door::LongConnection, &delivery).await?;
                ensure!(exchange.verdict.error.is_none(), "{:?}", exchange.verdict);
                Ok((exchange.received.context("no answer")?.to_vec().into(), exchange.elapsed))
            }
        }
    }
}

/// A keep-alive connection: enough of HTTP/1.1 for servers that send the length of their answers.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(LARGEST_ANSWER) })
    }

    /// Sends a request and returns the body of its answer, which must have status 200.
    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await.context("cannot send")?;
        self.received.clear();
        loop {
            let read = self.stream.read_buf(&mut self.received).await.context("cannot read")?;
            ensure!(read > 0, "the server closed a connection that was to be kept");
            if let Some(body) = body_of(&self.received)? {
                return Ok(&self.received[body..]);
            }
            ensure!(self.received.len() < LARGEST_ANSWER, "an endless answer");
        }
    }
}

/// Returns the offset of the body, once it is complete.
fn body_of(received: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&received[..end]).context("the head is not UTF-8")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let body = end + 4;
    ensure!(
        status == Some("200"),
        "not 200: {head}\n\n{}",
        String::from_utf8_lossy(&received[body..])
    );
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .context("an answer that does not say how long it is")?;
    Ok((received.len() >= body + length).then_some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_all_of_it_is_there() -> anyhow::Result<()> {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        for end in 0..answer.len() {
            assert_eq!(body_of(&answer[..end])?, None);
        }
        assert_eq!(body_of(answer)?, Some(answer.len() - 2));
        Ok(())
    }

    #[test]
    fn an_error_is_no_answer() {
        assert!(body_of(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
