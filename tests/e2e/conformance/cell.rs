//! The rows of the table: a callback and its expected result.

use anyhow::Context as _;
use aviary::telemetry::events;
use aviary_e2e::platform::Seen;
use aviary_e2e::setup::Running;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use lark_simulator::sample;
use serde_json::Value;
use serde_json::json;

/// Text that is cut in two by code that counts bytes, ends early in code that stops at NUL, or counts double in a language whose
/// characters are UTF-16 units.
const TEXT: &str = "a\u{0}b 日志 😀 𠮷 e\u{301} \u{10ffff}";
/// Characters in the large payload.
const MANY: usize = 1 << 20;
/// The largest time that a callback can carry.
const LARGEST_TIME: &str = "18446744073709551615";

/// What the plugin says when it crashes.
const CRASH: &str = "the reason of a crash";

/// Reason for a cell that no command can pass, in any language.
const NO_LEVELS: &str = "a command's log is its standard error, which has no levels";
/// Reason for a cell that a language without a library of time zones cannot pass.
const NO_ZONES: &str = "Rust, C and Zig have no time zones in their libraries, QuickJS and this StarlingMonkey no `Intl`";
/// Reason for a cell that no program of WASI preview 1 can pass.
const NO_STORE: &str = "WASI preview 1, which Go and Zig are compiled for, has nothing of the kind";

/// Doors that a row's callback can come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doors {
    Both,
    WebhookOnly,
}

/// One row of the table.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) doors: Doors,
    /// Builds a new delivery each time, because the host ignores an event that it has seen.
    delivery: fn() -> Delivery,
    reads: Reads,
    pub(crate) expected: String,
    /// Faults of a language's tools, as pairs of language and fault.
    faults: &'static [(&'static str, &'static str)],
}

/// Place where the result is read.
#[derive(Clone, Copy)]
enum Reads {
    /// The reply that the platform received.
    Reply(fn(&Seen) -> String),
    /// The outcome of the call in the log.
    Outcome,
    /// Whether the reason in the log holds this text.
    Reason(&'static str),
    /// Whether a second click gets another toast.
    Difference,
    /// The level and the text of the plugin's log line.
    PluginLog,
}

impl Cell {
    /// Returns the known fault of this row in that language.
    pub(crate) fn fault(&self, language: &str) -> Option<&'static str> {
        self.faults.iter().find(|(of, _)| *of == language).map(|(_, fault)| *fault)
    }

    /// Compares the outcome with the expected one; JSON is compared as JSON.
    pub(crate) fn expects(&self, outcome: &str) -> bool {
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        outcome == self.expected
            || json(outcome).is_some_and(|found| Some(found) == json(&self.expected))
    }

    /// Sends the callback through that door, and returns the outcome.
    pub(crate) async fn play(&self, running: &Running, door: &Door) -> anyhow::Result<String> {
        let delivery = (self.delivery)();
        let seen = running.platform()?.send_by(door, &delivery).await?;
        match self.reads {
            Reads::Reply(read) => return Ok(read(&seen)),
            Reads::Difference => {
                let again = running.platform()?.send_by(door, &(self.delivery)()).await?;
                let (first, second) = (seen.toast(), again.toast());
                let differs = first != second && !first.is_empty() && !second.is_empty();
                return Ok(differs.to_string());
            }
            Reads::Outcome | Reads::Reason(_) | Reads::PluginLog => {}
        }
        let event_id = delivery.event_id().context("it has an event id")?;
        let callback = running.callback_line(&event_id).await?;
        if let Reads::Reason(said) = self.reads {
            let reason = callback.text_of("reason");
            return Ok(if reason.contains(said) { said } else { reason }.to_owned());
        }
        let outcome = callback.text_of("outcome").to_owned();
        if matches!(self.reads, Reads::Outcome) || outcome != "answered" {
            return Ok(outcome);
        }
        let logged =
            running.host.log().wait_for(events::PLUGIN_LOG, &[("event_id", &event_id)]).await?;
        Ok(format!("{}: {}", logged.text_of("level"), logged.text_of("text")))
    }

    fn known(mut self, faults: &'static [(&'static str, &'static str)]) -> Self {
        self.faults = faults;
        self
    }
}

/// Returns all rows, in the order of the table.
pub(crate) fn all() -> Vec<Cell> {
    let toast = json!({
        "type": "warning", "content": "toast", "i18n": { "zh_cn": "提示", "ja_jp": "トースト" },
    });
    let raw = json!({ "schema": "2.0", "body": { "elements": [{ "tag": "markdown", "content": "raw card" }] } });
    let template = json!({
        "template_id": "AAqconformance", "template_version_name": "1.0.0", "template_variable": { "who": "Ann" },
    });
    let preview = json!({ "title": "https://a.example/b", "i18n_title": { "zh_cn": "链接" } });
    vec![
        reply("toast", || click("toast"), |seen| seen.reply()["toast"].to_string(), &toast),
        reply("raw card", || click("raw card"), |seen| card(seen, "raw"), &raw),
        reply("template card", || click("template card"), |seen| card(seen, "template"), &template),
        reply(
            "link preview",
            || Delivery::link_preview("https://a.example/b"),
            |seen| seen.reply()["inline"].to_string(),
            &preview,
        ),
        Cell {
            doors: Doors::WebhookOnly,
            ..says(
                "old card",
                || Delivery::legacy_card(json!({})),
                "ou_3c14f3a59eaf2825dbe25359f15",
            )
        },
        logs(
            "event",
            || Delivery::event("im.message.receive_v1", json!({ "😀": 1 })),
            r#"INFO: {"😀":1}"#,
        ),
        says("form values", form, r#"{"日期":["1","2"],"n":0}"#),
        says("text with NUL, emoji and more", text, TEXT),
        says("integers: 0", || created("0"), "0"),
        says("integers: the largest time", || created(LARGEST_TIME), "18446744073709551").known(&[
            (
                "typescript",
                "componentize-qjs has `u64` as a floating-point number, exact up to 2^53",
            ),
        ]),
        says("1 MB payload", payload, &MANY.to_string()),
        says("failure for the user", || click("failure"), "failure"),
        ends("trap", || click("trap"), "trap")
            .known(&[("go", "a Go program that panics ends itself with a code, which is no trap")]),
        Cell { reads: Reads::Reason(CRASH), ..says("reason of a crash", || click("crash"), CRASH) },
        says("half an emoji", || click("half an emoji"), "cut \u{fffd}"),
        Cell {
            reads: Reads::Difference,
            ..says("random differs between two fresh instances", || click("random"), "true")
        },
        says("time zone", || click("time zone"), "08:00:00").known(&[
            ("rust", NO_ZONES),
            ("typescript", NO_ZONES),
            ("javascript", NO_ZONES),
            ("c", NO_ZONES),
            ("zig", NO_ZONES),
        ]),
        ends("endless loop", || click("endless loop"), "out_of_fuel"),
        ends("oversized allocation", || click("oversized allocation"), "out_of_memory"),
        logs("logging", || click("logging"), "WARN: logged 日志")
            .known(&[("go", NO_LEVELS), ("zig", NO_LEVELS)]),
        logs("printing", || click("print"), "INFO: printed 日志"),
        says("key-value", || click("key-value"), "kept 日志 42")
            .known(&[("go", NO_STORE), ("zig", NO_STORE)]),
        says("settings", || click("settings"), "a setting 😀"),
        reply("remaining time", || click("remaining time"), remaining, &Value::Bool(true)),
    ]
}

fn says(name: &'static str, delivery: fn() -> Delivery, text: &str) -> Cell {
    let read = |seen: &Seen| seen.toast().to_owned();
    let (reads, expected) = (Reads::Reply(read), text.to_owned());
    Cell { name, doors: Doors::Both, delivery, reads, expected, faults: &[] }
}

fn reply(
    name: &'static str,
    delivery: fn() -> Delivery,
    read: fn(&Seen) -> String,
    expected: &Value,
) -> Cell {
    Cell { reads: Reads::Reply(read), ..says(name, delivery, &expected.to_string()) }
}

fn logs(name: &'static str, delivery: fn() -> Delivery, text: &str) -> Cell {
    Cell { reads: Reads::PluginLog, ..says(name, delivery, text) }
}

fn ends(name: &'static str, delivery: fn() -> Delivery, outcome: &str) -> Cell {
    Cell { reads: Reads::Outcome, ..says(name, delivery, outcome) }
}

fn button(name: &str) -> sample::CardAction {
    sample::CardAction { name: Some(name.to_owned()), ..sample::CardAction::default() }
}

pub(crate) fn click(name: &str) -> Delivery {
    Delivery::click(button(name))
}

fn with_text(name: &str, text: &str) -> Delivery {
    Delivery::click(sample::CardAction { value: json!({ "text": text }), ..button(name) })
}

pub(crate) fn fetch(url: &str) -> Delivery {
    Delivery::click(sample::CardAction { value: json!({ "url": url }), ..button("fetch") })
}

fn text() -> Delivery {
    with_text("text", TEXT)
}

fn payload() -> Delivery {
    with_text("1 MB payload", &"x".repeat(MANY))
}

fn form() -> Delivery {
    let form_value = Some(json!({ "日期": ["1", "2"], "n": 0 }));
    Delivery::click(sample::CardAction { form_value, ..button("form values") })
}

fn created(time: &str) -> Delivery {
    let mut payload = sample::card_action(button("integers"));
    payload["header"]["create_time"] = time.into();
    Delivery::json(DeliveryKind::CardAction, payload)
}

fn card(seen: &Seen, kind: &str) -> String {
    let card = &seen.reply()["card"];
    if card["type"] == kind { card["data"].to_string() } else { seen.reply().to_string() }
}

fn remaining(seen: &Seen) -> String {
    // The host itself answers after 2.5 s.
    seen.toast().parse::<u32>().is_ok_and(|ms| (1..=2500).contains(&ms)).to_string()
}
