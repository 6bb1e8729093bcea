//! Counts events in its bucket; an event can ask it to fail or to take its time, and one with a name is logged as it begins and
//! ends. A click is answered with the number, and so is a link preview, which is counted too.

use std::time::Duration;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Event;
use aviary_sdk::Failure;
use aviary_sdk::PreviewReply;
use aviary_sdk::PreviewRequest;
use aviary_sdk::Toast;
use aviary_sdk::key_value::Bucket;
use aviary_sdk::log;
use aviary_sdk::request;

aviary_sdk::export!(event: count, card_action: tell, link_preview: preview);

fn count(event: Event) -> Result<(), Failure> {
    Bucket::open()?.increment("events", 1)?;
    let body = event.body_json()?;
    let attempt = request::attempt();
    let name = body["name"].as_str();
    if let Some(name) = name {
        log::info(format!("{name} begins, attempt {attempt}"));
    }
    std::thread::sleep(Duration::from_millis(body["sleep_ms"].as_u64().unwrap_or_default()));
    match body["please"].as_str() {
        Some("fail") => return Err(Failure::internal("as asked")),
        Some("fail once") if attempt == 1 => return Err(Failure::internal("as asked, once")),
        Some("fail for good") => return Err(Failure::user("as asked, for good")),
        _ => {}
    }
    if let Some(name) = name {
        log::info(format!("{name} ends"));
    }
    Ok(())
}

fn tell(action: CardAction) -> Result<CardReply, Failure> {
    let bucket = Bucket::open()?;
    // One button counts its clicks, the other only reads the number.
    let number = match action.action.name.as_deref() {
        Some("count") => bucket.increment("clicks", 1)?,
        _ => bucket.increment("events", 0)?,
    };
    let ms = action.action.value_json()?["sleep_ms"].as_u64().unwrap_or_default();
    std::thread::sleep(Duration::from_millis(ms));
    Ok(Toast::info(number.to_string()).into())
}

/// Duration of a preview, long enough for several requests to overlap.
const LOOKING_UP: Duration = Duration::from_millis(200);

fn preview(request: PreviewRequest) -> Result<PreviewReply, Failure> {
    std::thread::sleep(LOOKING_UP);
    let number = Bucket::open()?.increment("previews", 1)?;
    if request.url.contains("fails") {
        return Err(Failure::internal("as asked"));
    }
    Ok(PreviewReply::titled(number.to_string()))
}
