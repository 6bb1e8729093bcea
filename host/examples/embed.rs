//! Embeds Aviary in another server: the webhook beside other routes, the long connection and the plugins in the same process.
//!
//! ```sh
//! cargo run --example embed -- aviary.toml 127.0.0.1:8080
//! ```
//!
//! The configuration file is that of `aviary run`. It needs no `[webhook] listen`: this server mounts the webhook.
#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use aviary::Config;
use aviary::Host;
use aviary::Metrics;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

fn main() -> anyhow::Result<ExitCode> {
    // The host compiles each plugin in a child process, for which it starts this program again.
    if let Some(code) = aviary::run_as_compiler() {
        return Ok(code);
    }
    tokio::runtime::Runtime::new()?.block_on(serve())?;
    Ok(ExitCode::SUCCESS)
}

async fn serve() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().context("usage: embed <aviary.toml> <address>")?;
    let address: SocketAddr =
        arguments.next().context("usage: embed <aviary.toml> <address>")?.parse()?;
    let mut stop = signal(SignalKind::terminate())?;

    let config = Config::load(Path::new(&config))?;
    aviary::telemetry::init(&config.log)?;
    let host = Host::builder(config).metrics(Metrics::Installed).start().await?;

    let mut callbacks = host.observe();
    tokio::spawn(async move {
        while let Ok(callback) = callbacks.recv().await {
            println!("{} was {}", callback.event_type, callback.outcome.as_str());
        }
    });

    let routes =
        Router::new().route("/", get(|| async { "a page of my own" })).merge(host.router());
    let listener = TcpListener::bind(address).await?;
    println!("serving on http://{}", listener.local_addr()?);
    // The peer's address is passed on so that the host can log who sent a rejected request.
    axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            stop.recv().await;
        })
        .await?;
    // The server has stopped by now, so no new callbacks arrive while the host finishes the ones it has begun.
    host.stop().await;
    aviary::telemetry::flush();
    Ok(())
}
