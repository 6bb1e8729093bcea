//! Answers with JSON that is nested 10,000 deep, where the name of the button says so: `card`, `template`, `json` in the body
//! of a server call. To an old card, its own body is that deep. Every other button gets a toast.

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::CardTemplate;
use aviary_sdk::CustomReply;
use aviary_sdk::Event;
use aviary_sdk::Failure;
use aviary_sdk::LegacyReply;
use aviary_sdk::Toast;
use aviary_sdk::open_api;
use aviary_sdk::open_api::ApiRequest;
use aviary_sdk::serde_json::json;

/// Far more than a parser that recurses can take on a thread's stack.
const DEPTH: usize = 10_000;

aviary_sdk::export!(card_action: click, legacy_card: old_click, event: event);

fn nested() -> String {
    format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH))
}

fn click(action: CardAction) -> Result<CardReply, Failure> {
    let card = |card| Ok(CardReply { toast: Some(Toast::info("kept")), card: Some(card) });
    match action.action.name.as_deref() {
        Some("card") => card(Card::Raw(format!(r#"{{"schema":"2.0","body":{}}}"#, nested()))),
        Some("template") => {
            let variables = format!(r#"{{"deep":{}}}"#, nested());
            let (id, version_name) = ("AAq".to_owned(), None);
            card(Card::Template(CardTemplate { id, version_name, variables: Some(variables) }))
        }
        Some("json") => {
            let mut asking = ApiRequest::post("/open-apis/im/v1/messages", &json!(null));
            asking.body = Some(format!(r#"{{"receive_id":"ou_e2e","content":{}}}"#, nested()));
            Ok(Toast::info(match open_api::call(&asking) {
                Ok(answer) => format!("status {}", answer.status),
                Err(error) => format!("{error:?}"),
            })
            .into())
        }
        _ => Ok(Toast::info("fine").into()),
    }
}

fn old_click(_: CardAction) -> Result<LegacyReply, Failure> {
    let body = format!(r#"{{"deep":{}}}"#, nested());
    Ok(LegacyReply::Custom(CustomReply { status: 200, body }))
}

fn event(_: Event) -> Result<(), Failure> {
    Ok(())
}
