//! Holds credentials of its own, sends them in every place where a request may have one, obtains others, uses those, and shows
//! all of them to the user who clicks. The button `fail` makes it fail with them, `log` write them to the log.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::config;
use aviary_sdk::http::Request;
use aviary_sdk::http::Response;
use aviary_sdk::log;
use aviary_sdk::log::Level;
use aviary_sdk::open_api;
use aviary_sdk::open_api::ApiRequest;
use aviary_sdk::serde_json::json;

/// Query of an address: parameters in several spellings, and one in the fragment of another address.
const QUERY: &str = "access_token=s3cr3t-1&apiKey=s3cr3t-2&Password=s3cr3t%2F3&code=s3cr3t-4&page=7\
                     &next=https%3A%2F%2Fa.example%2F";
/// The Base64 form of `ann:s3cr3t-5`.
const BASIC: &str = "Basic YW5uOnMzY3IzdC01";

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let server = config::get("server")?.unwrap_or_default();
    let said = format!(
        "GET {server}?{QUERY} failed: Authorization: {BASIC}, token=s3cr3t-6, use Bearer s3cr3t-7, https://ann:s3cr3t-8@a.example/"
    );
    match action.action.name.as_deref() {
        Some("fail") => return Err(Failure::internal(said)),
        Some("log") => log::write(Level::Warn, "asked", &said),
        _ => {}
    }
    let first = Request::get(format!("{server}login?{QUERY}"))
        .header("Authorization", BASIC)
        .header("X-Api-Key", "s3cr3t-9")
        .header("PRIVATE-TOKEN", "s3cr3t-10")
        .header("cookie", "sid=s3cr3t-11; lang=s3cr3t-12")
        .header("x-said", said.as_str());
    let first = first.send().map_err(|error| Failure::internal(format!("{error:?}")))?;
    let token = first.json()?["accessToken"].as_str().unwrap_or_default().to_owned();
    let cookie =
        first.header("set-cookie").unwrap_or_default().split(';').next().unwrap_or_default();
    // For a page, the answer shows the text and not only the credentials.
    let second = Request::get(format!("{server}page?token={token}"))
        .header("authorization", format!("Bearer {token}"))
        .header("cookie", cookie);
    let second = second.send().as_ref().map_or_else(|error| format!("{error:?}"), Response::text);
    let message = json!({ "receive_id": "ou_e2e", "msg_type": "text", "content": "{}", "client_secret": "s3cr3t-13" });
    let asking = ApiRequest::post("/open-apis/im/v1/messages", &message)
        .query("receive_id_type", "open_id")
        .query("userAccessToken", "s3cr3t-14");
    let third = open_api::call(&asking).map_or(0, |answer| answer.status);
    Ok(Toast::info(format!("{token} {cookie} s3cr3t-9 {} {third} {second}", first.text())).into())
}
