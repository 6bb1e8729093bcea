//! Every folder in `cases/`, through every door that carries its callback.

use std::collections::BTreeMap;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::cases;
use aviary_e2e::cases::Case;
use aviary_e2e::cases::CaseDoor;
use aviary_e2e::cases::CaseSigner;
use aviary_e2e::http::Request;
use aviary_e2e::log::LogLine;
use aviary_e2e::setup::App;
use aviary_e2e::setup::DECISIONS;
use aviary_e2e::setup::OPTIONS;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Seal;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use serde_json::Value;
use serde_json::json;

#[tokio::test]
async fn every_case_has_its_answer() -> anyhow::Result<()> {
    let mut groups: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases::all()? {
        groups.entry(case.plugin.group()).or_default().push(case);
    }
    let mut failures = Vec::new();
    for (group, cases) in groups {
        let plugin = &cases[0].plugin;
        // A host for each door, because an event that comes a second time is not handled again.
        for door in [CaseDoor::Webhook, CaseDoor::LongConnection, CaseDoor::Approval] {
            if !cases.iter().any(|case| case.plugin.doors.contains(&door)) {
                continue;
            }
            // Encrypted and signed at the webhook, plain on the long connection: the plugin must not be able to tell.
            let app = App::default().encrypted().calls_for_approval().component(
                "plugin",
                plugin.component()?,
                plugin.sidecar.clone(),
            );
            let running = Setup::new(app).start().await.with_context(|| group.clone())?;
            for case in cases.iter().filter(|case| case.plugin.doors.contains(&door)) {
                let result = run(&running, case, door).await;
                failures.extend(
                    result.err().map(|error| format!("{} by {door:?}: {error:#}", case.name)),
                );
            }
        }
    }
    ensure!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

/// The answer: a reply, or an acknowledgement without one.
#[derive(Debug)]
struct Answer {
    accepted: bool,
    reply: Option<Value>,
}

async fn run(running: &Running, case: &Case, door: CaseDoor) -> anyhow::Result<()> {
    let lines_before = callback_lines(running).len();
    let answer = match door {
        CaseDoor::Webhook => by_webhook(running, case).await?,
        CaseDoor::LongConnection => by_long_connection(running, case).await?,
        CaseDoor::Approval => by_approval(running, case).await?,
    };
    running.host.log().wait_for_count(lines_before + 1, events::CALLBACK, &[]).await?;
    let lines = callback_lines(running);
    ensure!(
        lines.len() == lines_before + 1,
        "one line for one callback, not {}",
        lines.len() - lines_before
    );
    let line = &lines[lines_before];
    ensure!(line.text_of("outcome") == case.expect.outcome, "the outcome is {}", line.text());
    let door = match door {
        CaseDoor::Webhook | CaseDoor::Approval => "webhook",
        CaseDoor::LongConnection => "long_connection",
    };
    ensure!(line.text_of("door") == door, "{}", line.text());
    check(case, &answer).with_context(|| format!("{answer:?}"))?;
    if let Some(expected) = &case.expect.logged {
        let logged = running.host.log().lines(|line| line.is(events::PLUGIN_LOG, &[]));
        let logged = logged.last().context("the guest logged nothing")?;
        matches(&serde_json::from_str(logged.text_of("text"))?, expected)?;
    }
    Ok(())
}

fn callback_lines(running: &Running) -> Vec<LogLine> {
    running.host.log().lines(|line| line.is(events::CALLBACK, &[]))
}

async fn by_webhook(running: &Running, case: &Case) -> anyhow::Result<Answer> {
    let seal = match case.plugin.signer {
        CaseSigner::EncryptKey => Seal::Encrypted,
        CaseSigner::VerificationToken => Seal::VerificationToken,
    };
    let response = running.deliver_bytes(&case.callback, seal).await?;
    let body = response.json()?;
    let bare = body == json!({ "msg": "success" });
    Ok(Answer { accepted: response.status == 200, reply: (!bare).then_some(body) })
}

async fn by_approval(running: &Running, case: &Case) -> anyhow::Result<Answer> {
    let body: Value = serde_json::from_slice(&case.callback)?;
    let path = if body.get("approval_code").is_some() { DECISIONS } else { OPTIONS };
    let response = running.post(Request::post(path, case.callback.clone())).await?;
    Ok(Answer { accepted: response.status == 200, reply: Some(response.json()?) })
}

async fn by_long_connection(running: &Running, case: &Case) -> anyhow::Result<Answer> {
    let kind = if case.expect.acknowledged { DeliveryKind::Event } else { DeliveryKind::Other };
    let seen = running.platform()?.send(&Delivery::exact(kind, case.callback.clone())).await?;
    let exchange = seen.exchange();
    Ok(Answer {
        accepted: exchange.code == Some(200),
        reply: exchange.received.as_ref().map(|_| seen.reply()),
    })
}

fn check(case: &Case, answer: &Answer) -> anyhow::Result<()> {
    let expect = &case.expect;
    ensure!(answer.accepted, "not accepted");
    if expect.acknowledged {
        ensure!(answer.reply.is_none(), "an event is acknowledged without a reply");
        return Ok(());
    }
    let reply = answer.reply.as_ref().context("a callback is answered with a reply")?;
    if let Some(expected) = &expect.reply {
        ensure!(reply == expected, "the reply is not {expected}");
    }
    if let Some(expected) = &expect.reply_contains {
        matches(reply, expected)?;
    }
    if let Some(saw) = &expect.saw {
        let text = reply
            .pointer(&saw.at)
            .and_then(Value::as_str)
            .with_context(|| format!("no text at {}", saw.at))?;
        matches(&serde_json::from_str(text)?, &saw.fields)?;
    }
    Ok(())
}

fn matches(found: &Value, expected: &Value) -> anyhow::Result<()> {
    cases::contains(found, expected).map_err(anyhow::Error::msg)
}
