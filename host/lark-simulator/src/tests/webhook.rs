//! Deliveries to a webhook, which here is a few lines of server.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::post;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::sha256_signature;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;

use crate::Simulator;
use crate::config::SimulatedApp;
use crate::config::SimulatorConfig;
use crate::delivery::Delivery;
use crate::delivery::DeliveryKind;
use crate::delivery::Door;
use crate::exchange::SendError;
use crate::test_client::APP;
use crate::test_client::SOON;

/// A time longer than a user waits.
const TOO_LONG: Duration = Duration::from_millis(3300);

async fn simulator() -> Simulator {
    let mut app = SimulatedApp::new(APP, Secret::new("secret"));
    app.encrypt_key = Some(Secret::new("key"));
    app.verification_token = Some(Secret::new("verification"));
    Simulator::start(SimulatorConfig::on_loopback(vec![app])).await.unwrap()
}

async fn webhook(router: Router) -> Door {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Door::Webhook { url }
}

/// Answers with the challenge, or with a toast that says what it read.
async fn genuine(headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
    let key = Secret::new("key");
    let signed = sha256_signature(
        text("x-lark-request-timestamp"),
        text("x-lark-request-nonce"),
        &key,
        &body,
    );
    let envelope: Value = serde_json::from_slice(&body).unwrap();
    let plain = Cipher::new(&key).decrypt(envelope["encrypt"].as_str().unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&plain).unwrap();
    if let Some(challenge) = payload.get("challenge") {
        return (StatusCode::OK, json!({"challenge": challenge}).to_string());
    }
    if signed != text("x-lark-signature") {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    let toast = format!("{} {}", payload["header"]["event_type"], payload["header"]["token"]);
    (StatusCode::OK, json!({"toast": {"content": toast}}).to_string())
}

#[tokio::test]
async fn a_callback_arrives_encrypted_and_signed() {
    let simulator = simulator().await;
    let door = webhook(Router::new().route("/callback", post(genuine))).await;
    let click = Delivery::card_action(json!({}));
    let exchange = simulator.send(APP, &door, &click).await.unwrap();
    assert_eq!(exchange.code, Some(200));
    let toast = exchange.verdict.toast.unwrap().text;
    assert_eq!(toast, r#""card.action.trigger" "verification""#);
    let check = simulator.send(APP, &door, &Delivery::challenge()).await.unwrap();
    assert!(check.verdict.acknowledged && check.verdict.error.is_none());
}

#[tokio::test]
async fn what_goes_wrong_is_what_the_user_sees() {
    let simulator = simulator().await;
    let click = Delivery::card_action(json!({}));
    let failing = Router::new().route("/callback", post(StatusCode::INTERNAL_SERVER_ERROR));
    let code = async |door: &Door| {
        simulator.send(APP, door, &click).await.unwrap().verdict.error.map(|error| error.code)
    };
    assert_eq!(code(&webhook(failing).await).await, Some(200_671));
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let nobody = Door::Webhook { url: format!("http://{free}/callback") };
    assert_eq!(code(&nobody).await, Some(200_342));
    let elsewhere = Door::Webhook { url: "http://192.0.2.1/callback".into() };
    let refused = simulator.send(APP, &elsewhere, &click).await.err();
    assert!(matches!(refused, Some(SendError::NotLoopback { .. })));
}

#[tokio::test]
async fn a_late_answer_is_counted() {
    let simulator = simulator().await;
    let slow = async || {
        tokio::time::sleep(TOO_LONG).await;
        "{}"
    };
    let door = webhook(Router::new().route("/callback", post(slow))).await;
    let payload = Delivery::exact(DeliveryKind::Other, "not JSON");
    let exchange = simulator.send(APP, &door, &payload).await.unwrap();
    assert_eq!(exchange.sent, "not JSON");
    assert_eq!(exchange.verdict.error.unwrap().code, 200_341);
    simulator.wait_until(SOON, |simulator| simulator.late_answers() == 1).await.unwrap();
}
