//! Captured traffic of the official SDKs: the host reads the same meaning, answers with the same bytes where the protocol fixes
//! them, and answers better, with the fault named, where the SDKs fail.

use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::vectors;
use aviary_e2e::wire::Wire;
use aviary_e2e::wire::WireConnection;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lark_wire::cipher::Cipher;
use lark_wire::frame::Frame;
use lark_wire::secret::Secret;
use lark_wire::signature::sha1_signature;
use lark_wire::signature::sha256_signature;
use serde_json::Value;
use serde_json::json;

/// Time after which no answer counts as silence; a host that answers at all is faster.
const SILENCE: Duration = Duration::from_millis(700);

#[test]
fn captured_ciphertexts_decrypt() -> anyhow::Result<()> {
    for (vector, plain) in
        [("official_doc_decrypt", "plaintext"), ("aes_256_cbc", "plaintext_utf8")]
    {
        let at = |field: &str| vectors::text(&format!("/crypto/{vector}/{field}"));
        let cipher = Cipher::new(&Secret::new(at("encrypt_key")?));
        ensure!(cipher.decrypt(at("encrypt_b64")?)? == at(plain)?.as_bytes(), "{vector}");
    }
    // The simulator, which plays the platform, produces the captured bytes.
    let at = |field: &str| vectors::text(&format!("/crypto/aes_256_cbc/{field}"));
    let iv = <[u8; 16]>::try_from(hex::decode(at("iv_hex")?)?).ok().context("16 bytes")?;
    let sealed =
        Cipher::new(&Secret::new(at("encrypt_key")?)).encrypt(at("plaintext_utf8")?.as_bytes(), iv);
    ensure!(sealed == at("encrypt_b64")?, "{sealed}");
    Ok(())
}

#[test]
fn damaged_ciphertexts_do_not_decrypt() -> anyhow::Result<()> {
    let cipher = Cipher::new(&Secret::new(vectors::text("/crypto/aes_256_cbc/encrypt_key")?));
    let damaged = vectors::at("/crypto/bad_ciphertexts")?.as_object().context("an object")?;
    ensure!(damaged.len() >= 6, "{damaged:?}");
    for (name, vector) in damaged {
        let sealed = vector["encrypt_b64"].as_str().context("text")?;
        ensure!(cipher.decrypt(sealed).is_err(), "{name} decrypts");
    }
    Ok(())
}

#[test]
fn captured_signatures_are_made() -> anyhow::Result<()> {
    let at = |vector: &str, field: &str| vectors::text(&format!("/signatures/{vector}/{field}"));
    let event = "event_or_new_callback_sha256";
    let (timestamp, nonce) = (at(event, "timestamp")?, at(event, "nonce")?);
    let key = Secret::new(at(event, "encrypt_key")?);
    for vector in [event, "new_callback_plain_body_with_key_configured"] {
        let made = sha256_signature(timestamp, nonce, &key, at(vector, "raw_body")?.as_bytes());
        ensure!(made == at(vector, "X-Lark-Signature")?, "{vector}: {made}");
    }
    let old = "legacy_card_sha1";
    let token = Secret::new(at(old, "verification_token")?);
    let body = at(old, "raw_body")?.as_bytes();
    let made = sha1_signature(at(old, "timestamp")?, at(old, "nonce")?, &token, body);
    ensure!(made == at(old, "X-Lark-Signature")?, "{made}");
    Ok(())
}

#[test]
fn captured_frames_are_read_and_written_byte_for_byte() -> anyhow::Result<()> {
    for pointer in [
        "/frames/ping_client_to_server/hex",
        "/frames/ping_go_computed/hex",
        "/frames/pong_server_to_client/hex",
    ] {
        let bytes = Bytes::from(vectors::bytes(pointer)?);
        ensure!(Frame::parse(bytes.clone())?.to_bytes() == bytes, "{pointer}");
    }
    let frames = vectors::at("/data_frames/py")?.as_object().context("an object")?;
    for (name, vector) in frames {
        for field in ["sent_hex", "response_hex"] {
            let Some(hex) = vector[field].as_str() else { continue };
            let bytes = Bytes::from(hex::decode(hex)?);
            ensure!(Frame::parse(bytes.clone())?.to_bytes() == bytes, "{name} {field}");
        }
    }
    Ok(())
}

async fn connect(app: App) -> anyhow::Result<(Wire, Running, WireConnection)> {
    let mut wire = Wire::start().await?;
    let running = Setup::new(app.long_connection_only()).against(wire.domain()).start().await?;
    let mut connection = wire.connection().await?;
    // The first frame is a ping, which has a test of its own.
    connection.receive().await?;
    Ok((wire, running, connection))
}

#[tokio::test]
async fn the_ping_is_the_captured_one() -> anyhow::Result<()> {
    let mut wire = Wire::start().await?;
    let _running =
        Setup::new(App::default().long_connection_only()).against(wire.domain()).start().await?;
    let ping = wire.connection().await?.receive().await?;
    ensure!(ping == vectors::bytes("/frames/ping_client_to_server/hex")?, "{}", hex::encode(&ping));
    Ok(())
}

#[tokio::test]
async fn discovery_is_asked_as_the_sdks_ask() -> anyhow::Result<()> {
    let mut wire = Wire::start().await?;
    let _running =
        Setup::new(App::default().long_connection_only()).against(wire.domain()).start().await?;
    wire.connection().await?;
    let discoveries = wire.discoveries();
    let (head, body) = discoveries
        .first()
        .and_then(|request| request.split_once("\r\n\r\n"))
        .context("a request")?;
    let captured = vectors::at("/discovery/node")?;
    ensure!(
        head.starts_with(&format!(
            "POST {} HTTP/1.1",
            captured["path"].as_str().context("a path")?
        )),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    for line in ["locale: zh", "content-type: application/json"] {
        ensure!(head.contains(line), "{line} is missing: {head}");
    }
    ensure!(!head.contains("authorization"), "{head}");
    let body: Value = serde_json::from_str(body)?;
    let expected = json!({ "AppID": aviary_e2e::APP_ID, "AppSecret": aviary_e2e::APP_SECRET });
    ensure!(body == expected, "the request has the keys of the captured one: {body}");
    Ok(())
}

/// Sends a captured frame.
async fn send(connection: &mut WireConnection, hex: &Value) -> anyhow::Result<Frame> {
    let bytes = Bytes::from(hex::decode(hex.as_str().context("hex")?)?);
    connection.send(bytes.clone()).await?;
    Ok(Frame::parse(bytes)?)
}

/// Returns the `code` of a reply's payload, and the JSON inside its `data`.
fn payload(frame: &Frame) -> anyhow::Result<(Value, Option<Value>)> {
    let payload: Value = serde_json::from_slice(frame.payload.as_deref().unwrap_or_default())?;
    let data = payload
        .get("data")
        .and_then(Value::as_str)
        .map(|data| STANDARD.decode(data))
        .transpose()?;
    let data = data.map(|data| serde_json::from_slice(&data)).transpose()?;
    Ok((payload["code"].clone(), data))
}

/// Checks that the reply has the captured bytes, except for the value of `biz_rt` and the JSON text of the payload, which must be
/// equal as JSON.
fn is_the_captured_reply(reply: &Bytes, captured: &Value) -> anyhow::Result<()> {
    let captured = Bytes::from(hex::decode(captured.as_str().context("hex")?)?);
    let captured_frame = Frame::parse(captured.clone())?;
    let mut frame = Frame::parse(reply.clone())?;
    ensure!(frame.to_bytes() == *reply, "the reply is written as the SDKs write theirs");
    ensure!(
        payload(&frame)? == payload(&captured_frame)?,
        "{:?} {:?}",
        payload(&frame)?,
        payload(&captured_frame)?
    );
    let took = frame.headers.last().context("headers")?;
    ensure!(took.key == "biz_rt" && took.value.parse::<u64>().is_ok(), "{took:?}");
    frame.payload = captured_frame.payload.clone();
    match captured_frame.headers.last() {
        Some(last) if last.key == "biz_rt" => {
            let index = frame.headers.len() - 1;
            frame.headers[index] = last.clone();
        }
        // One SDK omits this member when it has an error to report.
        _ => {
            frame.headers.pop();
        }
    }
    ensure!(
        frame.to_bytes() == captured,
        "{}\n{}",
        hex::encode(frame.to_bytes()),
        hex::encode(captured)
    );
    Ok(())
}

/// Checks that the reply repeats everything of the request in its order, with `biz_rt` behind it.
fn echoes(reply: &Bytes, request: &Frame) -> anyhow::Result<Frame> {
    let reply = Frame::parse(reply.clone())?;
    let mut expected = request.clone();
    expected.payload.clone_from(&reply.payload);
    let took = reply.headers.last().context("headers")?;
    ensure!(took.key == "biz_rt", "{took:?}");
    expected.headers.push(took.clone());
    ensure!(reply == expected, "{reply:?}\n{expected:?}");
    Ok(reply)
}

#[tokio::test]
async fn captured_callbacks_get_the_captured_replies() -> anyhow::Result<()> {
    let (_wire, _running, mut connection) =
        connect(App::default().guest("captured-answers")?).await?;
    let frames = vectors::at("/data_frames/py")?;
    // Plain frames, ids above 2^53, a duplicate header, a payload that is not JSON.
    for name in [
        "toast/card",
        "toast/preview",
        "toast/event",
        "toast/biglog",
        "toast/dup_header",
        "toast/badjson",
        "toast/alive",
    ] {
        let vector = &frames[name];
        send(&mut connection, &vector["sent_hex"]).await?;
        let reply = connection.receive().await?;
        is_the_captured_reply(&reply, &vector["response_hex"]).with_context(|| name.to_owned())?;
    }
    Ok(())
}

#[tokio::test]
async fn frames_of_unknown_kinds_are_passed_over() -> anyhow::Result<()> {
    let (_wire, running, mut connection) =
        connect(App::default().guest("captured-answers")?).await?;
    let frames = vectors::at("/data_frames/py")?;
    for name in ["toast/unknown_type", "toast/method2"] {
        send(&mut connection, &frames[name]["sent_hex"]).await?;
    }
    // The next answer belongs to the next callback: the earlier ones were not answered.
    let alive = &frames["toast/alive"];
    send(&mut connection, &alive["sent_hex"]).await?;
    is_the_captured_reply(&connection.receive().await?, &alive["response_hex"])?;
    running.host.log().wait_for_count(2, events::REJECTED, &[("door", "long_connection")]).await?;
    Ok(())
}

/// Fault: official SDKs drop these without a word, and the user sees a timeout.
#[tokio::test]
async fn frames_without_every_header_are_answered() -> anyhow::Result<()> {
    let (_wire, _running, mut connection) =
        connect(App::default().guest("captured-answers")?).await?;
    for name in ["toast/no_trace_header", "toast/no_sum_header"] {
        let vector = &vectors::at("/data_frames/py")?[name];
        ensure!(vector["response_hex"].is_null(), "{name} was not answered by the SDK");
        let request = send(&mut connection, &vector["sent_hex"]).await?;
        let reply =
            echoes(&connection.receive().await?, &request).with_context(|| name.to_owned())?;
        ensure!(payload(&reply)?.0 == 200, "{name}");
    }
    Ok(())
}

/// Fault: all four official SDKs drop these, and nothing in their logs explains the timeout that the user sees.
#[tokio::test]
async fn a_card_frame_is_answered_and_explained() -> anyhow::Result<()> {
    let (_wire, running, mut connection) =
        connect(App::default().guest("captured-answers")?).await?;
    let vector = &vectors::at("/data_frames/py")?["toast/cardframe"];
    let request = send(&mut connection, &vector["sent_hex"]).await?;
    let reply = echoes(&connection.receive().await?, &request)?;
    ensure!(payload(&reply)?.0 == 500, "{reply:?}");
    let line =
        running.host.log().wait_for(events::REJECTED, &[("door", "long_connection")]).await?;
    ensure!(
        line.text_of("reason").contains("publish"),
        "the reason says what to do: {}",
        line.text()
    );
    Ok(())
}

/// Fault: code 500 shows the user error 200671, and an acknowledgement without data shows 108002.
#[tokio::test]
async fn a_callback_that_goes_wrong_still_gets_a_reply_the_user_can_read() -> anyhow::Result<()> {
    let nothing = json!({ "settings": { "click": "nothing" } });
    for (name, app, toast) in [
        ("none/card", App::default().guest_with("captured-answers", nothing)?, None),
        ("throw/card", App::default().guest("trap")?, Some("error")),
        ("nohandler/card", App::default(), Some("error")),
    ] {
        let (_wire, _running, mut connection) = connect(app).await?;
        let request =
            send(&mut connection, &vectors::at("/data_frames/py")?[name]["sent_hex"]).await?;
        let reply =
            echoes(&connection.receive().await?, &request).with_context(|| name.to_owned())?;
        let (code, data) = payload(&reply)?;
        ensure!(code == 200, "{name}: {code}");
        let data = data.with_context(|| format!("{name}: a callback's answer always has data"))?;
        ensure!(data.pointer("/toast/type").and_then(Value::as_str) == toast, "{name}: {data}");
    }
    Ok(())
}

/// Sends the captured fragments of that case and collects the replies.
async fn replies(connection: &mut WireConnection, case: &Value) -> anyhow::Result<Vec<Bytes>> {
    for fragment in case["sent"].as_array().context("fragments")? {
        send(connection, fragment).await?;
    }
    let mut replies = Vec::new();
    while let Some(reply) = connection.receive_within(SILENCE).await? {
        replies.push(reply);
    }
    Ok(replies)
}

#[tokio::test]
async fn captured_fragments_get_the_captured_replies() -> anyhow::Result<()> {
    let (_wire, _running, mut connection) =
        connect(App::default().guest("captured-answers")?).await?;
    let cases = vectors::at("/fragments/py")?;
    // `slow_*_gap` is about the SDK's own timer; ours is tested by the host's unit tests.
    for name in ["inorder", "reverse", "seq_out_of_range", "sum1_seq1", "sum0"] {
        let captured = cases[name]["got"].as_array().context("replies")?;
        let found = replies(&mut connection, &cases[name]).await?;
        ensure!(found.len() == captured.len(), "{name}: {} replies", found.len());
        for (reply, captured) in found.iter().zip(captured) {
            is_the_captured_reply(reply, &captured["raw"]).with_context(|| name.to_owned())?;
        }
    }
    Ok(())
}

/// Fault: three official SDKs run the handler again when a fragment of a completed message comes twice.
#[tokio::test]
async fn a_repeated_fragment_runs_nothing_twice() -> anyhow::Result<()> {
    let (_wire, running, mut connection) =
        connect(App::default().guest("captured-answers")?).await?;
    let case = &vectors::at("/fragments/py")?["dup_after_complete"];
    ensure!(case["got"].as_array().is_some_and(|got| got.len() == 2), "the SDK answered twice");
    let found = replies(&mut connection, case).await?;
    ensure!(found.len() == 1, "{} replies", found.len());
    is_the_captured_reply(&found[0], &case["got"][0]["raw"])?;
    let lines = running.host.log().wait_for_count(1, events::CALLBACK, &[]).await?;
    ensure!(lines.len() == 1, "{lines:?}");
    Ok(())
}

/// Fault: one official SDK takes an empty fragment for a missing one and never completes the message.
#[tokio::test]
async fn an_empty_fragment_counts() -> anyhow::Result<()> {
    let (_wire, _running, mut connection) =
        connect(App::default().guest("captured-answers")?).await?;
    let case = &vectors::at("/fragments/py")?["empty_fragment"];
    ensure!(case["got"].as_array().is_some_and(Vec::is_empty), "the SDK did not answer");
    let found = replies(&mut connection, case).await?;
    ensure!(found.len() == 1, "{} replies", found.len());
    ensure!(payload(&Frame::parse(found[0].clone())?)?.0 == 200, "{found:?}");
    Ok(())
}
