//! Instances that are reused for several calls, if the operator allows it: the same answers, and no data for the wrong user.

use std::process::Command;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

async fn reusing(sidecar: Value) -> anyhow::Result<Running> {
    let app = App::default().guest_with("remembers", sidecar)?.webhook_only();
    // A call that hangs ends soon after it was answered.
    Setup::new(app).set("deadline", "late_ms", 3000).start().await
}

async fn press_as(running: &Running, tenant_key: &str) -> anyhow::Result<String> {
    let mut click = sender::click("b");
    click["header"]["tenant_key"] = tenant_key.into();
    Ok(running.deliver(&click).await?.toast().to_owned())
}

async fn counted(running: &Running, what: &str) -> anyhow::Result<u64> {
    Ok(running.plugin("remembers").await?[what].as_u64().unwrap_or_default())
}

async fn wait_for_failures(running: &Running, count: u64) -> anyhow::Result<()> {
    let ended = async || Ok(counted(running, "failures").await? >= count);
    eventually_is(&format!("{count} calls have failed"), ended).await
}

#[tokio::test]
async fn an_instance_answers_as_many_calls_as_it_may() -> anyhow::Result<()> {
    let running = reusing(json!({ "reuse": 3 })).await?;
    for count in ["1", "2", "3", "1", "2", "3", "1"] {
        ensure!(running.toast("b").await? == count);
    }
    // An error that the plugin itself returns does not end its instance.
    running.toast("fail").await?;
    ensure!(running.toast("b").await? == "3");
    ensure!(counted(&running, "calls").await? == 9 && counted(&running, "instances").await? == 3);
    // Each call has its own budget, and is charged only for itself.
    let lines = running.host.log().wait_for_count(9, events::CALLBACK, &[]).await?;
    let fuel: Vec<_> = lines.iter().filter_map(|line| line.number_of("fuel")).collect();
    ensure!(fuel[1] == fuel[2] && fuel[1] == fuel[4] && fuel[0] == fuel[3], "{fuel:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_ends_badly_ends_its_instance() -> anyhow::Result<()> {
    let limits = json!({ "fuel": 1_000_000_000, "memory_bytes": 32 << 20 });
    let running = reusing(json!({ "reuse": 1000, "limits": limits })).await?;
    for (failures, button) in (1..).zip(["trap", "spin", "eat", "hang"]) {
        ensure!(running.toast("b").await? == "1", "before {button}");
        ensure!(running.toast("b").await? == "2", "before {button}");
        running.toast(button).await?;
        wait_for_failures(&running, failures).await?;
    }
    ensure!(running.toast("b").await? == "1");
    // An instance with more than half of its memory in use is not kept either: the next call might run out.
    ensure!(running.toast("leak").await? == "2");
    ensure!(running.toast("leak").await? == "3");
    ensure!(running.toast("b").await? == "1");
    Ok(())
}

#[tokio::test]
async fn a_tenant_never_meets_what_another_left() -> anyhow::Result<()> {
    let apart = reusing(json!({ "reuse": 1000 })).await?;
    for (tenant, count) in [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("", "1"), ("", "1")] {
        ensure!(press_as(&apart, tenant).await? == count, "tenant {tenant:?}");
    }
    let together = reusing(json!({ "reuse": 1000, "reuse_between_tenants": true })).await?;
    for (tenant, count) in [("a", "1"), ("b", "2"), ("", "3")] {
        ensure!(press_as(&together, tenant).await? == count, "tenant {tenant:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_version_that_is_replaced_keeps_nothing() -> anyhow::Result<()> {
    let running = reusing(json!({ "reuse": 1000 })).await?;
    ensure!(running.toast("b").await? == "1" && running.toast("b").await? == "2");
    running.drop_guest("version-a", "remembers")?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[]).await?;
    ensure!(running.toast("b").await? == "a");
    let admin = running.host.admin().await?.to_string();
    let mut command = Command::new(artifacts::host_binary()?);
    command.args(["plugins", "rollback", "remembers", "--admin", &admin]);
    let status = tokio::task::spawn_blocking(move || command.status()).await??;
    ensure!(status.success());
    ensure!(running.toast("b").await? == "1", "what the first version kept is gone");
    Ok(())
}
