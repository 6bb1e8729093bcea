//! Shows every answer that the old card protocol (`card.action.trigger_v1`) allows: the button's
//! `value.answer` says which.

use aviary_sdk::serde_json::json;
use aviary_sdk::{Card, CardAction, CardTemplate, Failure, LegacyReply, Toast};

aviary_sdk::export!(legacy_card: on_click);

fn on_click(action: CardAction) -> Result<LegacyReply, Failure> {
    let value = action.action.value_json()?;
    let who = action.operator.open_id.as_str();
    match value["answer"].as_str() {
        Some("unchanged") => Ok(LegacyReply::Unchanged),
        Some("toast") => Ok(Toast::success("Noted").with("zh_cn", "已记录").into()),
        Some("card") => Ok(card(who).into()),
        Some("template") => {
            let template = CardTemplate::new("AAqexample").version("1.0.0");
            Ok(template.variables(&json!({"who": who})).into())
        }
        Some("custom") => {
            Ok(LegacyReply::custom(200, &json!({"toast": {"type": "info", "content": who}})))
        }
        _ => Err(Failure::user("This button asks for an unknown answer")),
    }
}

/// Builds a card of JSON 1.0, which the old protocol requires.
fn card(who: &str) -> Card {
    let card = json!({
        "config": {"wide_screen_mode": true},
        "header": {"template": "green", "title": {"tag": "plain_text", "content": "Done"}},
        "elements": [{"tag": "markdown", "content": format!("by <at id={who}></at>")}],
    });
    Card::Raw(card.to_string())
}
