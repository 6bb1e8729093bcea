//! A page of another server, on loopback, which the example `http-preview` requests.

use std::net::Ipv4Addr;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use guarded_http::local_page;
use guarded_http::server::Ending;
use guarded_http::server::HttpServer;
use guarded_http::server::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

/// File name of the example in the plugins folder.
pub(super) const READER: &str = "http_preview.wasm";
/// Path of the page on its server.
const PATH: &str = "/pages/roadmap";
/// The page. Its title takes the place of the link.
const PAGE: &str = "<!doctype html><title>Roadmap &amp; release dates</title><p>Soon.";

/// Server of the page, which stops when this is dropped.
pub(super) struct StagePage {
    url: String,
    _stop: DropGuard,
}

impl StagePage {
    pub(super) async fn serve() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}{PATH}", listener.local_addr()?);
        let router = Router::new().route(PATH, get(async || Html(PAGE)));
        let stop = CancellationToken::new();
        let server = HttpServer {
            name: "a page for a plugin",
            router: local_page::guarded(router),
            tls: None,
            limits: Limits::FOR_PEOPLE,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            ending: Ending::Cut,
        };
        tokio::spawn(server.serve(listener));
        Ok(Self { url, _stop: stop.drop_guard() })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the sidecar file that lets the example request the page.
    pub(super) fn sidecar(&self) -> String {
        let url = &self.url;
        format!(
            r#"
[[route]]
url_pattern = "{url}"

[grants]
http = [{{ url = "{url}", private_addresses = true }}]

[previews]
fresh_secs = 300
"#
        )
    }
}
