//! A leave request from end to end. The applicant fills in a form; the approver gets a card whose buttons work for nobody else
//! and only once; the applicant is told the decision, in the tenant that the click came from; and the approver's card then shows
//! it.

use aviary_sdk::card::{Button, ButtonStyle, CardBuilder, CardHeader, HeaderColour};
use aviary_sdk::key_value::Bucket;
use aviary_sdk::message::{Content, Receiver, send};
use aviary_sdk::sealed::{self, Seal};
use aviary_sdk::serde_json::{self, Value, json};
use aviary_sdk::{CardAction, CardReply, Failure, Info, Route, Toast, config, deferred};

aviary_sdk::export!(card_action: on_click, info: describe);

/// Validity of the buttons, longer than an applicant waits for an answer.
const VALID_DAYS: u16 = 14;

fn describe() -> Info {
    Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .route(Route::default().value_at("/leave", "request"))
        .route(Route::default().value_at("/leave", "decide"))
}

fn on_click(action: CardAction) -> Result<CardReply, Failure> {
    let value = action.action.value_json()?;
    if value["leave"] == "decide" { decide(&action, &value) } else { request(&action) }
}

/// Stores the request and asks the approver.
fn request(action: &CardAction) -> Result<CardReply, Failure> {
    let nobody =
        || Failure::user("Nobody is there to approve this. Please tell your administrator.");
    let approver = config::get("approver")?.ok_or_else(nobody)?;
    let form = action.action.form_value_json()?;
    let days = form["days"].as_str().unwrap_or("?");
    let applicant = &action.operator.open_id;

    let bucket = Bucket::open()?;
    let number = bucket.increment("requests", 1)?;
    let request = json!({ "applicant": applicant, "days": days });
    bucket.set(&request_key(number), request.to_string())?;

    let sealed = |decision: &str| {
        let value = json!({ "leave": "decide", "number": number, "decision": decision });
        Seal::for_days(VALID_DAYS).only(&approver).once().value(&value)
    };
    let approve = Button::new("Approve").style(ButtonStyle::Primary).callback(sealed("approved")?);
    let card = CardBuilder::new()
        .header(CardHeader::new("Leave request").colour(HeaderColour::Blue))
        .markdown(format!("<at id={applicant}></at> asks for {days} days"))
        .row([approve, Button::new("Reject").callback(sealed("rejected")?)]);
    send(&Receiver::open_id(approver), &Content::card(card))?;

    let sent = CardBuilder::new().text(format!("Request {number}, {days} days: sent"));
    Ok(CardReply::card(sent)
        .with_toast(Toast::success("Sent").with("en_us", "Sent").with("zh_cn", "已提交")))
}

/// Handles the approver's click. The host has checked the seal, so the user is the approver and this is the first click on this
/// button.
fn decide(action: &CardAction, value: &Value) -> Result<CardReply, Failure> {
    sealed::require()?;
    let number = value["number"].as_u64().unwrap_or_default();
    let decision = value["decision"].as_str().unwrap_or_default();
    let bucket = Bucket::open()?;
    let unknown = || Failure::internal(format!("there is no request {number}"));
    let request = bucket.get_text(&request_key(number))?.ok_or_else(unknown)?;
    let request: Value = serde_json::from_str(&request)?;

    let key = format!("decision/{number}");
    match bucket.get_text(&key)? {
        Some(before) if before != decision => {
            return Ok(Toast::info(format!("This request was {before} already")).into());
        }
        // If the message could not be sent, clicking the same button again sends it.
        Some(_) | None => bucket.set(&key, decision)?,
    }
    let applicant = request["applicant"].as_str().unwrap_or_default();
    let days = request["days"].as_str().unwrap_or_default();
    let told = format!("Your leave of {days} days was {decision}.");
    send(&Receiver::open_id(applicant), &Content::text(told))?;

    let card = |below: &str| {
        let colour = if decision == "approved" { HeaderColour::Green } else { HeaderColour::Red };
        CardBuilder::new()
            .header(CardHeader::new(format!("Leave {decision}")).colour(colour))
            .markdown(format!("<at id={applicant}></at>, {days} days"))
            .markdown(format!("{decision} by <at id={}></at>{below}", action.operator.open_id))
    };
    deferred::update_card(card(", who asked was told"))?;
    Ok(CardReply::card(card("")).with_toast(Toast::success(format!("Request {decision}"))))
}

fn request_key(number: u64) -> String {
    format!("request/{number}")
}
