//! A plugin spins for ever. Its user gets an answer in time, and nobody else notices.

use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use serde::Serialize;
use serde_json::json;

use crate::stage::APP_ID;
use crate::stage::Stage;

/// The platform's limit, which no answer may exceed.
const THREE_SECONDS_MS: f64 = 3000.0;
/// Clicks for a healthy plugin while the other spins.
const HEALTHY_CLICKS: usize = 20;

/// Result of the scenario.
#[derive(Debug, Serialize)]
pub(super) struct Runaway {
    /// Milliseconds until the user of the spinning plugin got an answer.
    pub(super) answered_ms: f64,
    /// Description of what that user saw.
    pub(super) outcome: String,
    /// Milliseconds that the slowest of the healthy clicks took meanwhile.
    pub(super) slowest_healthy_ms: f64,
    pub(super) ok: bool,
}

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<Runaway> {
    let platform = &stage.platform;
    let spinning = Delivery::card_action(json!({"kind": "runaway"}));
    let healthy = async {
        let mut slowest = 0.0_f64;
        let mut all_approved = true;
        for _ in 0..HEALTHY_CLICKS {
            let click = Delivery::card_action(
                json!({"kind": "leave", "decision": "approve", "applicant": "Ana"}),
            );
            let exchange = platform.send(APP_ID, &Door::LongConnection, &click).await?;
            slowest = slowest.max(exchange.elapsed.as_secs_f64() * 1000.0);
            all_approved &= exchange.verdict.toast.is_some_and(|toast| toast.text == "Approved");
        }
        anyhow::Ok((slowest, all_approved))
    };
    let (answer, healthy) =
        tokio::join!(platform.send(APP_ID, &Door::LongConnection, &spinning), healthy);
    let (answer, (slowest_healthy_ms, all_approved)) = (answer?, healthy?);
    let answered_ms = answer.elapsed.as_secs_f64() * 1000.0;
    let saw_toast = answer.verdict.toast.is_some() && answer.verdict.error.is_none();
    Ok(Runaway {
        answered_ms,
        outcome: answer.in_words(),
        slowest_healthy_ms,
        ok: saw_toast
            && all_approved
            && answered_ms < THREE_SECONDS_MS
            && slowest_healthy_ms < THREE_SECONDS_MS,
    })
}
