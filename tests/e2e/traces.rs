//! Traces of callbacks: what a collector receives, and that callbacks do not suffer if it does not listen.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::collector::Collector;
use aviary_e2e::collector::Manner;
use aviary_e2e::collector::text;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;

/// Steps of every callback that a plugin answers.
const STEPS: [&str; 7] = ["receive", "verify", "queue", "instantiate", "guest", "check", "send"];
/// Time limit of a shutdown, which waits two seconds for a collector.
const QUICK: Duration = Duration::from_secs(10);

fn tracing(app: App, url: &str) -> Setup {
    Setup::new(app).set("trace", "otlp", url)
}

/// Returns the duration of a span in nanoseconds.
fn took(span: &Span) -> u64 {
    span.end_time_unix_nano - span.start_time_unix_nano
}

/// Returns the spans below that one, in the order in which they began.
fn below<'a>(trace: &'a [Span], parent: &Span) -> Vec<&'a Span> {
    let mut below: Vec<_> =
        trace.iter().filter(|span| span.parent_span_id == parent.span_id).collect();
    below.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
    below
}

fn names(spans: &[&Span]) -> Vec<String> {
    spans.iter().map(|span| span.name.clone()).collect()
}

/// Checks everything that must be true of any trace. Returns the root, the steps and the calls of the host.
fn looked_at(trace: &[Span]) -> anyhow::Result<(&Span, Vec<&Span>, Vec<&Span>)> {
    let root = trace.iter().find(|span| span.parent_span_id.is_empty()).context("a root")?;
    ensure!(root.trace_id.len() == 16 && trace.iter().all(|span| span.span_id.len() == 8));
    let steps = below(trace, root);
    for pair in steps.windows(2) {
        let [one, next] = pair else { continue };
        ensure!(one.end_time_unix_nano == next.start_time_unix_nano, "a gap: {steps:#?}");
    }
    let first = steps.first().context("a step")?;
    let last = steps.last().context("a step")?;
    ensure!(first.start_time_unix_nano == root.start_time_unix_nano, "{root:#?} {first:#?}");
    ensure!(last.end_time_unix_nano == root.end_time_unix_nano, "{root:#?} {last:#?}");
    let guest = steps.iter().find(|span| span.name == "guest");
    let calls = guest.map(|guest| below(trace, guest)).unwrap_or_default();
    for call in &calls {
        let guest = guest.context("a guest")?;
        ensure!(call.start_time_unix_nano >= guest.start_time_unix_nano, "{trace:#?}");
        ensure!(call.end_time_unix_nano <= guest.end_time_unix_nano, "{trace:#?}");
    }
    ensure!(trace.len() == 1 + steps.len() + calls.len(), "a span hangs nowhere: {trace:#?}");
    Ok((root, steps, calls))
}

#[tokio::test]
async fn a_callback_is_a_trace_through_both_doors() -> anyhow::Result<()> {
    let collector = Collector::start(Manner::Takes).await?;
    let grants = json!({ "open_api": ["POST /open-apis/im/v1/messages"], "key_value": {} });
    let app = App::default().guest_with("asks-around", json!({ "grants": grants }))?;
    let secret = "s3cret-of-a-collector";
    let headers = json!({ "authorization": { "env": "COLLECTOR_KEY" } });
    let setup = tracing(app, &collector.url()).set("trace", "headers", headers);
    let running = setup.env("COLLECTOR_KEY", secret).start().await?;
    let before = SystemTime::now();
    let clicks = [sender::click("b"), sender::click("b")];
    running.deliver(&clicks[0]).await?;
    running.platform()?.send(&Delivery::json(DeliveryKind::CardAction, clicks[1].clone())).await?;
    for (click, door) in clicks.iter().zip(["webhook", "long_connection"]) {
        let id = sender::event_id(click);
        let trace = collector.trace(id).await?;
        let (root, steps, calls) = looked_at(&trace)?;
        ensure!(root.name == "card.action.trigger" && root.kind == SpanKind::Server as i32);
        ensure!(root.status.is_none(), "{root:#?}");
        let line = running.callback_line(id).await?;
        for field in ["type", "app", "door", "plugin", "version", "outcome"] {
            let said = text(root, &format!("aviary.{field}"));
            ensure!(said == line.text_of(field) && !said.is_empty(), "{field}: {root:#?}");
        }
        ensure!(text(root, "aviary.app") == APP_ID && text(root, "aviary.door") == door);
        ensure!(text(root, "aviary.fuel").parse().ok() == line.number_of("fuel"), "{root:#?}");
        ensure!(names(&steps) == STEPS, "{steps:#?}");
        let expected = ["keyvalue.open", "keyvalue.increment", "open-api.call"];
        ensure!(names(&calls)[..3] == expected, "{calls:#?}");
        // The trace has the machine's time, and its duration matches the log.
        let began = before.duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        ensure!(u128::from(root.start_time_unix_nano) >= began - 1_000_000, "{root:#?}");
        ensure!(u128::from(root.start_time_unix_nano) < began + 60_000_000_000, "{root:#?}");
        let decided: u64 = steps.iter().filter(|step| step.name != "send").map(|s| took(s)).sum();
        let logged = line.number_of("ms").context("ms")?;
        ensure!((decided as f64 / 1e6 - logged).abs() < 5.0, "{decided} {}", line.text());
    }
    let export = collector.exports().into_iter().next().context("an export")?;
    ensure!(export.line == "POST /v1/traces HTTP/1.1", "{}", export.line);
    let sent = |name: &str, value: &str| {
        export.headers.iter().any(|(found, said)| found == name && said == value)
    };
    ensure!(sent("content-type", "application/x-protobuf"), "{:?}", export.headers);
    ensure!(sent("authorization", secret), "{:?}", export.headers);
    ensure!(!running.host.log().text().contains(secret), "it is in the log");
    let told = |metrics: &Metrics| metrics.sum("aviary_traces_total", &[]);
    running.host.wait_for_metrics("both are told", |metrics| told(metrics) >= 2.0).await?;
    Ok(())
}

#[tokio::test]
async fn what_went_wrong_and_where_the_time_went_is_in_the_trace() -> anyhow::Result<()> {
    let collector = Collector::start(Manner::Takes).await?;
    let slow = json!({ "settings": { "millis": "200" }, "route": [{ "action_name": "slow" }] });
    let app = App::default().webhook_only().guest("trap")?.guest_with("slow", slow)?;
    let mut running = tracing(app, &collector.url()).start().await?;
    let (bad, slow) = (sender::click("b"), sender::click("slow"));
    running.deliver(&bad).await?;
    running.deliver(&slow).await?;
    // A callback that was answered just before the shutdown is exported before the host ends.
    running.host.terminate().await?;
    let trace = collector.trace(sender::event_id(&bad)).await?;
    let (root, _, _) = looked_at(&trace)?;
    let status = root.status.clone().context("a status")?;
    ensure!(status.code == StatusCode::Error as i32 && !status.message.is_empty(), "{status:?}");
    ensure!(text(root, "aviary.outcome") == "trap", "{root:#?}");
    let trace = collector.trace(sender::event_id(&slow)).await?;
    let (root, steps, _) = looked_at(&trace)?;
    ensure!(names(&steps) == STEPS, "{steps:#?}");
    let guest = steps.iter().find(|step| step.name == "guest").context("a guest")?;
    ensure!(took(guest) >= 200_000_000 && took(root) >= took(guest), "{trace:#?}");
    ensure!(took(root) - took(guest) < took(guest), "the time is the guest's: {trace:#?}");
    Ok(())
}

/// Clicks, and waits until the traces are counted as lost.
async fn lost(running: &mut Running) -> anyhow::Result<()> {
    const CLICKS: usize = 20;
    for _ in 0..CLICKS {
        let began = Instant::now();
        let answer = running.deliver(&sender::click("b")).await?;
        ensure!(answer.toast() == "a" && began.elapsed() < QUICK, "{}", answer.text());
    }
    let all = |metrics: &Metrics| {
        let lost = metrics.sum("aviary_traces_dropped_total", &[("reason", "not_taken")]);
        lost == CLICKS as f64
    };
    running.host.wait_for_metrics("they are lost and counted", all).await?;
    let metrics = running.host.metrics().await?;
    ensure!(metrics.sum("aviary_traces_total", &[]) == 0.0, "{metrics:?}");
    running.host.log().wait_for(events::TRACES_LOST, &[]).await?;
    let lines = running.host.log().lines(|line| line.is(events::TRACES_LOST, &[]));
    ensure!(lines.len() == 1, "one line for an outage: {lines:?}");
    running.host.terminate().await.map(drop)
}

#[tokio::test]
async fn a_collector_that_does_not_listen_costs_nothing_but_its_traces() -> anyhow::Result<()> {
    let (refusing, hanging) =
        (Collector::start(Manner::Refuses).await?, Collector::start(Manner::Hangs).await?);
    let gone = Collector::start(Manner::Takes).await?.url();
    for url in [gone, refusing.url(), hanging.url()] {
        let app = App::default().webhook_only().guest("version-a")?;
        let mut running = tracing(app, &url).start().await?;
        lost(&mut running).await.with_context(|| url)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_stops_does_not_wait_for_a_collector_that_hangs() -> anyhow::Result<()> {
    let collector = Collector::start(Manner::Hangs).await?;
    let app = App::default().webhook_only().guest("version-a")?;
    let mut running = tracing(app, &collector.url()).start().await?;
    running.deliver(&sender::click("b")).await?;
    let began = Instant::now();
    running.host.terminate().await?;
    ensure!(began.elapsed() < QUICK, "{:?}", began.elapsed());
    running.host.log().wait_for(events::TRACES_DROPPED, &[]).await?;
    Ok(())
}
