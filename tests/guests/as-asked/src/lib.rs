//! Does what the callback asks for in `do`, exactly as the referees' own handlers do.

use std::time::Duration;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::LegacyReply;
use aviary_sdk::PreviewReply;
use aviary_sdk::Toast;
use aviary_sdk::serde_json::Value;
use aviary_sdk::serde_json::json;

/// The same time as in the referees' handlers.
const SLOW: Duration = Duration::from_millis(1200);

aviary_sdk::export!(
    card_action: click,
    link_preview: |_| Ok(PreviewReply::titled("T")),
    legacy_card: legacy_click,
    event: |event| { act(&asked(&event.body_json()?)); Ok(()) },
);

fn click(action: CardAction) -> Result<CardReply, Failure> {
    let asked = asked(&action.action.value_json().unwrap_or_default());
    act(&asked);
    Ok(match asked.as_str() {
        // The contract cannot express a missing answer; an unchanged card means the same.
        "none" | "empty" => CardReply::unchanged(),
        _ => Toast::success("ok").into(),
    })
}

fn legacy_click(action: CardAction) -> Result<LegacyReply, Failure> {
    let asked = asked(&action.action.value_json().unwrap_or_default());
    act(&asked);
    Ok(match asked.as_str() {
        "none" => LegacyReply::Unchanged,
        "custom" => LegacyReply::custom(418, &json!({ "custom": true })),
        _ => Toast::success("ok").into(),
    })
}

fn asked(value: &Value) -> String {
    value["do"].as_str().unwrap_or_default().to_owned()
}

fn act(asked: &str) {
    match asked {
        "throw" => panic!("as asked"),
        "slow" => std::thread::sleep(SLOW),
        // The referees do not have this one: they have no deadline.
        "spin" => loop {
            std::hint::spin_loop();
        },
        _ => {}
    }
}
