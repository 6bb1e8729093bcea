//! The simulated platform from the outside, over real sockets.

mod long_connection;
mod open_api;
mod webhook;

use serde_json::json;

use super::*;
use crate::test_client::APP;
use crate::test_client::SOON;
use crate::test_client::TestClient;
use crate::test_client::post;
use crate::test_client::simulator;

#[tokio::test]
async fn shutdown_ends_every_task_and_drop_is_enough_for_the_sockets() {
    let stopped = simulator().await;
    let mut client = TestClient::connect(&stopped).await;
    tokio::time::timeout(SOON, stopped.shutdown()).await.unwrap();
    assert!(!matches!(client.next().await, Some(Ok(_))));
    let dropped = simulator().await;
    let mut client = TestClient::connect(&dropped).await;
    drop(dropped);
    assert!(!matches!(client.next().await, Some(Ok(_))));
}

#[tokio::test]
async fn the_control_endpoints_send_and_show() {
    let simulator = simulator().await;
    let mut client = TestClient::connect(&simulator).await;
    let answering = async {
        let (frames, _) = client.next_message().await;
        let data = json!({"toast": {"type": "info", "content": "hi"}});
        client.answer(&frames[0], 200, Some(&data)).await;
    };
    let request = json!({"app_id": APP, "kind": "card_action", "value": {"k": 1}}).to_string();
    let (exchange, ()) = tokio::join!(post(&simulator, "/simulator/send", &request), answering);
    assert_eq!(exchange["sent"]["event"]["action"]["value"], json!({"k": 1}));
    assert_eq!(exchange["verdict"]["toast"], json!({"kind": "info", "text": "hi"}));
    for (request, fragment) in [
        (json!({"app_id": "cli_x", "kind": "challenge"}), "no app"),
        (json!({"app_id": APP, "kind": "event"}), "event_type"),
        (json!({"app_id": APP, "kind": "challenge"}), "long connection"),
        (json!({"app_id": APP, "kind": "challenge", "door": "webhook"}), "`url`"),
        (json!({"app_id": APP, "kind": "other"}), "`payload`"),
        (json!({"app_id": APP, "kind": "card_action", "colour": 1}), "colour"),
    ] {
        let answer = post(&simulator, "/simulator/send", &request.to_string()).await;
        assert!(answer["error"].as_str().unwrap().contains(fragment), "{answer}");
    }
    let url = format!("{}/simulator/state", simulator.domain());
    let state: serde_json::Value =
        open_api::client().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(state["apps"][0]["connected"], 1);
    assert_eq!(state["apps"][0]["counters"]["handshakes"], 1);
    assert!(!state.to_string().contains(test_client::SECRET));
}

#[tokio::test]
async fn one_app_cannot_be_configured_twice() {
    let app = config::SimulatedApp::new(APP, lark_wire::secret::Secret::new("s"));
    let twice = SimulatorConfig::on_loopback(vec![app.clone(), app]);
    let error = Simulator::start(twice).await.err();
    assert!(matches!(error, Some(SimulatorError::DuplicateApp { .. })));
}
