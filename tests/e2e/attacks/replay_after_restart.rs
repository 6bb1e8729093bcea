//! A recorded request is sent again to a host that was started after the one that answered it.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::http::Request;
use aviary_e2e::sender;
use aviary_e2e::sender::Signer;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;

async fn start() -> anyhow::Result<Running> {
    Setup::new(App::default().webhook_only().encrypted().guest("version-a")?).start().await
}

fn click() -> Request {
    sender::sealed(sender::click("b").to_string())
}

fn old_click() -> Request {
    sender::signed(sender::legacy_click("b").to_string(), Signer::VerificationToken)
}

async fn is_answered(running: &Running, request: &Request) -> anyhow::Result<()> {
    let response = running.post(request.clone()).await?;
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    Ok(())
}

async fn is_refused(running: &Running, request: &Request) -> anyhow::Result<()> {
    let response = running.post(request.clone()).await?;
    ensure!(response.status == 401, "{} {}", response.status, response.text());
    ensure!(response.toast().is_empty(), "{}", response.text());
    let line =
        running.host.log().wait_for(events::REJECTED, &[("kind", "signed_before_start")]).await?;
    ensure!(line.text_of("reason").contains("before this host started"), "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn a_killed_host_s_requests_are_not_answered_by_the_next_one() -> anyhow::Result<()> {
    let mut running = start().await?;
    let recorded = [click(), old_click()];
    for request in &recorded {
        is_answered(&running, request).await?;
    }
    running.host.kill().await?;
    running.restart().await?;
    for request in &recorded {
        is_refused(&running, request).await?;
    }
    // A request that is signed after the start is answered at once, and only once.
    let fresh = click();
    is_answered(&running, &fresh).await?;
    ensure!(running.post(fresh).await?.status == 401);
    is_answered(&running, &old_click()).await
}

#[tokio::test]
async fn nor_are_those_of_a_host_that_was_stopped() -> anyhow::Result<()> {
    let mut running = start().await?;
    let recorded = click();
    is_answered(&running, &recorded).await?;
    running.host.terminate().await?;
    running.restart().await?;
    is_refused(&running, &recorded).await?;
    is_answered(&running, &click()).await
}

/// The new host cannot know whether the previous one has answered the request.
#[tokio::test]
async fn what_was_signed_before_the_start_is_refused_though_nobody_answered_it()
-> anyhow::Result<()> {
    let recorded = click();
    let running = start().await?;
    is_refused(&running, &recorded).await?;
    is_answered(&running, &click()).await
}
