//! Scenarios of one delivery each: what is sent, and what the user must see.

use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use lark_simulator::delivery::Signing;
use lark_simulator::exchange::Exchange;
use serde::Serialize;
use serde_json::json;

use crate::record::CallbackRecord;
use crate::stage::Recorded;
use crate::stage::Stage;

/// One row of the table.
#[derive(Debug, Serialize)]
pub(super) struct ScenarioOutcome {
    pub(super) name: &'static str,
    pub(super) door: &'static str,
    pub(super) callback: &'static str,
    pub(super) plugin: Option<String>,
    pub(super) outcome: String,
    pub(super) ms: f64,
    pub(super) fuel: Option<u64>,
    pub(super) ok: bool,
}

/// One delivery, the doors that it goes through, and the expected result.
struct Scenario {
    name: &'static str,
    callback: &'static str,
    doors: ScenarioDoors,
    recorded: Recorded,
    delivery: fn(&Stage) -> Delivery,
    /// The plugin that must have answered.
    plugin: Option<&'static str>,
    seen: fn(&Exchange) -> bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScenarioDoors {
    Both,
    Webhook,
    LongConnection,
}

/// Every callback type, through every door that carries it, and deliveries that are not callbacks.
const SCENARIOS: [Scenario; 15] = [
    Scenario {
        name: "approve a leave",
        callback: "card.action.trigger",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |_| {
            Delivery::card_action(
                json!({"kind": "leave", "decision": "approve", "applicant": "Ana"}),
            )
        },
        plugin: Some("approval_card"),
        seen: |exchange| shows_toast(exchange, "Approved") && exchange.verdict.card.is_some(),
    },
    Scenario {
        name: "the same, read in Chinese",
        callback: "card.action.trigger",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |_| {
            Delivery::card_action(
                json!({"kind": "leave", "decision": "reject", "applicant": "安娜"}),
            )
            .locale("zh_cn")
        },
        plugin: Some("approval_card"),
        seen: |exchange| shows_toast(exchange, "已拒绝") && exchange.verdict.card.is_some(),
    },
    Scenario {
        name: "in five fragments",
        callback: "card.action.trigger",
        doors: ScenarioDoors::LongConnection,
        recorded: Recorded::Yes,
        delivery: |_| {
            Delivery::card_action(
                json!({"kind": "leave", "decision": "approve", "applicant": "安娜"}),
            )
            .fragments(5)
        },
        plugin: Some("approval_card"),
        seen: |exchange| shows_toast(exchange, "Approved"),
    },
    Scenario {
        name: "a link to an issue",
        callback: "url.preview.get",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::link_preview("https://issues.example.com/browse/ABC-123"),
        plugin: Some("issue_preview"),
        seen: |exchange| {
            exchange.verdict.preview_title.as_deref().is_some_and(|title| title.contains("ABC-123"))
        },
    },
    Scenario {
        name: "a link to a page, then from memory",
        callback: "url.preview.get",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |stage| Delivery::link_preview(stage.page().unwrap_or_default()),
        plugin: Some("http_preview"),
        seen: |exchange| {
            exchange.verdict.preview_title.as_deref() == Some("Roadmap & release dates")
        },
    },
    Scenario {
        name: "old card: toast",
        callback: "card.action.trigger_v1",
        doors: ScenarioDoors::Webhook,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::legacy_card(json!({"answer": "toast"})),
        plugin: Some("legacy_card"),
        seen: |exchange| shows_toast(exchange, "Noted"),
    },
    Scenario {
        name: "old card: new card",
        callback: "card.action.trigger_v1",
        doors: ScenarioDoors::Webhook,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::legacy_card(json!({"answer": "card"})),
        plugin: Some("legacy_card"),
        seen: |exchange| exchange.verdict.card.as_ref().is_some_and(|card| card["type"] == "raw"),
    },
    Scenario {
        name: "old card: template",
        callback: "card.action.trigger_v1",
        doors: ScenarioDoors::Webhook,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::legacy_card(json!({"answer": "template"})),
        plugin: Some("legacy_card"),
        seen: |exchange| {
            exchange.verdict.card.as_ref().is_some_and(|card| card["type"] == "template")
        },
    },
    Scenario {
        name: "old card: custom body",
        callback: "card.action.trigger_v1",
        doors: ScenarioDoors::Webhook,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::legacy_card(json!({"answer": "custom"})),
        plugin: Some("legacy_card"),
        seen: |exchange| exchange.verdict.toast.is_some() && exchange.verdict.error.is_none(),
    },
    Scenario {
        name: "an event, schema 2.0",
        callback: "im.message.receive_v1",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |_| {
            Delivery::event("im.message.receive_v1", json!({"message": {"message_type": "text"}}))
        },
        plugin: Some("event_logger"),
        seen: |exchange| exchange.verdict.acknowledged,
    },
    Scenario {
        name: "an event, schema 1.0",
        callback: "out_approval",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::event_v1("out_approval", json!({"instance_code": "x"})),
        plugin: Some("event_logger"),
        seen: |exchange| exchange.verdict.acknowledged,
    },
    Scenario {
        name: "a type the contract does not know",
        callback: "profile.view.get",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::profile_view(),
        plugin: Some("profile_card"),
        seen: |exchange| exchange.verdict.error.is_none() && exchange.received.is_some(),
    },
    Scenario {
        name: "a button that nobody handles",
        callback: "card.action.trigger",
        doors: ScenarioDoors::Both,
        recorded: Recorded::Yes,
        delivery: |_| Delivery::card_action(json!({"kind": "unheard-of"})),
        plugin: None,
        seen: |exchange| exchange.verdict.toast.is_some() && exchange.verdict.error.is_none(),
    },
    Scenario {
        name: "the console checks the URL",
        callback: "url_verification",
        doors: ScenarioDoors::Webhook,
        recorded: Recorded::No,
        delivery: |_| Delivery::challenge(),
        plugin: None,
        seen: |exchange| exchange.verdict.acknowledged && exchange.verdict.error.is_none(),
    },
    Scenario {
        name: "a forged click",
        callback: "card.action.trigger",
        doors: ScenarioDoors::Webhook,
        recorded: Recorded::No,
        delivery: |_| {
            Delivery::card_action(json!({"kind": "leave", "decision": "approve"}))
                .signing(Signing::WrongKey)
        },
        plugin: None,
        seen: |exchange| exchange.code == Some(401),
    },
];

/// Plays all scenarios, in order.
pub(super) async fn play_all(stage: &mut Stage) -> anyhow::Result<Vec<ScenarioOutcome>> {
    let mut outcomes = Vec::new();
    for scenario in &SCENARIOS {
        if scenario.doors != ScenarioDoors::LongConnection {
            let door = stage.webhook();
            outcomes.push(play(stage, scenario, &door).await?);
        }
        if scenario.doors != ScenarioDoors::Webhook {
            outcomes.push(play(stage, scenario, &Door::LongConnection).await?);
        }
    }
    Ok(outcomes)
}

async fn play(
    stage: &mut Stage,
    scenario: &Scenario,
    door: &Door,
) -> anyhow::Result<ScenarioOutcome> {
    let delivery = (scenario.delivery)(stage);
    let (exchange, record) = stage.send(door, &delivery, scenario.recorded).await?;
    let Scenario { name, callback, plugin, .. } = *scenario;
    let ok = (scenario.seen)(&exchange);
    Ok(ScenarioOutcome::new(name, callback, door, &exchange, record.as_deref(), ok, plugin))
}

impl ScenarioOutcome {
    /// `ok` says whether the user saw the right thing; it must have come from `plugin`.
    pub(super) fn new(
        name: &'static str,
        callback: &'static str,
        door: &Door,
        exchange: &Exchange,
        record: Option<&CallbackRecord>,
        ok: bool,
        plugin: Option<&str>,
    ) -> Self {
        let asked = record.and_then(|record| record.plugin.as_ref());
        let asked = asked.map(|plugin| plugin.name.to_string());
        Self {
            name,
            door: match door {
                Door::Webhook { .. } => "webhook",
                Door::LongConnection => "long_connection",
            },
            callback,
            ok: ok && asked.as_deref() == plugin,
            plugin: asked,
            outcome: exchange.in_words(),
            ms: exchange.elapsed.as_secs_f64() * 1000.0,
            fuel: record.and_then(|record| record.fuel),
        }
    }
}

pub(super) fn shows_toast(exchange: &Exchange, text: &str) -> bool {
    exchange.verdict.toast.as_ref().is_some_and(|toast| toast.text == text)
}
