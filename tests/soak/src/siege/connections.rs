//! Connections that send nothing, and connections that never read.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;

use aviary_e2e::http::connect_from;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::siege::Target;

/// Time between two silent connections: 250 in a second.
const PACE: Duration = Duration::from_millis(4);
/// Silent connections that are held at once: the webhook's default limit.
const HELD: usize = 1024;
/// Number of addresses that the attack comes from.
const ADDRESSES: usize = 16;
/// The first half of a request's head.
const HALF: &[u8] = b"POST /callback HTTP/1.1\r\nHost: localhost\r\nContent-Le";
/// Connections to each port whose answers nobody reads.
const DEAF: usize = 16;
/// Time that each of them is held, and the limit for sending its requests.
const DEAF_FOR: Duration = Duration::from_secs(3);
/// Pipelined requests, whose answers fill every buffer on the way.
const REQUESTS: usize = 2000;

/// Opens connections faster than they time out, and sends half a request or nothing.
pub(super) async fn silent(target: &Target<'_>) -> anyhow::Result<()> {
    let mut held = VecDeque::new();
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for number in 0_usize.. {
        ticks.tick().await;
        let to = if number.is_multiple_of(4) { target.admin } else { target.webhook };
        target.ledger.attempt("silent connections");
        // If the host accepts no more connections, the next one is tried.
        let Ok(Ok(mut stream)) =
            tokio::time::timeout(PACE * 10, connect_from(address(2, number), to)).await
        else {
            continue;
        };
        if number.is_multiple_of(2) {
            let _ = stream.write_all(HALF).await;
        }
        held.push_back(stream);
        if held.len() > HELD {
            held.pop_front();
        }
    }
    Ok(())
}

/// Sends requests on one connection again and again, and reads none of the answers.
pub(super) async fn never_reading(target: &Target<'_>) -> anyhow::Result<()> {
    let metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(REQUESTS);
    let refused = "POST /callback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
        .repeat(REQUESTS);
    loop {
        let mut held = Vec::new();
        for number in 0..DEAF {
            for (to, requests) in [(target.admin, &metrics), (target.webhook, &refused)] {
                target.ledger.attempt("senders that never read");
                held.push(deaf(number, to, requests));
            }
        }
        futures_util::future::join_all(held).await;
    }
}

async fn deaf(number: usize, to: std::net::SocketAddr, requests: &str) -> Option<TcpStream> {
    let mut stream = connect_from(address(3, number), to).await.ok()?;
    let sending = stream.write_all(requests.as_bytes());
    // The host stops reading if its answers are not read.
    let _ = tokio::time::timeout(DEAF_FOR, sending).await;
    tokio::time::sleep(DEAF_FOR).await;
    Some(stream)
}

/// Returns an address of this machine for an attack: one of `127.0.0.0/8`.
pub(super) fn address(attack: u8, number: usize) -> IpAddr {
    let host = (number % ADDRESSES) as u8 + 1;
    IpAddr::V4(Ipv4Addr::new(127, 0, attack, host))
}
