//! The host's own listener for the webhook: limits on the resources of requests, and answers for wrong paths and methods.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use guarded_http::server::Ending;
use guarded_http::server::HttpServer;
use guarded_http::server::Limits;
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::ingress::webhook::WebhookConfig;
use crate::ingress::webhook::respond;
use crate::shutdown::Shutdown;

/// Serves the router until the host stops, then finishes the requests under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: WebhookConfig,
    tls: Option<Arc<ServerConfig>>,
    shutdown: Shutdown,
) {
    let router = router
        .fallback(respond::not_found)
        .method_not_allowed_fallback(respond::method_not_allowed);
    let limits = Limits {
        header_timeout: config.header_timeout(),
        // The router's own limit applies first, and its answer has a text.
        body_timeout: config.body_timeout() + Duration::from_secs(1),
        max_header_bytes: config.max_header_bytes,
        max_connections: config.max_connections,
        max_connections_per_client: config.connections_per_client(),
    };
    let (stop, tasks) = (shutdown.token(), shutdown.tasks());
    let ending = Ending::Finish;
    HttpServer { name: "webhook", router, tls, limits, stop, tasks, ending }.serve(listener).await;
}
