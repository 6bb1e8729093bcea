//! A page on a local port, asked for by its own name and by a name of a stranger:
//! `cargo run --package guarded-http --example local_page`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use guarded_http::local_page;
use guarded_http::server::Ending;
use guarded_http::server::HttpServer;
use guarded_http::server::Limits;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let server = HttpServer {
        name: "greeting",
        router: local_page::guarded(Router::new().route("/", get(async || "hello"))),
        tls: None,
        limits: Limits::FOR_PEOPLE,
        stop: stop.clone(),
        tasks: TaskTracker::new(),
        ending: Ending::Cut,
    };
    let serving = tokio::spawn(server.serve(listener));
    println!("as localhost: {}", status(address, "localhost").await?);
    println!("as evil.example: {}", status(address, "evil.example").await?);
    stop.cancel();
    serving.await?;
    Ok(())
}

/// The status line of the answer to a request that names `host`.
async fn status(address: SocketAddr, host: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
