//! The webhook accepts signed requests, and answers everything else with an error that says why.

use std::time::Duration;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::PATIENCE;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::http::Request;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::sender::Signer;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Seal;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Bytes of a body, far above the limit of 4 MB.
const HUNDRED_MEGABYTES: usize = 100 * 1024 * 1024;

async fn with_token() -> anyhow::Result<Running> {
    Setup::new(App::default().webhook_only().guest("captured-answers")?).start().await
}

async fn with_encrypt_key() -> anyhow::Result<Running> {
    Setup::new(App::default().webhook_only().encrypted().guest("captured-answers")?).start().await
}

/// Checks that a refusal has the right status, a JSON body with a message, a log line and a counter.
async fn is_refused(running: &Running, request: Request, status: u16) -> anyhow::Result<()> {
    let before = running.host.metrics().await?.sum("aviary_rejected_total", &[("door", "webhook")]);
    let response = running.post(request.clone()).await?;
    let what = String::from_utf8_lossy(&request.body).chars().take(120).collect::<String>();
    ensure!(response.status == status, "{what}: {} {}", response.status, response.text());
    ensure!(!response.text_at("/msg").is_empty(), "{what}: no message in {}", response.text());
    for secret in [ENCRYPT_KEY, VERIFICATION_TOKEN] {
        ensure!(!response.text().contains(secret), "{what}: the answer gives away a secret");
    }
    let counted = move |metrics: &aviary_e2e::metrics::Metrics| {
        metrics.sum("aviary_rejected_total", &[("door", "webhook")]) > before
    };
    running.host.wait_for_metrics("the refusal is counted", counted).await?;
    running.host.log().wait_for(events::REJECTED, &[("door", "webhook")]).await?;
    Ok(())
}

fn is_answered(response: &Response) -> anyhow::Result<()> {
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    ensure!(response.toast() == "已处理 ok", "{}", response.text());
    ensure!(
        response.header("content-type") == Some("application/json; charset=utf-8"),
        "{:?}",
        response.headers
    );
    Ok(())
}

#[tokio::test]
async fn a_genuine_callback_is_answered() -> anyhow::Result<()> {
    let body = sender::click("b").to_string();
    let running = with_token().await?;
    is_answered(&running.post(sender::plain(&body)).await?)?;

    let running = Setup::new(App::default().webhook_only().encrypted().guest("captured-answers")?)
        .start()
        .await?;
    is_answered(&running.post(sender::sealed(&body)).await?)?;
    // The console may have a key that the platform signs with and does not encrypt with.
    is_answered(&running.post(sender::signed(&body, Signer::EncryptKey)).await?)
}

#[tokio::test]
async fn header_names_are_matched_in_any_case() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only().encrypted().guest("captured-answers")?)
        .start()
        .await?;
    let mut request = sender::sealed(sender::click("b").to_string());
    for (name, _) in &mut request.headers {
        *name = name.to_lowercase();
    }
    is_answered(&running.post(request).await?)
}

#[tokio::test]
async fn a_signature_is_over_the_bytes_as_they_came() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only().encrypted().guest("captured-answers")?)
        .start()
        .await?;
    // JSON that a serialiser would write differently: spaces, and a slash that is escaped needlessly.
    let envelope =
        sender::envelope(sender::click("b").to_string()).replace(':', " :  ").replace('/', "\\/");
    is_answered(&running.post(sender::signed(envelope, Signer::EncryptKey)).await?)
}

#[tokio::test]
async fn a_forged_callback_is_refused() -> anyhow::Result<()> {
    let running = with_encrypt_key().await?;
    let body = sender::click("b").to_string();
    let mut tampered = sender::sealed(&body);
    tampered.body = [&tampered.body[..], b" "].concat().into();
    let mut shouted = sender::sealed(&body);
    for (name, value) in &mut shouted.headers {
        if name == "X-Lark-Signature" {
            *value = value.to_uppercase();
        }
    }
    let mut replaced_nonce = sender::sealed(&body);
    replaced_nonce.headers.retain(|(name, _)| name != "X-Lark-Request-Nonce");
    let refused = [
        sender::signed(sender::envelope(&body), Signer::Stranger),
        sender::signed(&body, Signer::Stranger),
        tampered,
        shouted,
        replaced_nonce,
        sender::plain(sender::envelope(&body)),
        sender::plain(&body),
        sender::plain(&body).header("X-Lark-Signature", ""),
        // SHA-1 with the token is for old cards; a body with a wrong token inside must not pass by it.
        sender::signed(
            body.replace(VERIFICATION_TOKEN, "another token"),
            Signer::VerificationToken,
        ),
        // The body is not even parsed: the signature is checked first.
        sender::signed("not json", Signer::Stranger),
    ];
    for request in refused {
        is_refused(&running, request, 401).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_an_encrypt_key_the_token_in_the_body_decides() -> anyhow::Result<()> {
    let running = with_token().await?;
    let mut wrong = sender::click("b");
    wrong["header"]["token"] = json!("another token");
    let mut missing = sender::click("b");
    missing["header"]["token"].take();
    for body in [wrong, missing] {
        is_refused(&running, sender::plain(body.to_string()), 401).await?;
    }
    // An encrypted body that this host has no key for.
    is_refused(&running, sender::plain(sender::envelope("{}")), 400).await
}

#[tokio::test]
async fn an_old_card_needs_its_own_signature() -> anyhow::Result<()> {
    let running =
        Setup::new(App::default().webhook_only().encrypted().guest("echo-fields")?).start().await?;
    let body = sender::legacy_click("b");
    let response = running.deliver(&body).await?;
    ensure!(response.status == 200 && response.toast().contains("ou_e2e"), "{}", response.text());

    let mut disguised = body.clone();
    // One official SDK stops checking the signature when it sees this key.
    disguised["schema"] = json!("2.0");
    let body = body.to_string();
    let tampered = sender::signed(&body, Signer::VerificationToken);
    let tampered = Request { body: body.replace("ou_e2e", "ou_boss").into(), ..tampered };
    for request in [
        sender::plain(&body),
        sender::plain(disguised.to_string()),
        tampered,
        sender::signed(&body, Signer::Stranger),
    ] {
        is_refused(&running, request, 401).await?;
    }
    Ok(())
}

#[tokio::test]
async fn bad_input_gets_a_clear_error_and_costs_nobody_else_anything() -> anyhow::Result<()> {
    let running = with_encrypt_key().await?;
    let sealed = |body: &str| sender::sealed(body);
    let broken = [
        sender::signed("", Signer::EncryptKey),
        sender::signed("not json", Signer::EncryptKey),
        sender::signed("{\"encrypt\":", Signer::EncryptKey),
        sender::signed("{\"encrypt\":\"%%%\"}", Signer::EncryptKey),
        sender::signed("{\"encrypt\":7}", Signer::EncryptKey),
        sender::signed("{\"encrypt\":\"AAECAwQFBgcICQoLDA0ODw==\"}", Signer::EncryptKey),
        sender::signed(vec![0xff_u8; 100], Signer::EncryptKey),
        sender::signed("[".repeat(100_000), Signer::EncryptKey),
        sealed("not json"),
        sealed("[]"),
        sealed("null"),
        sealed("{}"),
        sealed(r#"{"schema":"2.0","header":{"event_type":7},"event":{}}"#),
        sealed(
            r#"{"schema":"2.0","header":{"event_type":"card.action.trigger"},"event":{"action":[]}}"#,
        ),
        sealed(r#"{"event":{"no type":1}}"#),
        sealed(r#"{"encrypt":"AAECAwQFBgcICQoLDA0ODw=="}"#),
    ];
    for request in broken {
        is_refused(&running, request, 400).await?;
    }
    // An unknown type is not an error: it is an event that no plugin takes.
    let unknown = running.deliver(&sender::callback("moon.phase.changed_v9", json!({}))).await?;
    ensure!(unknown.status == 200, "{} {}", unknown.status, unknown.text());
    is_answered_by_the_guest(&running).await
}

async fn is_answered_by_the_guest(running: &Running) -> anyhow::Result<()> {
    let response = running.deliver(&sender::click("b")).await?;
    ensure!(
        response.status == 200 && !response.toast().is_empty(),
        "{} {}",
        response.status,
        response.text()
    );
    Ok(())
}

#[tokio::test]
async fn the_wrong_address_and_method_are_refused() -> anyhow::Result<()> {
    let running = with_token().await?;
    let body = sender::click("b").to_string();
    for (request, status) in [
        (Request { path: "/elsewhere".into(), ..sender::plain(&body) }, 404),
        (Request { path: "/".into(), ..sender::plain(&body) }, 404),
        (Request { path: "/callback/more".into(), ..sender::plain(&body) }, 404),
        (Request::get(sender::PATH), 405),
        (Request { method: "PUT", ..sender::plain(&body) }, 405),
    ] {
        let response = running.post(request).await?;
        ensure!(
            response.status == status,
            "{} instead of {status}: {}",
            response.status,
            response.text()
        );
        ensure!(!response.text_at("/msg").is_empty(), "{}", response.text());
    }
    Ok(())
}

#[tokio::test]
async fn a_body_of_100_mb_is_refused_and_others_are_answered_meanwhile() -> anyhow::Result<()> {
    let running = with_token().await?;
    let huge = sender::plain(vec![b'x'; HUNDRED_MEGABYTES]);
    let click = sender::click("b");
    let (refused, answered) = tokio::join!(running.post(huge), running.deliver(&click));
    ensure!(refused?.status == 413, "the host must not read a body of 100 MB");
    is_answered(&answered?)?;

    // The same body without a `Content-Length`.
    let mut stream = TcpStream::connect(running.webhook().await?).await?;
    let head = "POST /callback HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let chunk = [b"100000\r\n", &vec![b'x'; 0x10_0000][..], b"\r\n"].concat();
    let (mut reader, mut writer) = stream.into_split();
    let write = async {
        while writer.write_all(&chunk).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let mut received = Vec::new();
    tokio::select! {
        () = write => {}
        _ = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut received)) => {}
    }
    let response = Response::parse(&received, Duration::ZERO)?;
    ensure!(response.status == 413, "{} {}", response.status, response.text());
    running.host.log().wait_for_count(2, events::REJECTED, &[("door", "webhook")]).await?;
    is_answered(&running.deliver(&sender::click("b")).await?)
}

#[tokio::test]
async fn a_body_that_never_ends_is_refused() -> anyhow::Result<()> {
    let setup = Setup::new(App::default().webhook_only().guest("captured-answers")?);
    let running = setup.set("deadline", "soft_ms", 500).start().await?;
    let mut stream = TcpStream::connect(running.webhook().await?).await?;
    let head =
        "POST /callback HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await?;
    let mut received = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await??;
    let response = Response::parse(&received, Duration::ZERO)?;
    ensure!(response.status == 408, "{} {}", response.status, response.text());
    running.host.log().wait_for(events::REJECTED, &[("door", "webhook")]).await?;
    is_answered(&running.deliver(&sender::click("b")).await?)
}

#[tokio::test]
async fn the_console_s_check_of_the_address_is_answered() -> anyhow::Result<()> {
    let challenge = |text: &str, token: &str| {
        json!({ "challenge": text, "token": token, "type": "url_verification" }).to_string()
    };
    let same = |response: Response, text: &str| -> anyhow::Result<()> {
        ensure!(response.status == 200, "{} {}", response.status, response.text());
        ensure!(response.json()? == json!({ "challenge": text }), "{}", response.text());
        Ok(())
    };
    let running = with_token().await?;
    same(
        running.post(sender::plain(challenge("ajls384kdjx98XX", VERIFICATION_TOKEN))).await?,
        "ajls384kdjx98XX",
    )?;
    // Two official SDKs paste the text between quotes and answer with broken JSON.
    let quoted = "a\"b\\c\n\u{1f600}";
    same(running.post(sender::plain(challenge(quoted, VERIFICATION_TOKEN))).await?, quoted)?;
    is_refused(&running, sender::plain(challenge("x", "another token")), 401).await?;

    // With an Encrypt Key the check comes encrypted, and is not signed.
    let running = with_encrypt_key().await?;
    let unsigned = sender::plain(sender::envelope(challenge("sealed", VERIFICATION_TOKEN)));
    same(running.post(unsigned).await?, "sealed")?;
    same(running.post(sender::sealed(challenge("signed", VERIFICATION_TOKEN))).await?, "signed")?;
    is_refused(&running, sender::plain(sender::envelope(challenge("x", "another token"))), 401)
        .await
}

#[tokio::test]
async fn an_event_is_acknowledged() -> anyhow::Result<()> {
    let running = with_token().await?;
    let v1: Value = json!({
        "ts": "1502199207.7171419", "uuid": "e2e-webhook-v1", "token": VERIFICATION_TOKEN, "type": "event_callback",
        "event": { "type": "out_approval" },
    });
    for body in [sender::event(), v1] {
        let response = running.deliver_bytes(body.to_string(), Seal::Plain).await?;
        ensure!(response.status == 200, "{} {}", response.status, response.text());
        ensure!(response.json()? == json!({ "msg": "success" }), "{}", response.text());
    }
    Ok(())
}

#[tokio::test]
async fn one_connection_carries_many_callbacks() -> anyhow::Result<()> {
    let running = with_token().await?;
    let mut stream = TcpStream::connect(running.webhook().await?).await?;
    for round in 0..3 {
        let body = sender::click("b").to_string();
        let head =
            format!("POST /callback HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await?;
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&received).contains("已处理 ok") {
            let length = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await??;
            ensure!(
                length > 0,
                "the connection ended in round {round}: {}",
                String::from_utf8_lossy(&received)
            );
            received.extend_from_slice(&buffer[..length]);
        }
    }
    Ok(())
}
