//! Benchmarks the parts of a click by themselves. The difference between the two calls is the cost of a fresh instance; a call of
//! a reused one consists of lowering the records into the guest, its handler, and lifting the reply out.

use std::hint::black_box;
use std::time::SystemTime;

use anyhow::Context as _;
use aviary::Drill;
use aviary::callback::envelope::parse;
use aviary::callback::freshness::UnixSeconds;
use aviary::callback::model::Kind;
use aviary::callback::reply::RawReply;
use aviary::callback::reply::Toast;
use aviary::callback::reply::ToastKind;
use aviary::callback::reply_check::check;
use aviary::callback::verify::RawCallback;
use aviary::callback::verify::Source;
use aviary::callback::verify::WebhookKeys;
use aviary::callback::verify::verify;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::artifacts;
use aviary_versus::click::Clicks;
use aviary_versus::click::Sealed;
use criterion::BatchSize;
use criterion::Criterion;
use lark_wire::secret::Secret;

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    pure(&mut criterion)?;
    engine(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn pure(criterion: &mut Criterion) -> anyhow::Result<()> {
    let secret = |text| Some(Secret::new(text));
    let keys = WebhookKeys::new(secret(ENCRYPT_KEY), secret(VERIFICATION_TOKEN));
    let clicks = Clicks::on("ok");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let Sealed { signature, body } = clicks.seal(&clicks.next());
    let raw = || RawCallback {
        source: Source::Webhook { signature: Some(signature.clone()), now: UnixSeconds(now) },
        body: body.clone().into(),
    };
    verify(raw(), &keys).context("the click is genuine")?;
    criterion.bench_function("verify and decrypt", |bencher| {
        bencher.iter_batched(raw, |raw| verify(raw, &keys), BatchSize::SmallInput);
    });
    criterion.bench_function("parse", |bencher| {
        let verified = || verify(raw(), &keys);
        bencher.iter_batched(
            verified,
            |verified| verified.map(|verified| parse(verified, &keys)),
            BatchSize::SmallInput,
        );
    });
    let reply = || {
        let content = "Clicked by ou_0123456789abcdef0123456789abcdef".to_owned();
        let toast = Toast { kind: ToastKind::Info, content, i18n: Vec::new() };
        RawReply::Card { toast: Some(toast), card: None }
    };
    criterion.bench_function("check the reply", |bencher| {
        let check = |raw| black_box(check(Kind::CardAction, raw, None));
        bencher.iter_batched(reply, check, BatchSize::SmallInput);
    });
    Ok(())
}

fn engine(criterion: &mut Criterion) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let click = Clicks::on("ok").next().body.into();
    let guest = artifacts::guest("names-operator")?;
    aviary::compile_with(artifacts::host_binary()?);
    let drill = runtime.block_on(Drill::load(&guest, click, 1))?;
    // A plugin that does not answer must be an error, and not a fast result.
    runtime.block_on(drill.run_reused(1))?;
    criterion.bench_function("call a fresh instance", |bencher| {
        bencher.iter_custom(|calls| {
            let taken = runtime.block_on(drill.run(calls as usize));
            taken.unwrap_or_else(|error| panic!("{error}")).iter().sum()
        });
    });
    criterion.bench_function("call a reused instance", |bencher| {
        bencher.iter_custom(|calls| {
            let taken = runtime.block_on(drill.run_reused(calls as usize));
            taken.unwrap_or_else(|error| panic!("{error}")).iter().sum()
        });
    });
    Ok(())
}
