//! Sends a message through the platform's API and answers with the result. A button named `elsewhere` requests another path,
//! `twice` sends two messages, `for:` and a tenant's key sends one in that tenant's name, `ask:` sends the requests that follow
//! it, a method and a path on each line, and `must:` crashes unless the results hold the text that follows it.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::open_api;
use aviary_sdk::open_api::ApiRequest;
use aviary_sdk::open_api::Method;
use aviary_sdk::serde_json::json;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let message = json!({ "receive_id": action.operator.open_id, "msg_type": "text", "content": "{\"text\":\"hello\"}" });
    let send =
        ApiRequest::post("/open-apis/im/v1/messages", &message).query("receive_id_type", "open_id");
    let requests = match action.action.name.as_deref() {
        Some("elsewhere") => vec![ApiRequest::get("/open-apis/contact/v3/users")],
        Some("climbing") => {
            vec![ApiRequest::post("/open-apis/im/v1/messages/../../contact/v3/users", &message)]
        }
        Some("twice") => vec![send.clone(), send],
        Some(name) => match (name.strip_prefix("for:"), name.strip_prefix("ask:")) {
            (Some(tenant), _) => vec![send.tenant(tenant)],
            (None, Some(asked)) => asked.split('\n').map(request).collect(),
            (None, None) => vec![send],
        },
        None => vec![send],
    };
    let outcomes = requests.iter().map(|request| match open_api::call(request) {
        Ok(response) => format!("status {} {}", response.status, response.body),
        Err(error) => format!("{error:?}"),
    });
    let outcomes = outcomes.collect::<Vec<_>>().join(" | ");
    if let Some(expected) =
        action.action.name.as_deref().and_then(|name| name.strip_prefix("must:"))
    {
        assert!(outcomes.contains(expected), "{outcomes}");
    }
    Ok(Toast::info(outcomes).into())
}

fn request(line: &str) -> ApiRequest {
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    let method = match method {
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => Method::Get,
    };
    ApiRequest::new(method, path)
}
