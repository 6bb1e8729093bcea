//! `aviary bench`: how fast a plugin answers one callback, with fresh instances and with reused ones, through the same code
//! as in a host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::callback::model::Callback;
use crate::cli::call::read;
use crate::cli::desk::Desk;
use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::EXIT_USAGE;
use crate::cli::exit::fail;
use crate::cli::progress::with_progress;
use crate::dispatch::rehearsal::Rehearsal;
use crate::dispatch::rehearsal::rehearse;
use crate::folder::alone::Alone;
use crate::folder::alone::AloneError;
use crate::plugin::loaded::Plugin;
use crate::runtime::code::CodeSource;
use crate::runtime::code_cache::CachePath;
use crate::runtime::reuse::Reuse;
use crate::terminal;

/// Calls before anything is measured: memory that is touched for the first time costs more.
const WARM_UP: u64 = 50;
/// Loads that are measured: enough for a 99th percentile.
const LOADS: usize = 100;

/// Measure a plugin with one callback: loading, calls per second, time and fuel of a call.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  aviary bench plugins/approval.wasm click.json --json | jq .fresh.p99_us

CALLBACK is what `aviary call` takes. Nothing leaves this machine. Loading what is compiled already is measured from the
contents of the file to linked code. Every call is measured twice over: one at a time, for
the time that it takes, and as many at once as there are threads, for how many there are in a second. Calls are limited as
NAME.toml says; how often an instance is used is what is compared, so `reuse` in it does not count.
Exit codes: 0 measured, 1 the plugin is refused or does not answer every call with a reply of its own, 64 a file cannot
be read or is no callback.")]
pub(super) struct BenchArgs {
    /// Plugin file: a component, or another form that a host takes.
    file: PathBuf,
    /// Callback to send, a JSON file.
    callback: PathBuf,
    /// Number of calls in each measurement.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    calls: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// The object that `--json` prints.
#[derive(Serialize)]
struct BenchOutput<'a> {
    plugin: &'a str,
    version: &'a str,
    event_type: &'a str,
    calls: u64,
    threads: u32,
    /// Milliseconds from reading the file to a plugin that may go live, its self-tests included.
    load_ms: f64,
    /// Milliseconds of `load_ms` until the code was loaded.
    code_ms: f64,
    code: &'static str,
    /// `None` where compiled code cannot be cached.
    cached: Option<Loads>,
    fresh: Measured,
    /// `None` for a program, which starts anew with every callback.
    reused: Option<Measured>,
}

/// Times of loading code that was compiled before.
#[derive(Serialize)]
struct Loads {
    loads: usize,
    p50_ms: f64,
    p99_ms: f64,
}

/// Results for one kind of instance, fresh or reused.
#[derive(Serialize)]
struct Measured {
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// The least fuel that a call took. Fresh instances take the same every time.
    fuel: u64,
    /// The most fuel that a call took.
    fuel_most: u64,
}

pub(super) async fn run(arguments: &BenchArgs) -> ExitCode {
    let callback = match read(&arguments.callback).await {
        Ok(callback) => callback,
        Err(why) => return fail(EXIT_USAGE, &why),
    };
    let desk = match Desk::new(CachePath::OfUser) {
        Ok(desk) => Arc::new(desk),
        Err(error) => return fail(EXIT_UNAVAILABLE, &error.to_string()),
    };
    match with_progress("measuring", measure(&desk, arguments, callback)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Load(AloneError::Refused(reason))) => {
            fail(1, &format!("{}: {reason}", arguments.file.display()))
        }
        Err(Failed::Load(error)) => fail(EXIT_USAGE, &error.to_string()),
        Err(Failed::Call(reason)) => fail(1, &reason),
    }
}

/// Reason why there is no measurement.
enum Failed {
    Load(AloneError),
    Call(String),
}

async fn measure(
    desk: &Arc<Desk>,
    arguments: &BenchArgs,
    callback: Callback,
) -> Result<(), Failed> {
    let load = || desk.load_with(&arguments.file, Some(Reuse::NEVER));
    let alone = load().await.map_err(Failed::Load)?;
    let (load_ms, code) = (milliseconds(alone.took), alone.plugin.provenance().code_source);
    let code_ms = milliseconds(alone.plugin.provenance().code_load_time);
    // Code that is still in use would be shared instead of loaded again.
    drop(alone);
    let cached = load_again(load).await.map_err(Failed::Load)?;
    let first = &load().await.map_err(Failed::Load)?.plugin;
    let fresh = both_ways(desk, first, &callback, arguments.calls).await?;
    let reused = if first.unit().can_be_reused() {
        let again =
            desk.load_with(&arguments.file, Some(Reuse::ALWAYS)).await.map_err(Failed::Load)?;
        Some(both_ways(desk, &again.plugin, &callback, arguments.calls).await?)
    } else {
        None
    };
    let report = BenchOutput {
        plugin: first.name(),
        version: first.version(),
        event_type: &callback.header.event_type,
        calls: arguments.calls,
        threads: Desk::at_once(first),
        load_ms,
        code_ms,
        code: code.as_str(),
        cached,
        fresh,
        reused,
    };
    if arguments.json {
        terminal::result!("{}", serde_json::json!(report))
    } else {
        print(&report)
    }
    Ok(())
}

/// Measures loading the code from the cache. `None` if the plugin is not cached.
async fn load_again<L>(load: impl Fn() -> L) -> Result<Option<Loads>, AloneError>
where
    L: Future<Output = Result<Alone, AloneError>>,
{
    let mut times = Vec::with_capacity(LOADS);
    for _ in 0..LOADS {
        let plugin = load().await?.plugin;
        if plugin.provenance().code_source != CodeSource::Cached {
            return Ok(None);
        }
        times.push(plugin.provenance().code_load_time);
    }
    times.sort();
    let [p50_ms, p99_ms] = [50, 99].map(|percent| milliseconds(percentile(&times, percent)));
    Ok(Some(Loads { loads: LOADS, p50_ms, p99_ms }))
}

/// Makes calls one at a time to measure the time of a call, then on every thread at once to measure calls per second.
async fn both_ways(
    desk: &Arc<Desk>,
    plugin: &Arc<Plugin>,
    callback: &Callback,
    calls: u64,
) -> Result<Measured, Failed> {
    for _ in 0..WARM_UP {
        call(desk, plugin, callback).await?;
    }
    let mut times = Vec::new();
    let (mut fuel, mut fuel_most) = (u64::MAX, 0);
    for _ in 0..calls {
        let began = Instant::now();
        let used = call(desk, plugin, callback).await?.fuel.unwrap_or_default();
        times.push(began.elapsed());
        (fuel, fuel_most) = (fuel.min(used), fuel_most.max(used));
    }
    times.sort();
    let began = Instant::now();
    let left = Arc::new(AtomicU64::new(calls));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..Desk::at_once(plugin) {
        let (desk, plugin, callback) = (Arc::clone(desk), Arc::clone(plugin), callback.clone());
        let left = Arc::clone(&left);
        workers.spawn(async move {
            let take = |left: u64| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                call(&desk, &plugin, &callback).await?;
            }
            Ok(())
        });
    }
    for worker in workers.join_all().await {
        worker?;
    }
    Ok(Measured {
        calls_per_second: calls as f64 / began.elapsed().as_secs_f64(),
        p50_us: microseconds(percentile(&times, 50)),
        p99_us: microseconds(percentile(&times, 99)),
        fuel,
        fuel_most,
    })
}

async fn call(desk: &Desk, plugin: &Arc<Plugin>, callback: &Callback) -> Result<Rehearsal, Failed> {
    let played = rehearse(&desk.engine, plugin, callback.clone()).await;
    if played.as_said {
        return Ok(played);
    }
    let why = played.reason.as_deref().unwrap_or("its reply does not go out");
    Err(Failed::Call(format!("{}: {}: {why}", plugin.name(), played.outcome.as_str())))
}

/// Returns a percentile of sorted times, of which there is at least one.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let index = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(index).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn microseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}

fn print(report: &BenchOutput<'_>) {
    let BenchOutput { plugin, version, event_type, calls, threads, load_ms, code_ms, code, .. } =
        report;
    terminal::result!(
        "plugin    {plugin} {version}, {code} in {code_ms:.1} ms, tested after {load_ms:.1} ms"
    );
    if let Some(Loads { loads, p50_ms, p99_ms }) = &report.cached {
        terminal::result!("loaded    {loads} times, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms");
    }
    terminal::result!("callback  {event_type}, {calls} calls on {threads} threads");
    terminal::result!("instance     calls/s   p50 µs   p99 µs  fuel");
    for (name, measured) in [("fresh", Some(&report.fresh)), ("reused", report.reused.as_ref())] {
        let Some(Measured { calls_per_second, p50_us, p99_us, fuel, fuel_most }) = measured else {
            terminal::result!("{name:8}  begins anew with every callback");
            continue;
        };
        let fuel = match fuel == fuel_most {
            true => fuel.to_string(),
            false => format!("{fuel} to {fuel_most}"),
        };
        terminal::result!("{name:8}  {calls_per_second:10.0} {p50_us:8.1} {p99_us:8.1}  {fuel}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<_> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&times, 50), Duration::from_micros(100));
        assert_eq!(percentile(&times, 99), Duration::from_micros(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_micros(1));
    }
}
