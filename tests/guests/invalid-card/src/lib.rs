//! Answers with a good toast and a card that the platform would refuse, or perhaps; the button's name selects the fault.

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;

/// More than the 30 KB a card may have.
const TOO_MUCH: usize = 40 * 1024;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let card = match action.action.name.as_deref() {
        Some("not-json") => "{not json".to_owned(),
        Some("not-an-object") => "[1, 2, 3]".to_owned(),
        Some("too-large") => {
            let text = "x".repeat(TOO_MUCH);
            format!(
                r#"{{"schema":"2.0","body":{{"elements":[{{"tag":"markdown","content":"{text}"}}]}}}}"#
            )
        }
        // The documentation calls the property removed, and cards in use have it.
        Some("doubtful") => {
            r#"{"schema":"2.0","config":{"wide_screen_mode":true},"body":{"elements":[]}}"#
                .to_owned()
        }
        _ => r#"{"schema":"2.0","body":{"elements":[]}}"#.to_owned(),
    };
    Ok(CardReply { toast: Some(Toast::success("kept")), card: Some(Card::Raw(card)) })
}
