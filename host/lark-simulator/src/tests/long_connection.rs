//! Tests of discovery, handshake, pings, callbacks and faults.

use bytes::Bytes;
use serde_json::json;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;

use crate::config::ClientConfig;
use crate::connections::MAX_CONNECTIONS;
use crate::delivery::Delivery;
use crate::delivery::Door;
use crate::delivery::FragmentOrder;
use crate::exchange::SendError;
use crate::script::DiscoveryScript;
use crate::script::FRESH_TICKET;
use crate::script::FRESH_URL;
use crate::script::HandshakeRefusal;
use crate::script::HandshakeScript;
use crate::script::OWN_ADDRESS;
use crate::script::PongScript;
use crate::test_client::APP;
use crate::test_client::SECRET;
use crate::test_client::SOON;
use crate::test_client::TestClient;
use crate::test_client::discover;
use crate::test_client::simulator;

fn click() -> Delivery {
    Delivery::card_action(json!({"文": "按钮"}))
}

#[tokio::test]
async fn discovery_hands_out_a_url_and_the_whole_configuration() {
    let simulator = simulator().await;
    let answer = discover(&simulator, SECRET).await;
    assert_eq!(answer["code"], 0);
    let expected = json!({"ReconnectCount": -1, "ReconnectInterval": 120,
        "ReconnectNonce": 30, "PingInterval": 120});
    assert_eq!(answer["data"]["ClientConfig"], expected);
    let query = answer["data"]["URL"].as_str().unwrap().split_once('?').unwrap().1;
    assert!(query.starts_with("fpid=") && query.contains("&service_id="), "{query}");
    assert_eq!(simulator.counters(APP).discoveries, 1);
}

#[tokio::test]
async fn discovery_refuses_wrong_secrets_and_follows_its_script() {
    let simulator = simulator().await;
    let wrong = discover(&simulator, "wrong").await;
    assert_eq!((&wrong["code"], &wrong["data"]), (&json!(1_000_040_345), &json!({})));
    let busy = DiscoveryScript::Refuse { code: 1, msg: "busy".into() };
    simulator.set_discovery(APP, busy).unwrap();
    let refused = discover(&simulator, SECRET).await;
    assert_eq!((&refused["code"], refused.get("data")), (&json!(1), None));
    simulator.set_discovery(APP, DiscoveryScript::status(503)).unwrap();
    assert_eq!(discover(&simulator, SECRET).await["code"], 503);
    simulator.set_discovery(APP, DiscoveryScript::Normal).unwrap();
    assert_eq!(discover(&simulator, SECRET).await["code"], 0);
    let unknown = simulator.set_discovery("cli_x", DiscoveryScript::Normal);
    assert_eq!(unknown, Err(SendError::UnknownApp { id: "cli_x".into() }));
}

/// `Handshake-Status` and `Handshake-Autherrcode` of a refused handshake.
async fn refusal(url: &str) -> (Option<String>, Option<String>) {
    let Err(tungstenite::Error::Http(response)) = TestClient::handshake(url).await else {
        panic!("the handshake should have been refused");
    };
    let header = |name| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
    (header("handshake-status"), header("handshake-autherrcode"))
}

#[tokio::test]
async fn a_ticket_opens_one_connection() {
    let simulator = simulator().await;
    let answer = discover(&simulator, SECRET).await;
    let url = answer["data"]["URL"].as_str().unwrap();
    let _client = TestClient::handshake(url).await.unwrap();
    let (status, code) = refusal(url).await;
    assert_eq!((status.as_deref(), code.as_deref()), (Some("514"), Some("1000040344")));
    assert_eq!(simulator.connected(APP), 1);
    assert_eq!(simulator.counters(APP).handshakes, 2);
}

#[tokio::test]
async fn the_handshake_follows_its_script() {
    let simulator = simulator().await;
    let many = HandshakeRefusal::too_many_connections();
    for (script, status, code) in [
        (many, Some("514"), Some("1000040350")),
        (HandshakeRefusal::forbidden(), Some("403"), None),
        (HandshakeRefusal::bare(502), None, None),
    ] {
        simulator.set_handshake(APP, HandshakeScript::Refuse(script)).unwrap();
        let answer = discover(&simulator, SECRET).await;
        let seen = refusal(answer["data"]["URL"].as_str().unwrap()).await;
        assert_eq!((seen.0.as_deref(), seen.1.as_deref()), (status, code));
    }
    assert_eq!(simulator.connected(APP), 0);
}

#[tokio::test]
async fn a_scripted_discovery_can_hand_out_urls_that_work() {
    let simulator = simulator().await;
    let own = format!("ws://{OWN_ADDRESS}/ws/v2?service_id=9&ticket={FRESH_TICKET}");
    for url in [FRESH_URL, &own] {
        let body = json!({"code": 0, "data": {"URL": url}}).to_string();
        simulator.set_discovery(APP, DiscoveryScript::Reply { status: 200, body }).unwrap();
        let answer = discover(&simulator, SECRET).await;
        assert!(TestClient::handshake(answer["data"]["URL"].as_str().unwrap()).await.is_ok());
    }
    assert_eq!(simulator.counters(APP).handshakes, 2);
}

#[tokio::test]
async fn a_pong_carries_what_its_script_says() {
    let simulator = simulator().await;
    let mut client = TestClient::connect(&simulator).await;
    for payload in ["", "{}"] {
        simulator.set_pong(APP, PongScript::Payload(payload.into())).unwrap();
        assert_eq!(client.ping().await.payload.as_deref(), Some(payload.as_bytes()));
    }
}

#[tokio::test]
async fn fifty_connections_are_the_limit() {
    let simulator = simulator().await;
    let mut clients = Vec::new();
    let spare = discover(&simulator, SECRET).await;
    for _ in 0..MAX_CONNECTIONS {
        clients.push(TestClient::connect(&simulator).await);
    }
    assert_eq!(discover(&simulator, SECRET).await["code"], 1_000_040_350);
    let (_, code) = refusal(spare["data"]["URL"].as_str().unwrap()).await;
    assert_eq!(code.as_deref(), Some("1000040350"));
    drop(clients);
    simulator.wait_until(SOON, |simulator| simulator.connected(APP) == 0).await.unwrap();
    TestClient::connect(&simulator).await;
}

#[tokio::test]
async fn pings_are_answered_with_the_configuration_of_the_moment() {
    let simulator = simulator().await;
    let mut client = TestClient::connect(&simulator).await;
    client.ping().await;
    let config = ClientConfig { ping_interval: 7, ..ClientConfig::default() };
    simulator.set_client_config(APP, config).unwrap();
    let pong = client.ping().await;
    assert_eq!(pong.header("type"), Some("pong"));
    let payload: serde_json::Value = serde_json::from_slice(&pong.payload.unwrap()).unwrap();
    assert_eq!((&payload["PingInterval"], &payload["ReconnectNonce"]), (&json!(7), &json!(30)));
    assert_eq!(simulator.counters(APP).pings, 2);
    let captured = "0800100018f681801020002a0c0a0474797065120470696e67";
    assert_eq!(simulator.last_ping(APP).map(hex::encode).as_deref(), Some(captured));
    client.send(Message::Ping(Bytes::from_static(b"keep"))).await;
    assert!(matches!(client.next().await, Some(Ok(Message::Pong(echo))) if echo == "keep"));
}

#[tokio::test]
async fn a_fragmented_callback_is_joined_answered_and_judged() {
    let simulator = simulator().await;
    let mut client = TestClient::connect(&simulator).await;
    let orders = [FragmentOrder::InOrder, FragmentOrder::Reversed, FragmentOrder::Shuffled];
    for order in orders {
        let delivery = click().fragments(9).order(order).locale("zh_cn");
        let sending = simulator.send(APP, &Door::LongConnection, &delivery);
        let answering = async {
            let (frames, payload) = client.next_message().await;
            let toast = json!({"toast": {"content": "ok", "i18n": {"zh_cn": "好"}}});
            client.answer(frames.last().unwrap(), 200, Some(&toast)).await;
            (frames, payload)
        };
        let (exchange, (frames, payload)) = tokio::join!(sending, answering);
        let exchange = exchange.unwrap();
        assert_eq!(exchange.sent, payload);
        assert_eq!(exchange.sent_frames, frames);
        assert_eq!((exchange.code, exchange.verdict.error), (Some(200), None));
        assert_eq!(exchange.verdict.toast.unwrap().text, "好");
        let reply = exchange.reply_frame.unwrap();
        assert_eq!(reply.seq_id, frames.last().unwrap().seq_id);
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["header"]["app_id"], APP);
        assert_eq!(payload["event"]["token"].as_str(), delivery.update_token().as_deref());
    }
}

#[tokio::test]
async fn users_see_errors_and_events_are_acknowledged() {
    let simulator = simulator().await;
    let offline = simulator.send(APP, &Door::LongConnection, &click()).await.unwrap();
    assert_eq!(offline.verdict.error.unwrap().code, 200_340);
    let legacy = Delivery::legacy_card(json!({}));
    let refused = simulator.send(APP, &Door::LongConnection, &legacy).await;
    assert_eq!(refused.err(), Some(SendError::WebhookOnly));
    let mut client = TestClient::connect(&simulator).await;
    let event = Delivery::event("im.message.receive_v1", json!({"text": "hi"}));
    for (delivery, code, seen) in [
        (click(), 500, Some(200_671)),
        (click(), 200, Some(108_002)),
        (event.clone(), 200, None),
        (event, 500, None),
    ] {
        let answering = async {
            let (frames, _) = client.next_message().await;
            client.answer(&frames[0], code, None).await;
        };
        let sending = simulator.send(APP, &Door::LongConnection, &delivery);
        let (exchange, ()) = tokio::join!(sending, answering);
        let verdict = exchange.unwrap().verdict;
        assert_eq!(verdict.error.map(|error| error.code), seen);
        assert_eq!(verdict.acknowledged, code == 200);
    }
}

#[tokio::test]
async fn late_second_and_stray_answers_are_counted() {
    let simulator = simulator().await;
    let mut client = TestClient::connect(&simulator).await;
    let exchange = simulator.send(APP, &Door::LongConnection, &click()).await.unwrap();
    assert_eq!(exchange.verdict.error.unwrap().code, 200_341);
    let (frames, _) = client.next_message().await;
    client.answer(&frames[0], 200, Some(&json!({}))).await;
    client.answer(&frames[0], 200, Some(&json!({}))).await;
    let by_hand = simulator.envelope(APP).unwrap().frame(1, 0, Bytes::from_static(b"not JSON"));
    simulator.send_frame(APP, &by_hand).await.unwrap();
    let received = client.next_frame().await;
    assert_eq!(received, by_hand);
    client.answer(&received, 500, None).await;
    client.send(Message::text("hello")).await;
    let seen = |simulator: &crate::Simulator| {
        let counters = simulator.counters(APP);
        simulator.late_answers() == 1
            && counters.duplicate_answers == 1
            && counters.stray_answers == 1
            && counters.broken_frames == 1
    };
    simulator.wait_until(SOON, seen).await.unwrap();
    let stray = simulator.stray_answers(APP).remove(0);
    assert_eq!(stray.payload.as_deref(), Some(&br#"{"code":500}"#[..]));
}

#[tokio::test]
async fn connections_break_in_three_ways() {
    let simulator = simulator().await;
    let mut cut = TestClient::connect(&simulator).await;
    simulator.drop_connections(APP).unwrap();
    assert!(!matches!(cut.next().await, Some(Ok(_))), "no Close frame");
    simulator.wait_until(SOON, |simulator| simulator.connected(APP) == 0).await.unwrap();

    let mut closed = TestClient::connect(&simulator).await;
    simulator.close_connections(APP, 1001).unwrap();
    assert!(
        matches!(closed.next().await, Some(Ok(Message::Close(Some(frame)))) if frame.code == 1001.into())
    );
    assert!(closed.next().await.is_none(), "TCP is dropped after the Close frame");
    simulator.wait_until(SOON, |simulator| simulator.connected(APP) == 0).await.unwrap();

    let mut silent = TestClient::connect(&simulator).await;
    simulator.silence(APP).unwrap();
    silent.send(Message::Ping(Bytes::new())).await;
    let mut audible = TestClient::connect(&simulator).await;
    audible.ping().await;
    let answering = async {
        let (frames, _) = audible.next_message().await;
        audible.answer(&frames[0], 200, Some(&json!({}))).await;
    };
    let click = click();
    let (exchange, ()) =
        tokio::join!(simulator.send(APP, &Door::LongConnection, &click), answering);
    assert_eq!(exchange.unwrap().verdict.error, None, "the audible connection is preferred");
    let silence = std::time::Duration::from_millis(50);
    let heard =
        tokio::time::timeout(silence, futures_util::StreamExt::next(&mut silent.socket)).await;
    assert!(heard.is_err(), "a silenced connection neither answers nor ends");
}
