//! A page of somebody else's, on loopback: what the example `http-preview` asks for.

use std::net::Ipv4Addr;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The example's file in the folder.
pub(super) const READER: &str = "http_preview.wasm";
/// Where the page is on its server.
const PATH: &str = "/pages/roadmap";
/// The page, with the title that takes the place of its link.
const PAGE: &str = "<!doctype html><title>Roadmap &amp; release dates</title><p>Soon.";

/// The page, until it is dropped.
pub(super) struct Page {
    url: String,
    serving: JoinHandle<()>,
}

impl Page {
    pub(super) async fn serve() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}{PATH}", listener.local_addr()?);
        let router = Router::new().route(PATH, get(async || Html(PAGE)));
        let serving = tokio::spawn(async move {
            // It ends with the stage; that nobody can connect any more is seen by who asks.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, serving })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What lets the example ask for it.
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

impl Drop for Page {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
