//! Tests of access tokens, card updates and messages.

use lark_wire::secret::Secret;
use reqwest::Client;
use serde_json::Value;
use serde_json::json;

use crate::Simulator;
use crate::config::SimulatedApp;
use crate::config::SimulatorConfig;
use crate::delivery::CardSchema;
use crate::delivery::Delivery;
use crate::delivery::Door;
use crate::test_client::APP;
use crate::test_client::SECRET;
use crate::test_client::SOON;
use crate::test_client::TestClient;
use crate::test_client::post;
use crate::test_client::simulator;

const UPDATE: &str = "/open-apis/interactive/v1/card/update";
const TOKEN: &str = "/open-apis/auth/v3/tenant_access_token/internal";

/// A client with headers of its own, which the delivering one does not have.
pub(super) fn client() -> Client {
    // Another test may have installed a provider first; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

async fn access_token(simulator: &Simulator, app_id: &str) -> String {
    let body = json!({"app_id": app_id, "app_secret": SECRET}).to_string();
    let answer = post(simulator, TOKEN, &body).await;
    answer["tenant_access_token"].as_str().unwrap().to_owned()
}

async fn api(simulator: &Simulator, bearer: &str, path: &str, body: String) -> Value {
    let request = client().post(format!("{}{path}", simulator.domain())).bearer_auth(bearer);
    let response = request.body(body).send().await.unwrap();
    assert!(response.headers().contains_key("x-tt-logid"));
    response.json().await.unwrap()
}

fn card(schema: CardSchema) -> Value {
    match schema {
        CardSchema::V2 => json!({"schema": "2.0", "body": {"elements": []}}),
        CardSchema::V1 | CardSchema::Unknown => json!({"elements": []}),
    }
}

/// Sends a click that is answered at once, and returns its update token.
async fn answered_click(simulator: &Simulator, client: &mut TestClient) -> String {
    let delivery = Delivery::card_action(json!({})).on_screen(CardSchema::V2);
    let answering = async {
        let (frames, _) = client.next_message().await;
        client.answer(&frames[0], 200, Some(&json!({}))).await;
    };
    let (exchange, ()) =
        tokio::join!(simulator.send(APP, &Door::LongConnection, &delivery), answering);
    assert_eq!(exchange.unwrap().verdict.error, None);
    delivery.update_token().unwrap()
}

#[tokio::test]
async fn access_tokens_are_repeated_checked_and_revoked() {
    let simulator = simulator().await;
    let first = access_token(&simulator, APP).await;
    assert_eq!(access_token(&simulator, APP).await, first);
    let wrong = json!({"app_id": APP, "app_secret": "wrong"}).to_string();
    assert_eq!(post(&simulator, TOKEN, &wrong).await["code"], 10_014);
    assert_eq!(post(&simulator, TOKEN, "{}").await["code"], 10_003);
    assert_eq!(post(&simulator, UPDATE, "{}").await["code"], 99_991_661);
    assert_eq!(api(&simulator, "t-made-up", UPDATE, "{}".into()).await["code"], 99_991_663);
    simulator.revoke_access_tokens(APP).unwrap();
    assert_eq!(api(&simulator, &first, UPDATE, "{}".into()).await["code"], 99_991_663);
    assert_ne!(access_token(&simulator, APP).await, first);
    assert_eq!(simulator.counters(APP).token_requests, 4);
    let records = format!("{:?}", simulator.api_calls());
    assert!(!records.contains(SECRET) && !records.contains(&first));
}

#[tokio::test]
async fn card_updates_get_the_documented_codes() {
    let mut apps = vec![SimulatedApp::new(APP, Secret::new(SECRET))];
    apps.push(SimulatedApp::new("cli_fedcba9876543210", Secret::new(SECRET)));
    let simulator = Simulator::start(SimulatorConfig::on_loopback(apps)).await.unwrap();
    let mut client = TestClient::connect(&simulator).await;
    let bearer = access_token(&simulator, APP).await;
    let token = answered_click(&simulator, &mut client).await;
    let update = |token: &str, card: Value| json!({"token": token, "card": card}).to_string();
    let large = json!({"schema": "2.0", "body": {"elements": ["x".repeat(31 * 1024)]}});
    for (body, code) in [
        ("{".to_owned(), 100_030),
        (json!({"card": {}}).to_string(), 300_020),
        (update("c-unknown", card(CardSchema::V2)), 300_020),
        (update(&token, Value::Null), 11_311),
        (update(&token, card(CardSchema::V1)), 11_311),
        (update(&token, large), 100_000),
        (update(&token, card(CardSchema::V2)), 0),
        (update(&token, json!({"type": "template", "data": {"template_id": "A"}})), 0),
        (update(&token, card(CardSchema::V2)), 300_040),
    ] {
        assert_eq!(api(&simulator, &bearer, UPDATE, body).await["code"], code);
    }
    let other = access_token(&simulator, "cli_fedcba9876543210").await;
    let old = answered_click(&simulator, &mut client).await;
    let body = update(&old, card(CardSchema::V2));
    assert_eq!(api(&simulator, &other, UPDATE, body.clone()).await["code"], 200_310);
    simulator.expire_update_token(&old);
    assert_eq!(api(&simulator, &bearer, UPDATE, body).await["code"], 300_030);
    let accepted = simulator.card_updates().into_iter().filter(|update| update.code == 0).count();
    assert_eq!((simulator.card_updates().len(), accepted), (11, 2));
    assert_eq!(simulator.early_card_updates().len(), 0);
}

#[tokio::test]
async fn an_update_before_the_answer_is_a_violation() {
    let simulator = simulator().await;
    let mut client = TestClient::connect(&simulator).await;
    let bearer = access_token(&simulator, APP).await;
    let delivery = Delivery::card_action(json!({}));
    let token = delivery.update_token().unwrap();
    let update = json!({"token": token, "card": card(CardSchema::V1)}).to_string();
    let answering = async {
        let (frames, _) = client.next_message().await;
        let answer = api(&simulator, &bearer, UPDATE, update.clone()).await;
        assert_eq!(answer["code"], 0, "the platform takes it, and reverts it later");
        // Longer than reading two sockets in the wrong order can explain.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        client.answer(&frames[0], 200, Some(&json!({}))).await;
    };
    let (exchange, ()) =
        tokio::join!(simulator.send(APP, &Door::LongConnection, &delivery), answering);
    assert_eq!(exchange.unwrap().verdict.error, None);
    assert_eq!(api(&simulator, &bearer, UPDATE, update).await["code"], 0);
    simulator.wait_until(SOON, |simulator| simulator.card_updates().len() == 2).await.unwrap();
    let early = simulator.early_card_updates();
    assert_eq!(early.len(), 1);
    assert_eq!(early[0].token, token);
}

#[tokio::test]
async fn messages_are_checked_and_sent_once() {
    let simulator = simulator().await;
    let bearer = access_token(&simulator, APP).await;
    let path = "/open-apis/im/v1/messages?receive_id_type=open_id";
    let body = json!({"receive_id": "ou_1", "msg_type": "text",
        "content": "{\"text\":\"hi\"}", "uuid": "u1"})
    .to_string();
    let first = api(&simulator, &bearer, path, body.clone()).await;
    let second = api(&simulator, &bearer, path, body.clone()).await;
    assert_eq!(first["code"], 0);
    assert_eq!(first["data"]["message_id"], second["data"]["message_id"]);
    let messages = simulator.messages();
    assert_eq!((messages.len(), messages[0].receive_id.as_str()), (1, "ou_1"));
    let no_type = api(&simulator, &bearer, "/open-apis/im/v1/messages", body).await;
    assert_eq!(no_type["code"], 99_992_402);
    let plain = json!({"receive_id": "ou_1", "msg_type": "text", "content": "hi"}).to_string();
    assert_eq!(api(&simulator, &bearer, path, plain).await["code"], 230_001);
    let other = api(&simulator, &bearer, "/open-apis/contact/v3/users", "{}".into()).await;
    assert_eq!(other["code"], 0);
    let calls = simulator.api_calls();
    assert_eq!(calls.last().unwrap().path, "/open-apis/contact/v3/users");
}
