//! Requests of plugins to the platform's server API: only granted ones, with a token that the plugin never sees.

use std::time::Duration;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::wire::SERVICE_ID;
use aviary_e2e::wire::Wire;
use lark_simulator::fragment::Envelope;
use lark_wire::frame::Frame;
use serde_json::Value;
use serde_json::json;

async fn granted(grants: &[&str]) -> anyhow::Result<Running> {
    let sidecar = json!({ "grants": { "open_api": grants } });
    Setup::new(App::default().guest_with("calls-open-api", sidecar)?).start().await
}

#[tokio::test]
async fn a_granted_call_reaches_the_platform() -> anyhow::Result<()> {
    let running = granted(&["POST /open-apis/im/v1/messages"]).await?;
    let platform = running.platform()?;
    let seen = platform.click("twice").await?;
    ensure!(seen.toast().matches("status 200").count() == 2, "{seen:?}");
    let messages = platform.simulator().messages();
    ensure!(messages.len() == 2, "{messages:?}");
    ensure!(
        messages[0].receive_id == "ou_e2e" && messages[0].receive_id_type == "open_id",
        "{messages:?}"
    );
    let calls = platform.simulator().api_calls();
    ensure!(calls.iter().all(|call| call.code == 0), "{calls:?}");
    let counters = platform.simulator().counters(APP_ID);
    ensure!(counters.token_requests == 1, "the token is fetched once and kept: {counters:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_granted_is_refused() -> anyhow::Result<()> {
    for (grants, button) in [
        (&[][..], "b"),
        (&["GET /open-apis/im/v1/messages"][..], "b"),
        (&["POST /open-apis/im/v1/messages"][..], "elsewhere"),
        (&["POST /open-apis/im/v1/messages/x"][..], "b"),
        (&["POST /open-apis/im/v1/*"][..], "climbing"),
    ] {
        let running = granted(grants).await?;
        let seen = running.platform()?.click(button).await?;
        ensure!(
            !seen.toast().is_empty() && !seen.toast().contains("status"),
            "{grants:?} {button}: {seen:?}"
        );
        let calls = running.platform()?.simulator().api_calls();
        ensure!(calls.is_empty(), "{grants:?} {button}: {calls:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_is_replaced() -> anyhow::Result<()> {
    let running = granted(&["POST /open-apis/im/v1/messages"]).await?;
    let platform = running.platform()?;
    platform.click("b").await?;
    platform.simulator().revoke_access_tokens(APP_ID)?;
    // Two official SDKs retry with the same token; two do not retry.
    let seen = platform.click("b").await?;
    ensure!(seen.toast().contains("\"code\":0"), "{seen:?}");
    ensure!(platform.simulator().messages().len() == 2, "{:?}", platform.simulator().messages());
    Ok(())
}

#[tokio::test]
async fn a_deferred_card_is_shown_after_the_answer() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("defers")?).start().await?;
    let platform = running.platform()?;
    let seen = platform.click("b").await?;
    ensure!(seen.toast() == "Ok(())", "{seen:?}");
    platform.wait_until(|simulator| simulator.card_updates().len() == 1).await?;
    let updates = platform.simulator().card_updates();
    ensure!(updates[0].code == 0, "{updates:?}");
    ensure!(platform.simulator().early_card_updates().is_empty(), "{updates:?}");
    let shown = updates[0].card.pointer("/body/elements/0/content").and_then(Value::as_str);
    ensure!(shown == Some("deferred"), "{updates:?}");
    Ok(())
}

#[tokio::test]
async fn a_card_is_updated_twice_at_most() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("defers")?).start().await?;
    let platform = running.platform()?;
    let seen = platform.click("thrice").await?;
    ensure!(seen.toast().contains("UsedUp"), "the third is refused at once: {seen:?}");
    platform.wait_until(|simulator| simulator.card_updates().len() == 2).await?;
    let updates = platform.simulator().card_updates();
    ensure!(updates.iter().all(|update| update.code == 0), "{updates:?}");
    Ok(())
}

/// Number of replies of a mebibyte that are sent while the test does not read: more than the buffers of both sockets hold, four
/// mebibytes on the host's side and almost nothing on the other.
const LONG_REPLIES: usize = 8;
/// Duration of the deferring plugin, and the deadline: all long replies are sent before it ends, even in a build that is not
/// optimised and on a busy machine.
const DEFERRING_MS: u64 = 2400;
const DUE_MS: u64 = 2900;
/// Time in which a premature update would be noticed.
const SILENCE: Duration = Duration::from_millis(500);

/// The platform undoes an update that overtakes its answer, so the host waits even for an answer that is stuck in a socket.
#[tokio::test]
async fn an_update_waits_until_the_answer_is_on_the_wire() -> anyhow::Result<()> {
    let mut wire = Wire::start().await?;
    let long = json!({
        "route": [{ "action_name": "long" }],
        "limits": { "reply_bytes": 4 * 1024 * 1024 },
    });
    let slow = json!({ "route": [{ "action_name": "defer" }], "settings": { "millis": DEFERRING_MS.to_string() } });
    let app = App::default().long_connection_only();
    let app = app.guest_with("huge-reply", long)?.guest_with("defers", slow)?;
    let setup = Setup::new(app).against(wire.domain()).set("deadline", "soft_ms", DUE_MS);
    let running = setup.start().await?;
    let mut connection = wire.connection().await?;
    connection.receive().await?;
    let mut click = async |button: &str, id: &str| {
        let envelope = Envelope { message_id: id.to_owned(), ..Envelope::new(SERVICE_ID) };
        let frame = envelope.frame(1, 0, sender::click(button).to_string().into());
        connection.send(frame.to_bytes()).await
    };
    click("defer", "deferring").await?;
    for number in 0..LONG_REPLIES {
        click("long", &number.to_string()).await?;
    }
    let deferring = [("plugin", "defers"), ("outcome", "answered")];
    running.host.log().wait_for(events::CALLBACK, &deferring).await?;
    let lines = running.host.log().lines(|line| line.is(events::CALLBACK, &[]));
    ensure!(lines.len() == LONG_REPLIES + 1, "the long replies are ahead of it: {lines:?}");
    // The test has read nothing so far, so the answer is still in a buffer of the host.
    tokio::time::sleep(SILENCE).await;
    ensure!(wire.requests().len() == 1, "asked besides discovery: {:?}", wire.requests());

    while Frame::parse(connection.receive().await?)?.header("message_id") != Some("deferring") {}
    eventually_is("the update follows", async || Ok(wire.requests().len() > 1)).await
}
