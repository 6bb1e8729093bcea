//! HTTP requests of plugins: only to granted addresses, only to where the name really leads, with headers that the plugin never
//! sees, and no longer than its call.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::certificates::TestAuthority;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::web_server::WebServer;
use serde_json::Value;
use serde_json::json;

/// The header value that the host adds and no guest sees.
const SECRET: &str = "http-secret-4Xq9";

fn setup(grants: &Value) -> anyhow::Result<Setup> {
    let sidecar = json!({ "grants": { "http": grants } });
    let app = App::default().webhook_only().guest_with("asks-elsewhere", sidecar)?;
    Ok(Setup::new(app).env("AVIARY_PLUGIN_KEY", SECRET))
}

fn near(url: &str) -> Value {
    json!({ "url": url, "private_addresses": true })
}

/// Clicks and returns the plugin's result, from the answer or from the log.
async fn outcome(running: &Running, value: &Value) -> anyhow::Result<String> {
    let click = sender::click_with("b", value.clone());
    running.deliver(&click).await?;
    let said = [("context", "asked"), ("event_id", sender::event_id(&click))];
    let said = running.host.log().wait_for(events::PLUGIN_LOG, &said).await?;
    Ok(said.text_of("text").to_owned())
}

#[tokio::test]
async fn what_is_granted_is_asked_and_nothing_else() -> anyhow::Result<()> {
    let (server, other) = (WebServer::start().await?, WebServer::start().await?);
    let secret = json!({ "env": "AVIARY_PLUGIN_KEY", "prefix": "Bearer " });
    let mut keyed = near(&server.url("/v1/keyed/"));
    keyed["headers"] = json!({ "Authorization": secret });
    let setup = setup(&json!([near(&server.url("/v1/")), keyed]))?.set("log", "level", "trace");
    let running = setup.start().await?;
    let port = server.port();
    for (request, said) in [
        (json!({ "url": server.url("/v1/x?y=z") }), "status 200, 17 bytes: this is /v1/x?y=z"),
        (json!({ "url": server.url("/v1/keyed/x") }), "status 200, 19 bytes: this is /v1/keyed/x"),
        (
            json!({ "url": server.url("/v1/keyed/y"), "headers": { "AUTHORIZATION": "mine" } }),
            "status 200, 19 bytes: this is /v1/keyed/y",
        ),
        (
            json!({ "url": server.url(&format!("/v1/elsewhere?{}", server.url("/v1/z"))), "follow": true }),
            "status 200, 13 bytes: this is /v1/z",
        ),
        // A server can repeat the added header; it must not be in the log even then.
        (json!({ "url": server.url("/v1/keyed/echo") }), "status 200, 23 bytes: Bearer …"),
        (json!({ "url": server.url("/v2/x") }), "Code(ErrorCode::HttpRequestDenied)"),
        (json!({ "url": server.url("/v1/../v2/x") }), "Code(ErrorCode::HttpRequestUriInvalid)"),
        (json!({ "url": server.url("/v1/..%2fv2/x") }), "Code(ErrorCode::HttpRequestUriInvalid)"),
        (
            json!({ "url": format!("http://127.0.0.1:{port}@{}", other.url("/v1/x")) }),
            "Code(ErrorCode::HttpRequestUriInvalid)",
        ),
        (json!({ "url": other.url("/v1/x") }), "Code(ErrorCode::HttpRequestDenied)"),
        (
            json!({ "url": format!("https://127.0.0.1:{port}/v1/x") }),
            "Code(ErrorCode::HttpRequestDenied)",
        ),
        (
            json!({ "url": format!("http://localhost:{port}/v1/x") }),
            "Code(ErrorCode::HttpRequestDenied)",
        ),
        (
            json!({ "url": server.url(&format!("/v1/elsewhere?{}", other.url("/"))), "follow": true }),
            "Code(ErrorCode::HttpRequestDenied)",
        ),
        (
            json!({ "url": server.url("/v1/x"), "method": "CONNECT" }),
            "Code(ErrorCode::HttpRequestMethodInvalid)",
        ),
        (json!({ "url": server.url("/v1/x"), "headers": { "Host": "a" } }), "Header(\"Host\")"),
    ] {
        let outcome = outcome(&running, &request).await?;
        ensure!(outcome == said, "{request}: {outcome}");
    }
    let asked = server.asked();
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let elsewhere = format!("GET /v1/elsewhere?{}", server.url("/v1/z"));
    ensure!(
        lines[..5]
            == ["GET /v1/x?y=z", "GET /v1/keyed/x", "GET /v1/keyed/y", &elsewhere, "GET /v1/z"]
    );
    ensure!(lines.len() == 7 && lines[6].starts_with("GET /v1/elsewhere?"), "{lines:?}");
    ensure!(other.connections() == 0, "{:?}", other.asked());
    let bearer = format!("Bearer {SECRET}");
    for (index, asked) in asked.iter().enumerate() {
        let added: &[&str] = if matches!(index, 1 | 2 | 5) { &[&bearer] } else { &[] };
        ensure!(asked.all("authorization") == added, "only where it was granted: {asked:?}");
        ensure!(asked.all("host") == [format!("127.0.0.1:{port}")], "{asked:?}");
    }
    let log = running.host.log();
    let reason = "it is not granted: write http = [";
    let refused = [("plugin", "asks-elsewhere"), ("url", &*server.url("/v2/x"))];
    let refused = log.wait_for(events::PLUGIN_REQUEST_REFUSED, &refused).await?;
    ensure!(refused.text_of("reason").starts_with(reason), "{}", refused.text());
    ensure!(!log.text().contains(SECRET), "the secret is in the log");
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused() -> anyhow::Result<()> {
    let server = WebServer::start().await?;
    let port = server.port();
    let names = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"];
    let urls = names.map(|name| format!("http://{name}:{port}/"));
    let running = setup(&json!(urls))?.start().await?;
    for url in &urls {
        let outcome = outcome(&running, &json!({ "url": url })).await?;
        ensure!(outcome == "Code(ErrorCode::DestinationIpProhibited)", "{url}: {outcome}");
    }
    ensure!(server.connections() == 0, "{:?}", server.asked());
    let line = running.host.log().wait_for(events::PLUGIN_REQUEST_REFUSED, &[]).await?;
    ensure!(line.text_of("reason").contains("private_addresses = true"), "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn what_does_not_end_is_ended() -> anyhow::Result<()> {
    let server = WebServer::start().await?;
    // Each request has a limit of its own. One that no limit ends is over with its call, long before the test gives up.
    let setup = setup(&json!([near(&server.url("/"))]))?.set("deadline", "late_ms", 15_000);
    let running = setup.start().await?;
    let many = json!({ "content-length": "2000000" });
    for (request, said) in [
        (json!({ "url": server.url("/endless") }), "response body size exceeds limit"),
        (json!({ "url": server.url("/announced") }), "HttpResponseBodySize(Some(1000000000))"),
        (
            json!({ "url": server.url("/x"), "method": "POST", "body_bytes": 1_000_000 }),
            "status 200",
        ),
        (
            json!({ "url": server.url("/silent"), "method": "POST", "body_bytes": 2_000_000 }),
            "HttpRequestBodySize",
        ),
        (
            json!({ "url": server.url("/x"), "method": "POST", "body_bytes": 2_000_000, "headers": many }),
            "HttpRequestBodySize",
        ),
        (json!({ "url": server.url("/silent"), "patience_ms": 100 }), "HttpResponseTimeout"),
        (json!({ "url": server.url("/halting"), "patience_ms": 100 }), "HTTP response timeout"),
        // One request more than a call may have under way.
        (json!({ "url": server.url("/silent"), "at_once": 9 }), "ConnectionLimitReached"),
        // More requests than one call may send.
        (json!({ "url": "http://a.example.com/", "times": 65 }), "ConnectionLimitReached"),
    ] {
        let outcome = outcome(&running, &request).await?;
        ensure!(outcome.contains(said), "{request}: {outcome}");
    }
    // Endless, announced, the long body, silent, halting, and eight at once: every request ends with its call.
    server.wait_hung_up(13).await
}

#[tokio::test]
async fn a_request_is_over_before_its_call() -> anyhow::Result<()> {
    let server = WebServer::start().await?;
    let setup = setup(&json!([near(&server.url("/"))]))?;
    let setup = setup.set("deadline", "soft_ms", 100).set("deadline", "late_ms", 1000);
    let running = setup.start().await?;
    let silent = sender::click_with("b", json!({ "url": server.url("/silent") }));
    running.deliver(&silent).await?;
    let line = running.host.log().wait_for(events::PLUGIN_REQUEST_FAILED, &[]).await?;
    ensure!(line.text_of("url") == server.url("/silent"), "{}", line.text());
    server.wait_hung_up(1).await
}

#[tokio::test]
async fn over_tls_the_host_s_roots_count() -> anyhow::Result<()> {
    let (trusted, stranger) = (TestAuthority::new()?, TestAuthority::new()?);
    let server = WebServer::over_tls(trusted.server()).await?;
    let other = WebServer::over_tls(stranger.server()).await?;
    let roots = tempfile::NamedTempFile::new()?;
    std::fs::write(roots.path(), trusted.root_pem())?;
    let grants = json!([near(&server.url("/")), near(&other.url("/"))]);
    let roots = roots.path().to_string_lossy().into_owned();
    let running = setup(&grants)?.set("tls", "extra_roots", roots).start().await?;
    let outcome_of = async |url: String| outcome(&running, &json!({ "url": url })).await;
    let said = outcome_of(server.url("/x")).await?;
    ensure!(said == "status 200, 10 bytes: this is /x", "{said}");
    let said = outcome_of(other.url("/x")).await?;
    ensure!(said == "Code(ErrorCode::TlsCertificateError)", "{said}");
    ensure!(other.asked().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_grant_that_makes_no_sense_is_refused_in_words() -> anyhow::Result<()> {
    let url = "https://a.example.com/";
    for (grant, reason) in [
        (json!("a.example.com"), "is no address"),
        (
            json!({ "url": url, "headers": { "x": SECRET } }),
            "a secret must not be written in this file",
        ),
        (
            json!({ "url": url, "headers": { "x": { "env": "AVIARY_APP_SECRET" } } }),
            "only variables",
        ),
        (json!({ "url": url, "headers": { "x": { "file": "../aviary.toml" } } }), "only files"),
        (json!({ "url": url, "headers": { "host": { "env": "AVIARY_PLUGIN_KEY" } } }), "no header"),
    ] {
        let refused = setup(&json!([grant]))?.launch(false).await?;
        let line = refused.host.log().wait_for(events::PLUGIN_REFUSED, &[]).await?;
        ensure!(line.text_of("reason").contains(reason), "{grant}: {}", line.text());
        ensure!(!refused.host.log().text().contains(SECRET), "the secret is in the log");
    }
    // A malformed grant may be a secret that was pasted into the wrong place.
    let sidecar = json!({ "authorization": SECRET });
    let app = App::default().webhook_only().guest_with("asks-elsewhere", sidecar)?;
    let refused = Setup::new(app).launch(false).await?;
    let line = refused.host.log().wait_for(events::PLUGIN_REFUSED, &[]).await?;
    let reason = line.text_of("reason");
    ensure!(reason.contains("line 1: unknown field `authorization`"), "{reason}");
    ensure!(!refused.host.log().text().contains(SECRET), "the secret is in the log");
    Ok(())
}
