//! `aviary replay`: plays the callbacks of a journal to a plugin file and reports the differences.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::cli::desk::Desk;
use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::EXIT_USAGE;
use crate::cli::exit::fail;
use crate::cli::journal::JournalPlace;
use crate::cli::progress::with_progress;
use crate::folder::alone::AloneError;
use crate::folder::playback::Difference;
use crate::folder::playback::Played;
use crate::folder::playback::play;
use crate::journal::entry::Entry;
use crate::journal::filter::Filter;
use crate::journal::ring::last;
use crate::plugin::loaded::Plugin;
use crate::runtime::code_cache::CachePath;
use crate::steps::Step;
use crate::terminal;

/// Replay a journal's callbacks against a plugin file, and show what differs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  aviary replay plugins/approval.wasm
  aviary replay new/approval.wasm --journal /var/lib/aviary/journal --last 1000 --fuel-factor 1.2 --json

Every callback that a plugin of that name answered is given to the file again, and it is told what was told then: clocks,
randomness, and what the host and the platform answered. Nothing leaves this machine. Compared are the outcome, the verdict of
the checker, the reply, later cards, and the fuel; the time is shown and is no difference. A callback whose call did not end
in time, or whose plugin was told more than the journal keeps, is left out and counted.
Exit codes: 0 nothing differs, 1 something does, or there was nothing to play, 64 a file cannot be read.")]
pub(super) struct ReplayArgs {
    /// Plugin file NAME.wasm, with NAME.toml and NAME.tests/ beside it.
    file: PathBuf,
    #[command(flatten)]
    place: JournalPlace,
    /// Callbacks of this plugin; by default of the one with the file's name.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only the newest N callbacks.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    last: usize,
    /// Report fuel only if it grew by more than this factor.
    #[arg(long, value_name = "FACTOR")]
    fuel_factor: Option<f64>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// The object that `--json` prints.
#[derive(Serialize)]
struct ReplayOutput {
    ok: bool,
    plugin: String,
    version: String,
    played: usize,
    skipped: usize,
    different: usize,
    fuel: ReplayTotals,
    ms: ReplayTotals,
    callbacks: Vec<Different>,
}

/// Totals of all callbacks that were played: in the journal, and in this run.
#[derive(Default, Serialize)]
struct ReplayTotals {
    was: f64,
    now: f64,
}

impl ReplayTotals {
    fn add(&mut self, was: f64, now: f64) {
        self.was += was;
        self.now += now;
    }
}

/// One callback whose replay differs from the journal.
#[derive(Serialize)]
struct Different {
    id: String,
    event_id: Option<String>,
    #[serde(rename = "type")]
    event_type: String,
    version: Option<String>,
    differences: Vec<Difference>,
}

pub(super) async fn run(arguments: &ReplayArgs) -> ExitCode {
    let entries = match entries(arguments) {
        Ok(entries) => entries,
        Err(error) => return fail(EXIT_USAGE, &format!("{error:#}")),
    };
    if entries.is_empty() {
        return fail(1, "the journal has no callbacks of that plugin");
    }
    let desk = match Desk::new(CachePath::OfUser) {
        Ok(desk) => desk,
        Err(error) => return fail(EXIT_UNAVAILABLE, &error.to_string()),
    };
    let alone = match desk.load(&arguments.file).await {
        Ok(alone) => alone,
        Err(error @ AloneError::Refused(_)) => {
            return fail(1, &format!("{}: {error}", arguments.file.display()));
        }
        Err(error) => return fail(EXIT_USAGE, &error.to_string()),
    };
    let report = replay(&desk, &alone.plugin, &entries, arguments.fuel_factor);
    let report = with_progress("playing callbacks", report).await;
    if arguments.json {
        terminal::result!("{}", serde_json::json!(report));
    } else {
        print(&report);
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn entries(arguments: &ReplayArgs) -> anyhow::Result<Vec<Entry>> {
    let folder = arguments.place.folder()?;
    let plugin = arguments.plugin.clone().or_else(|| name(&arguments.file));
    Ok(last(&folder, &Filter { plugin, ..Filter::default() }, arguments.last)?)
}

fn name(file: &Path) -> Option<String> {
    file.file_stem().map(|name| name.to_string_lossy().into_owned())
}

async fn replay(
    desk: &Desk,
    plugin: &Arc<Plugin>,
    entries: &[Entry],
    fuel_factor: Option<f64>,
) -> ReplayOutput {
    let mut report = ReplayOutput {
        ok: false,
        plugin: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        played: 0,
        skipped: 0,
        different: 0,
        fuel: ReplayTotals::default(),
        ms: ReplayTotals::default(),
        callbacks: Vec::new(),
    };
    for entry in entries {
        let Ok(Played { fuel, took, mut differences, .. }) =
            play(&desk.engine, plugin, entry).await
        else {
            report.skipped += 1;
            continue;
        };
        report.played += 1;
        if let (Some(was), Some(now)) = (entry.fuel, fuel) {
            report.fuel.add(was as f64, now as f64);
        }
        report.ms.add(guest_ms(entry), took.as_secs_f64() * 1000.0);
        if let Some(factor) = fuel_factor {
            differences.retain(|difference| match difference {
                Difference::Fuel { was, now } => *now as f64 > *was as f64 * factor,
                _ => true,
            });
        }
        if !differences.is_empty() {
            report.different += 1;
            report.callbacks.push(Different {
                id: entry.id.clone(),
                event_id: entry.event_id.clone(),
                event_type: entry.event_type.clone(),
                version: entry.version.clone(),
                differences,
            });
        }
    }
    report.ok = report.different == 0 && report.played > 0;
    report
}

/// Returns the milliseconds that the instance and the guest took according to the journal.
fn guest_ms(entry: &Entry) -> f64 {
    let of_the_call = [Step::Instantiate, Step::Guest];
    let took_us = of_the_call.iter().filter_map(|step| entry.steps_us.get(step)).sum::<u64>();
    took_us as f64 / 1000.0
}

fn print(report: &ReplayOutput) {
    for callback in &report.callbacks {
        let event = callback.event_id.as_deref().unwrap_or_default();
        terminal::result!("{} {} {event}", callback.id, callback.event_type);
        for difference in &callback.differences {
            terminal::result!("  {difference}");
        }
    }
    let ReplayOutput { plugin, version, played, skipped, different, fuel, ms, .. } = report;
    terminal::result!("plugin    {plugin} {version}");
    terminal::result!(
        "played    {played}, of which {different} differ; {skipped} could not be played"
    );
    terminal::result!("fuel      {:.0}, was {:.0}", fuel.now, fuel.was);
    terminal::result!("time      {:.1} ms, was {:.1} ms", ms.now, ms.was);
}
