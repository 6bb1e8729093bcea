//! Writes one log line for every event that no other plugin claims: its type, its tenant, and the chat
//! it happened in where the body names one.

use aviary_sdk::{Event, Failure, log};

aviary_sdk::export!(event: on_event);

fn on_event(event: Event) -> Result<(), Failure> {
    let body = event.body_json()?;
    // Newer events nest the chat in the message, older ones have it at the top.
    let chat = ["/message/chat_id", "/chat_id", "/open_chat_id"]
        .iter()
        .find_map(|pointer| body.pointer(pointer)?.as_str());
    log::info(format_args!(
        "{} from {} in {}",
        event.header.event_type,
        event.header.tenant_key,
        chat.unwrap_or("no chat"),
    ));
    Ok(())
}
