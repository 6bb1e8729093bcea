//! A recorded request is worthless: it is refused later, and it is refused a second time.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::http::Request;
use aviary_e2e::sender;
use aviary_e2e::sender::Signer;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;

fn setup(guest: &str) -> anyhow::Result<Setup> {
    Ok(Setup::new(App::default().webhook_only().encrypted().guest(guest)?))
}

fn click_ago(seconds: i64) -> Request {
    let body = sender::envelope(sender::click("b").to_string());
    sender::signed_ago(body, Signer::EncryptKey, seconds)
}

async fn is_refused_as(running: &Running, request: Request, kind: &str) -> anyhow::Result<()> {
    let response = running.post(request).await?;
    ensure!(response.status == 401, "{kind}: {} {}", response.status, response.text());
    ensure!(!response.text_at("/msg").is_empty(), "{}", response.text());
    running.host.log().wait_for(events::REJECTED, &[("kind", kind)]).await?;
    Ok(())
}

async fn is_answered(running: &Running, request: Request) -> anyhow::Result<()> {
    let response = running.post(request).await?;
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    Ok(())
}

#[tokio::test]
async fn a_signature_counts_for_five_minutes() -> anyhow::Result<()> {
    let running = setup("version-a")?.start().await?;
    // What was signed before the host started is refused whatever its age (`attacks/replay_after_restart`), so that a
    // signature of the last minutes cannot be shown here; `callback/freshness` has a test of it.
    for near in [0, -290] {
        is_answered(&running, click_ago(near)).await?;
    }
    is_refused_as(&running, click_ago(290), "signed_before_start").await?;
    for far in [310, -310, 1_000_000_000] {
        is_refused_as(&running, click_ago(far), "stale_signature").await?;
    }
    let old =
        sender::signed_ago(sender::legacy_click("b").to_string(), Signer::VerificationToken, 310);
    is_refused_as(&running, old, "stale_signature").await?;
    let line =
        running.host.log().wait_for(events::REJECTED, &[("kind", "stale_signature")]).await?;
    ensure!(line.text_of("reason").contains("clock"), "{}", line.text());
    // A forged request gets no information about the clock.
    let forged = sender::signed_ago("{}", Signer::Stranger, 310);
    is_refused_as(&running, forged, "bad_signature").await
}

#[tokio::test]
async fn the_window_is_the_operator_s() -> anyhow::Result<()> {
    let short = setup("version-a")?.set("webhook", "signature_window_secs", 20).start().await?;
    is_answered(&short, click_ago(-10)).await?;
    for far in [30, -30] {
        is_refused_as(&short, click_ago(far), "stale_signature").await?;
    }

    let off = setup("version-a")?.set("webhook", "signature_window_secs", "off").start().await?;
    let ancient = click_ago(1_000_000_000);
    is_answered(&off, ancient.clone()).await?;
    is_answered(&off, ancient).await
}

#[tokio::test]
async fn a_signed_request_is_answered_once() -> anyhow::Result<()> {
    let running = setup("version-a")?.start().await?;
    let request = click_ago(0);
    is_answered(&running, request.clone()).await?;
    for _ in 0..3 {
        is_refused_as(&running, request.clone(), "replayed").await?;
    }
    is_answered(&running, click_ago(0)).await?;
    let metrics = running.host.metrics().await?;
    let calls = metrics.sum("aviary_callbacks_total", &[("door", "webhook")]);
    ensure!(calls == 2.0, "the plugin was asked {calls} times");
    let counted = [("door", "webhook"), ("reason", "replayed")];
    ensure!(metrics.sum("aviary_rejected_total", &counted) == 3.0);
    Ok(())
}

/// The platform repeats an event that was not handled, and may send the very same bytes.
#[tokio::test]
async fn an_event_that_was_not_handled_may_come_again() -> anyhow::Result<()> {
    let app = App::default().webhook_only().encrypted().guest("failing")?;
    let running = Setup::new(app.acknowledging_when_done()).start().await?;
    let event: Value = sender::event();
    let request = sender::sealed(event.to_string());
    for _ in 0..2 {
        let response = running.post(request.clone()).await?;
        ensure!(response.status == 500, "{} {}", response.status, response.text());
    }
    Ok(())
}

/// The official SDKs check the signature over any text, and do not read it as a time.
#[tokio::test]
async fn a_request_without_a_readable_time_is_answered_once_by_all_hosts_of_a_store()
-> anyhow::Result<()> {
    let mut running = setup("version-a")?.start().await?;
    let times = ["Monday, 30-Nov-26 23:56:42 CST", "timestamp", "2026-11-30T23:56:42+08:00"];
    let old = |time| {
        let body = sender::legacy_click(time).to_string();
        sender::signed_at(body, Signer::VerificationToken, time)
    };
    let new = |time| {
        let body = sender::envelope(sender::click(time).to_string());
        sender::signed_at(body, Signer::EncryptKey, time)
    };
    let requests: Vec<_> = times.into_iter().flat_map(|time| [old(time), new(time)]).collect();
    for request in &requests {
        is_answered(&running, request.clone()).await?;
        is_refused_as(&running, request.clone(), "replayed").await?;
    }
    running.host.kill().await?;
    running.restart().await?;
    for request in requests {
        is_refused_as(&running, request, "replayed").await?;
    }
    let forged = sender::signed_at("{}", Signer::Stranger, times[0]);
    is_refused_as(&running, forged, "bad_signature").await
}
