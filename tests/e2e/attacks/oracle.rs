//! A stranger who overheard an encrypted callback makes the host decrypt changed copies of it, and learns the plaintext from
//! differences between the answers. With the Verification Token from that text, the stranger then signs like the old protocol.

use std::collections::BTreeSet;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::http::Request;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::sender::Signer;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Keys;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use serde_json::Value;
use serde_json::json;

const BLOCK: usize = 16;

async fn start() -> anyhow::Result<Running> {
    Setup::new(App::default().webhook_only().encrypted().guest("captured-answers")?).start().await
}

fn check(challenge: &str, token: &str) -> String {
    json!({ "challenge": challenge, "token": token, "type": "url_verification" }).to_string()
}

/// Returns everything of an answer that a stranger sees.
fn seen(response: &Response) -> String {
    let headers = response.headers.iter().filter(|(name, _)| name != "date");
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{}\n{}\n\n{}", response.status, headers.join("\n"), response.text())
}

fn wrapped(ciphertext: &[u8]) -> String {
    json!({ "encrypt": BASE64_STANDARD.encode(ciphertext) }).to_string()
}

/// Returns a captured body of the platform, as it was on the wire.
fn overheard() -> anyhow::Result<Vec<u8>> {
    let envelope: Value = serde_json::from_str(&sender::envelope(sender::click("b").to_string()))?;
    Ok(BASE64_STANDARD.decode(envelope["encrypt"].as_str().context("text")?)?)
}

/// Returns bodies that are not valid URL checks, each for another reason.
fn bad_bodies() -> anyhow::Result<Vec<(&'static str, String)>> {
    let genuine = overheard()?;
    let sealed = |plain: &str| sender::envelope(plain);
    let good = check("ajls384kdjx98XX", VERIFICATION_TOKEN);
    let mut last_byte = genuine.clone();
    let at = last_byte.len() - BLOCK - 1;
    last_byte[at] ^= 1;
    let event_1 = json!({ "ts": "1.5", "uuid": "u", "token": VERIFICATION_TOKEN, "type": "event_callback", "event": { "type": "out_approval" } });
    let spliced = {
        let encrypted = Cipher::new(&Secret::new(ENCRYPT_KEY)).encrypt(good.as_bytes(), [9; BLOCK]);
        let mut blocks = BASE64_STANDARD.decode(encrypted)?;
        blocks.splice(2 * BLOCK..2 * BLOCK, genuine[4 * BLOCK..6 * BLOCK].to_vec());
        wrapped(&blocks)
    };
    Ok(vec![
        ("nothing", String::new()),
        ("no JSON", "not json".to_owned()),
        ("half of JSON", "{\"encrypt\":".to_owned()),
        ("another JSON", "[]".to_owned()),
        ("no text", "{\"encrypt\":7}".to_owned()),
        ("bad base64", "{\"encrypt\":\"%%%\"}".to_owned()),
        ("too short", wrapped(&genuine[..BLOCK])),
        ("no whole blocks", wrapped(&genuine[..2 * BLOCK + 3])),
        ("bad padding", wrapped(&last_byte)),
        ("bad padding, short", wrapped(&genuine[..4 * BLOCK])),
        ("good padding, no JSON", sealed("not json")),
        ("good padding, no text", sealed("\u{0}\u{1}")),
        ("good padding, empty", sealed("")),
        ("JSON of another kind", sealed("{}")),
        ("a wrong token", sealed(&check("x", "another token"))),
        ("no token", sealed(r#"{"challenge":"x","type":"url_verification"}"#)),
        ("a challenge that is none", sealed(&check("a \"text\"", VERIFICATION_TOKEN))),
        ("a member too many", sealed(&good.replace('{', r#"{"more":"text","#))),
        ("a member twice", sealed(&good.replace('{', r#"{"challenge":"x","#))),
        ("another type", sealed(&good.replace("url_verification", "event_callback"))),
        ("something beside it", sealed(&good).replace('{', r#"{"a":1,"#)),
        ("blocks of another body in it", spliced),
        ("overheard, without its signature", wrapped(&genuine)),
        ("a click", sealed(&sender::click("b").to_string())),
        ("a plain click", sender::click("b").to_string()),
        ("a plain event 1.0", event_1.to_string()),
        ("an old card", sender::legacy_click("b").to_string()),
        ("a plain check with a wrong token", check("x", "another token")),
        ("a good check that is too long", sealed(&good) + &" ".repeat(2000)),
        ("four megabytes", "x".repeat(4 << 20)),
        ("more than any body may have", "x".repeat((4 << 20) + 1)),
    ])
}

#[tokio::test]
async fn every_bad_unsigned_body_gets_the_same_answer() -> anyhow::Result<()> {
    let running = start().await?;
    let refused = |metrics: &aviary_e2e::metrics::Metrics, label: &[(&str, &str)]| {
        metrics.sum("aviary_rejected_total", label)
    };
    let bodies = bad_bodies()?;
    let mut answers = BTreeSet::new();
    for (what, body) in &bodies {
        let answer = seen(&running.post(sender::plain(body)).await?);
        ensure!(answer.starts_with("401\n"), "{what}: {answer}");
        answers.insert(answer.clone());
        ensure!(answers.len() == 1, "{what} is told apart: {answers:#?}");
    }
    // An incomplete signature counts as none.
    let half = sender::sealed("not json");
    for dropped in ["X-Lark-Request-Timestamp", "X-Lark-Request-Nonce", "X-Lark-Signature"] {
        let mut request = half.clone();
        request.headers.retain(|(name, _)| name != dropped);
        answers.insert(seen(&running.post(request).await?));
    }
    ensure!(answers.len() == 1, "half a signature is told apart: {answers:#?}");

    let count = bodies.len() + 3;
    let lines = running.host.log().wait_for_count(count, events::REJECTED, &[]).await?;
    let said: BTreeSet<_> =
        lines.iter().map(|line| (line.text_of("kind"), line.text_of("reason"))).collect();
    ensure!(said.len() == 1, "{said:#?}");
    let metrics = running.host.metrics().await?;
    let (all, one) =
        (refused(&metrics, &[]), refused(&metrics, &[("reason", "missing_signature")]));
    ensure!(all == one && one == count as f64, "{all} refused, {one} by that label");

    // The console's own check is answered, encrypted and plain; a signed body gets the reason of its refusal.
    for good in
        [sender::envelope(check("Good-1", VERIFICATION_TOKEN)), check("Good-1", VERIFICATION_TOKEN)]
    {
        let response = running.post(sender::plain(good)).await?;
        ensure!(response.json()? == json!({ "challenge": "Good-1" }), "{}", response.text());
    }
    let signed =
        running.post(sender::signed(wrapped(&overheard()?[..BLOCK]), Signer::EncryptKey)).await?;
    ensure!(signed.status == 400, "{} {}", signed.status, signed.text());
    Ok(())
}

/// Tries each of the 256 bytes before a block: for one of them the padding is good.
#[tokio::test]
async fn trying_every_byte_before_a_block_tells_nothing() -> anyhow::Result<()> {
    let running = start().await?;
    let genuine = overheard()?;
    let block = &genuine[3 * BLOCK..4 * BLOCK];
    let tries: Vec<Request> = (0..=u8::MAX)
        .map(|byte| {
            let mut before = [7; BLOCK];
            before[BLOCK - 1] = byte;
            sender::plain(wrapped(&[&[0; BLOCK][..], &before, block].concat()))
        })
        .collect();
    let mut answers = BTreeSet::new();
    for some in tries.chunks(32) {
        for response in join_all(some.iter().map(|request| running.post(request.clone()))).await {
            answers.insert(seen(&response?));
        }
    }
    ensure!(answers.len() == 1, "a stranger learns from {answers:#?}");
    let lines = running.host.log().wait_for_count(256, events::REJECTED, &[]).await?;
    let said: BTreeSet<_> =
        lines.iter().map(|line| (line.text_of("kind"), line.text_of("reason"))).collect();
    ensure!(said.len() == 1, "{said:#?}");
    Ok(())
}

/// A sender with the Verification Token, and without the Encrypt Key, may send old cards and nothing else.
#[tokio::test]
async fn the_old_signature_vouches_for_old_cards_alone() -> anyhow::Result<()> {
    let running = start().await?;
    let event_1 = json!({ "ts": "1.5", "uuid": "u", "token": VERIFICATION_TOKEN, "type": "event_callback", "event": { "type": "out_approval" } });
    let mut both = sender::legacy_click("b");
    both["header"] = sender::click("b")["header"].clone();
    let mut with_event = sender::legacy_click("b");
    with_event["event"] = json!({ "type": "out_approval" });
    with_event["token"] = json!(VERIFICATION_TOKEN);
    let downgraded = [
        sender::click("b").to_string(),
        sender::preview("https://example.com").to_string(),
        sender::event().to_string(),
        event_1.to_string(),
        both.to_string(),
        with_event.to_string(),
        sender::envelope(sender::click("b").to_string()),
        sender::envelope(sender::legacy_click("b").to_string()),
        sender::envelope(check("x", VERIFICATION_TOKEN)),
        sender::envelope("not json"),
        wrapped(&overheard()?[..4 * BLOCK]),
    ];
    for body in &downgraded {
        let response = running.post(sender::signed(body, Signer::VerificationToken)).await?;
        ensure!(response.status == 401, "{body}: {} {}", response.status, response.text());
        ensure!(response.text() == r#"{"msg":"bad signature"}"#, "{body}: {}", response.text());
    }
    let metrics = running.host.metrics().await?;
    ensure!(metrics.sum("aviary_callbacks_total", &[]) == 0.0, "a callback was answered");
    let old = running.deliver(&sender::legacy_click("b")).await?;
    ensure!(old.status == 200, "{} {}", old.status, old.text());
    Ok(())
}

/// Without a token to compare, only a check that decrypts is accepted as the console's.
#[tokio::test]
async fn an_app_without_a_token_answers_an_encrypted_check_alone() -> anyhow::Result<()> {
    let app =
        App::default().webhook_only().with_keys(Keys::EncryptKey).guest("captured-answers")?;
    let running = Setup::new(app).start().await?;
    let plain = running.post(sender::plain(check("x", "any"))).await?;
    ensure!(plain.status == 401, "{} {}", plain.status, plain.text());
    let encrypted = running.post(sender::plain(sender::envelope(check("x", "any")))).await?;
    ensure!(encrypted.json()? == json!({ "challenge": "x" }), "{}", encrypted.text());
    Ok(())
}

#[tokio::test]
async fn a_flood_of_unsigned_bodies_keeps_nothing_out_for_long() -> anyhow::Result<()> {
    let running = start().await?;
    let bad = sender::plain(sender::envelope("not json"));
    let mut answers = BTreeSet::new();
    for _ in 0..10 {
        let (flood, click) = tokio::join!(
            join_all((0..40).map(|_| running.post(bad.clone()))),
            running.post(sender::sealed(sender::click("b").to_string())),
        );
        for response in flood {
            answers.insert(seen(&response?));
        }
        let click = click?;
        ensure!(click.status == 200, "{} {}", click.status, click.text());
    }
    ensure!(answers.len() == 1, "{answers:#?}");
    running.host.log().wait_for(events::UNSIGNED_LIMIT_REACHED, &[]).await?;
    let good = sender::plain(sender::envelope(check("Good-1", VERIFICATION_TOKEN)));
    let is_let_in = async || Ok(running.post(good.clone()).await?.status == 200);
    eventually_is("the console's check is let in", is_let_in).await
}
