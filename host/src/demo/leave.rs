//! A leave request from its form to the decision: the next user clicks on the card that the plugin sent.

use anyhow::Context as _;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use lark_simulator::exchange::Exchange;
use lark_simulator::sample::CardAction;
use serde_json::Value;
use serde_json::json;

use crate::demo::scenario::ScenarioOutcome;
use crate::demo::scenario::shows_toast;
use crate::stage::Recorded;
use crate::stage::Stage;

/// Plugin that has to answer the clicks.
const PLUGIN: &str = "leave_approval";
/// Approver that the plugin's sidecar file names.
const APPROVER: &str = "ou_approver";
const APPLICANT: &str = "ou_ana";

/// Makes four clicks, on both doors in turns.
pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<Vec<ScenarioOutcome>> {
    let form = CardAction {
        value: json!({ "leave": "request" }),
        form_value: Some(json!({ "days": "3" })),
        open_id: APPLICANT.to_owned(),
        ..CardAction::default()
    };
    let sent =
        |exchange: &Exchange| shows_toast(exchange, "Sent") && exchange.verdict.card.is_some();
    let request = click(stage, "ask for a leave", form, Door::LongConnection, sent).await?;

    let value = approve_value(stage)?;
    let on_approve = |by: &str| CardAction {
        value: value.clone(),
        open_id: by.to_owned(),
        ..CardAction::default()
    };
    let refused =
        |exchange: &Exchange| exchange.verdict.toast.is_some() && exchange.verdict.card.is_none();
    let (webhook, stranger) = (stage.webhook(), on_approve(APPLICANT));
    let stranger = click(stage, "a stranger approves it", stranger, webhook, refused).await?;

    let approved = |exchange: &Exchange| shows_toast(exchange, "Request approved");
    let approver = on_approve(APPROVER);
    let mut decision =
        click(stage, "the approver approves it", approver, Door::LongConnection, approved).await?;
    let messages = stage.platform.messages();
    decision.ok &= messages.last().is_some_and(|message| message.receive_id == APPLICANT);

    let (webhook, again) = (stage.webhook(), on_approve(APPROVER));
    let again = click(stage, "and once more", again, webhook, refused).await?;
    Ok(vec![request, stranger, decision, again])
}

async fn click(
    stage: &mut Stage,
    name: &'static str,
    action: CardAction,
    door: Door,
    seen: impl Fn(&Exchange) -> bool,
) -> anyhow::Result<ScenarioOutcome> {
    let (exchange, record) = stage.send(&door, &Delivery::click(action), Recorded::Yes).await?;
    let ok = seen(&exchange);
    Ok(ScenarioOutcome::new(
        name,
        "card.action.trigger",
        &door,
        &exchange,
        record.as_deref(),
        ok,
        Some(PLUGIN),
    ))
}

/// Returns the value of the first button on the card that the approver was sent.
fn approve_value(stage: &Stage) -> anyhow::Result<Value> {
    let messages = stage.platform.messages();
    let sent = messages.iter().rev().find(|message| message.receive_id == APPROVER);
    let card: Value =
        serde_json::from_str(&sent.context("the approver was sent nothing")?.content)?;
    find_value(&card).cloned().context("the card has no button")
}

fn find_value(json: &Value) -> Option<&Value> {
    match json {
        Value::Object(members) => match members.get("value").filter(|value| value.is_object()) {
            Some(value) => Some(value),
            None => members.values().find_map(find_value),
        },
        Value::Array(items) => items.iter().find_map(find_value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
