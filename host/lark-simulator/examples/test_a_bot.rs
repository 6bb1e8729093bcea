//! A bot and the simulated platform in one process, and one click on a card:
//! `cargo run --package lark-simulator --example test_a_bot`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use axum::Json;
use axum::Router;
use axum::routing::post;
use lark_simulator::Simulator;
use lark_simulator::config::SimulatedApp;
use lark_simulator::config::SimulatorConfig;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use lark_wire::secret::Secret;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;

const APP_ID: &str = "cli_0123456789abcdef";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The bot. A real one verifies the request first.
    let bot = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/callback", bot.local_addr()?);
    let router = Router::new().route("/callback", post(answer));
    tokio::spawn(async move { axum::serve(bot, router).await });

    let app = SimulatedApp::new(APP_ID, Secret::new("the app secret"));
    let platform = Simulator::start(SimulatorConfig::on_loopback(vec![app])).await?;
    let click = Delivery::card_action(json!({ "action": "approve" }));
    let exchange = platform.send(APP_ID, &Door::Webhook { url }, &click).await?;
    println!("the user sees: {}", exchange.in_words());
    platform.shutdown().await;
    Ok(())
}

async fn answer(Json(callback): Json<Value>) -> Json<Value> {
    let action = callback["event"]["action"]["value"]["action"].as_str().unwrap_or("nothing");
    Json(json!({ "toast": { "type": "success", "content": format!("{action}: done") } }))
}
