//! The callbacks of the approval center: their own addresses, tokens, keys and deadline, and the forms of their answers.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::command::aviary;
use aviary_e2e::command::journal;
use aviary_e2e::http::Request;
use aviary_e2e::http::Response;
use aviary_e2e::platform::Seen;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::DECISIONS;
use aviary_e2e::setup::OPTIONS;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::approval::Approval;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use lark_simulator::delivery::Encryption;
use serde_json::Value;
use serde_json::json;

/// Has the simulated approval center call, and returns what it makes of the answer.
async fn calls(running: &Running, delivery: &Delivery) -> anyhow::Result<Seen> {
    let path = match delivery.for_approval() {
        Some(Approval::QuickApproval) => DECISIONS,
        _ => OPTIONS,
    };
    let url = format!("http://{}{path}", running.webhook().await?);
    running.platform()?.send_by(&Door::Webhook { url }, delivery).await
}

/// Decides as an approver, with more members in the body.
async fn decides(running: &Running, members: &Value) -> anyhow::Result<Seen> {
    calls(running, &Delivery::approval(Approval::QuickApproval, members)).await
}

async fn asks(running: &Running, members: &Value) -> anyhow::Result<Seen> {
    calls(running, &Delivery::approval(Approval::ExternalOptions, members)).await
}

async fn host(app: App) -> anyhow::Result<Running> {
    Setup::new(app.calls_for_approval().guest("json-handler")?).start().await
}

/// Returns the texts of the options that somebody sees at the form.
fn shown(seen: &Seen) -> &[String] {
    seen.exchange().verdict.options.as_deref().unwrap_or_default()
}

fn options(texts: &Value) -> Value {
    json!({ "code": 0, "msg": "success!", "data": { "result": {
        "options": [{ "id": "1", "value": "@i18n@1" }],
        "i18nResources": [{ "locale": "en_us", "isDefault": true, "texts": texts }],
    } } })
}

#[tokio::test]
async fn a_plugin_answers_in_the_documented_form() -> anyhow::Result<()> {
    let running = host(App::default()).await?;
    let seen = asks(&running, &json!({ "answer": options(&json!({ "@i18n@1": "One" })) })).await?;
    ensure!(shown(&seen) == ["One"], "{seen:?}");
    let seen = decides(&running, &json!({})).await?;
    ensure!(seen.error().is_none(), "{seen:?}");
    let event = &seen.reply()["event"];
    ensure!(event["path"] == DECISIONS && event.get("token").is_none(), "{event}");
    ensure!(event["message_id"] == 7_690_275_278_685_244_603_u64, "{event}");
    Ok(())
}

#[tokio::test]
async fn a_failure_is_told_to_whoever_decides() -> anyhow::Result<()> {
    let running = host(App::default()).await?;
    for (please, words) in [
        ("tell the user", "not like this"),
        ("fail", "操作失败，请稍后重试。 Something went wrong. Please try again later."),
        ("trap", "操作失败，请稍后重试。 Something went wrong. Please try again later."),
    ] {
        let seen = decides(&running, &json!({ "please": please })).await?;
        let error = seen.error().map(|error| error.words.as_str());
        ensure!(error == Some(words) && seen.exchange().code == Some(422), "{please}: {seen:?}");
        let seen = asks(&running, &json!({ "please": please })).await?;
        ensure!(seen.exchange().code == Some(200) && seen.reply()["code"] == 1, "{seen:?}");
    }
    // What the platform could not read is not sent, and what it would show badly is named.
    let seen = asks(&running, &json!({ "answer": { "options": [] } })).await?;
    ensure!(seen.reply()["code"] == 1, "{seen:?}");
    let seen = asks(&running, &json!({ "answer": options(&json!({})) })).await?;
    ensure!(shown(&seen) == [""], "{seen:?}");
    let named = [("outcome", "invalid_reply")];
    let lines = running.host.log().wait_for_count(2, events::CALLBACK, &named).await?;
    ensure!(lines[1].text_of("reason").contains("@i18n@1"), "{}", lines[1].text());
    // Nobody is there for it.
    std::fs::remove_file(running.plugin_file("json-handler.wasm"))?;
    running.host.log().wait_for(events::PLUGIN_REMOVED, &[]).await?;
    ensure!(asks(&running, &json!({})).await?.reply()["code"] == 1);
    ensure!(decides(&running, &json!({})).await?.exchange().code == Some(422));
    Ok(())
}

#[tokio::test]
async fn a_decision_has_more_time_than_options() -> anyhow::Result<()> {
    let running = host(App::default()).await?;
    // The guest sleeps for four seconds.
    let slow = json!({ "please": "sleep" });
    let (decided, asked) = tokio::join!(decides(&running, &slow), asks(&running, &slow));
    ensure!(decided?.error().is_none(), "the platform waits ten seconds");
    let asked = asked?;
    ensure!(asked.reply()["code"] == 1 && asked.exchange().code == Some(200), "{asked:?}");
    running.host.log().wait_for(events::CALLBACK, &[("outcome", "deadline")]).await?;
    Ok(())
}

#[tokio::test]
async fn only_the_token_of_the_address_opens_it() -> anyhow::Result<()> {
    let key = json!({ "key": { "env": "AVIARY_ENCRYPT_KEY" } });
    let app = App::default().encrypted().calls_for_approval_with(&key);
    let running = Setup::new(app.guest("json-handler")?).start().await?;
    let answer = json!({ "answer": options(&json!({ "@i18n@1": "One" })) });
    let seen = asks(&running, &answer).await?;
    ensure!(seen.exchange().verdict.options.is_some(), "the simulator opened it: {seen:?}");
    let decision = Delivery::approval(Approval::QuickApproval, &json!({}));
    ensure!(calls(&running, &decision).await?.error().is_none(), "encrypted");
    let plain = decision.clone().encryption(Encryption::Plain);
    ensure!(calls(&running, &plain).await?.error().is_none(), "a token is a token");

    let post =
        async |path: &str, body: &str| running.post(Request::post(path, body.to_owned())).await;
    let opened = post(
        OPTIONS,
        &json!({ "token": VERIFICATION_TOKEN, "answer": answer["answer"] }).to_string(),
    )
    .await?;
    ensure!(opened.json()?["data"]["result"].is_string(), "{}", opened.text());
    let sealed = decision.encryption(Encryption::WrongKey);
    ensure!(calls(&running, &sealed).await?.exchange().code == Some(401));
    for body in [
        r#"{"token":"wrong"}"#,
        r#"{"user_id":"1"}"#,
        r#"{"encrypt":"AAAA"}"#,
        "[]",
        "text",
        &format!(r#"{{"token":"{VERIFICATION_TOKEN}","token":"{VERIFICATION_TOKEN}"}}"#),
    ] {
        let refused: Response = post(DECISIONS, body).await?;
        ensure!(refused.status == 401 && refused.text().contains("bad token or key"), "{body}");
    }
    // Where other callbacks come, these are nothing, and here other callbacks are nothing.
    ensure!(
        running.deliver(&json!({ "token": VERIFICATION_TOKEN, "user_id": "1" })).await?.status
            != 200
    );
    let click = sender::click("b").to_string();
    ensure!(post(DECISIONS, &click).await?.status == 401);
    Ok(())
}

#[tokio::test]
async fn one_is_written_down_and_played_again() -> anyhow::Result<()> {
    let app = App::default().calls_for_approval().guest("json-handler")?;
    let running = Setup::new(app).set("journal", "path", "journal").start().await?;
    decides(&running, &json!({})).await?;
    let lines = journal(running.folder(), |lines| lines.len() == 1).await?;
    let entry: Value = serde_json::from_str(&lines[0])?;
    ensure!(!lines[0].contains(VERIFICATION_TOKEN), "{}", lines[0]);
    ensure!(entry["callback"]["header"]["event_type"] == "approval.quick_approval", "{entry}");
    let plugin = running.plugin_file("json-handler.wasm").display().to_string();
    let said = aviary(running.folder(), &["replay", &plugin])?;
    ensure!(said.code == Some(0), "{}", said.text());
    let metrics = Request::get("/metrics").send(running.host.admin().await?).await?;
    ensure!(metrics.text().contains("approval.quick_approval"), "{}", metrics.text());
    Ok(())
}

#[tokio::test]
async fn a_file_may_have_the_platform_s_own_form() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(aviary_e2e::artifacts::guest("json-handler")?, path("plugin.wasm"))?;
    let documented = json!({
        "action_type": "APPROVE", "user_id": "b85s39b", "token": "aaaaa",
        "approval_code": "A3895051-9B16-4ABA-B785-AD2986177BB1", "task_id": "step1",
    });
    std::fs::write(path("decision.json"), documented.to_string())?;
    let said = aviary(folder.path(), &["call", "plugin.wasm", "decision.json", "--json"])?;
    let report: Value = serde_json::from_str(&said.stdout)?;
    ensure!(report["event_type"] == "approval.quick_approval", "{report:#}");
    ensure!(report["reply"]["event"]["task_id"] == "step1", "{report:#}");
    ensure!(!said.stdout.contains("aaaaa"), "{report:#}");
    Ok(())
}
