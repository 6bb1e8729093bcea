//! An HTTP/1 server for a program that strangers can reach: it bounds what a connection may use up before anything is
//! believed ([`server`]), and it keeps pages of other sites away from a port on this machine that needs no token
//! ([`local_page`]). What it serves is an [`axum::Router`].
//!
//! ```
//! use axum::Router;
//! use axum::routing::get;
//! use guarded_http::local_page;
//! use guarded_http::server::Ending;
//! use guarded_http::server::HttpServer;
//! use guarded_http::server::Limits;
//! use tokio_util::sync::CancellationToken;
//! use tokio_util::task::TaskTracker;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let stop = CancellationToken::new();
//! let server = HttpServer {
//!     name: "greeting",
//!     router: local_page::guarded(Router::new().route("/", get(async || "hello"))),
//!     tls: None,
//!     limits: Limits::FOR_PEOPLE,
//!     stop: stop.clone(),
//!     tasks: TaskTracker::new(),
//!     ending: Ending::Cut,
//! };
//! # stop.cancel();
//! server.serve(listener).await;
//! # Ok(())
//! # }
//! ```

pub mod server;
pub mod local_page;
