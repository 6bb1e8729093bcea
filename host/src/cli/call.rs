//! `aviary call`: one callback for one plugin, offline, through the same code as in a host.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::callback::model::Callback;
use crate::callback::plain;
use crate::callback::reply::Outgoing;
use crate::cli::desk::Desk;
use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::EXIT_USAGE;
use crate::cli::exit::fail;
use crate::cli::progress::with_progress;
use crate::dispatch::rehearsal::Rehearsal;
use crate::dispatch::rehearsal::rehearse;
use crate::folder::alone::Alone;
use crate::folder::alone::AloneError;
use crate::open_api::notebook::Asked;
use crate::open_api::notebook::Noted;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::runtime::code_cache::CachePath;
use crate::small_file;
use crate::small_file::off_thread;
use crate::telemetry::collector::Line;
use crate::terminal;

/// Largest callback that is read, in bytes. The platform's own have about a hundredth of that.
const MAX_CALLBACK_BYTES: u64 = 4 << 20;

/// Call a plugin with one callback, offline, and show what the platform would get.
#[derive(Debug, Args)]
#[command(after_help = r#"Example:
  echo '{"schema":"2.0","header":{"event_type":"card.action.trigger"},"event":{"operator":{"open_id":"ou_1"},
    "token":"c-1","action":{"tag":"button","value":{"kind":"leave"}},"context":{"open_chat_id":"oc_1"}}}' > click.json
  aviary call plugins/approval.wasm click.json

CALLBACK is a callback as the platform sends it, decrypted: schema 2.0 or 1.0, an old card, or one of the approval center.
There are samples of each in wit/command/samples/. NAME.toml and NAME.tests/ beside NAME.wasm count as they do in a host. Nothing leaves this machine:
requests to the server API and to others, and updates of cards, are shown instead of sent. The caller is not
authenticated, so allow lists, seals and once-only checks are skipped.
Exit codes: 0 the plugin's own reply goes out, 1 it does not, or it took more than --max-fuel, 64 a file cannot be
read or is not a callback."#)]
pub(super) struct CallArgs {
    /// Plugin file: a component, or another form that a host takes.
    file: PathBuf,
    /// Callback to send, a JSON file.
    callback: PathBuf,
    /// Fail if the call takes more fuel than this; the same call takes the same on every machine.
    #[arg(long, value_name = "UNITS")]
    max_fuel: Option<u64>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// The object that `--json` prints.
#[derive(Serialize)]
struct CallOutput<'a> {
    ok: bool,
    plugin: &'a str,
    version: &'a str,
    handles: Vec<&'static str>,
    event_type: &'a str,
    event_id: Option<&'a str>,
    outcome: &'static str,
    reason: Option<&'a str>,
    /// Body that the platform gets; null where the answer only says "taken" or "send it again".
    reply: Option<Value>,
    acknowledged: bool,
    fuel: Option<u64>,
    max_fuel: Option<u64>,
    ms: f64,
    load_ms: f64,
    card_updates: Vec<Value>,
    open_api: Vec<Noted>,
    log: Vec<Line>,
}

pub(super) async fn run(arguments: &CallArgs) -> ExitCode {
    let callback = match read(&arguments.callback).await {
        Ok(callback) => callback,
        Err(why) => return fail(EXIT_USAGE, &why),
    };
    let desk = match Desk::new(CachePath::OfUser) {
        Ok(desk) => desk,
        Err(error) => return fail(EXIT_UNAVAILABLE, &error.to_string()),
    };
    let Alone { plugin, took } = match desk.load(&arguments.file).await {
        Ok(alone) => alone,
        Err(error @ AloneError::Refused(_)) => {
            return fail(1, &format!("{}: {error}", arguments.file.display()));
        }
        Err(error) => return fail(EXIT_USAGE, &error.to_string()),
    };
    // Log lines from loading are not part of this call.
    desk.log.take();
    let header = callback.header.clone();
    let played = with_progress("waiting for the plugin", rehearse(&desk.engine, &plugin, callback));
    let played = played.await;
    let within = arguments.max_fuel.is_none_or(|most| played.fuel.is_none_or(|fuel| fuel <= most));
    let (reply, acknowledged) = sent(&played);
    let report = CallOutput {
        ok: played.as_said && within,
        plugin: plugin.name(),
        version: plugin.version(),
        handles: plugin.handlers().names(),
        event_type: &header.event_type,
        event_id: header.event_id.as_deref(),
        outcome: played.outcome.as_str(),
        reason: played.reason.as_deref(),
        reply,
        acknowledged,
        fuel: played.fuel,
        max_fuel: arguments.max_fuel,
        ms: milliseconds(played.elapsed),
        load_ms: milliseconds(took),
        card_updates: played.updates.iter().map(|card| as_json(card)).collect(),
        open_api: desk.notebook.entries(),
        log: desk.log.take(),
    };
    if arguments.json {
        terminal::result!("{}", serde_json::json!(report));
    } else {
        print(&report, plugin.limits().fuel);
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(super) async fn read(path: &Path) -> Result<Callback, String> {
    let file = path.to_owned();
    let body = off_thread(path, move || small_file::read(&file, MAX_CALLBACK_BYTES)).await;
    let body = body.map_err(|error| error.to_string())?;
    let said = |error| format!("{}: is not a callback: {error}", path.display());
    plain::read(body.into()).map_err(said)
}

fn sent(played: &Rehearsal) -> (Option<Value>, bool) {
    match played.reply.outgoing() {
        Outgoing::Body { status, json } => {
            (Some(as_json(&String::from_utf8_lossy(json))), status == 200)
        }
        Outgoing::Accepted => (None, true),
        Outgoing::Redeliver => (None, false),
    }
}

/// Parses JSON that the host has written. Text that is not JSON, which is not expected, is shown as it is.
fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn print(report: &CallOutput<'_>, budget: u64) {
    let CallOutput { plugin, version, event_type, outcome, .. } = report;
    terminal::result!("plugin    {plugin} {version}, {}", report.handles.join(", "));
    terminal::result!("callback  {event_type} {}", report.event_id.unwrap_or_default());
    terminal::result!("outcome   {outcome}");
    if let Some(reason) = report.reason {
        terminal::result!("because   {}", clipped(reason, MAX_TEXT_BYTES));
    }
    if let Some(fuel) = report.fuel {
        let over = report.max_fuel.filter(|most| fuel > *most);
        let over = over.map(|most| format!(", more than the {most} of --max-fuel"));
        terminal::result!("fuel      {fuel} of {budget}{}", over.unwrap_or_default());
    }
    terminal::result!("time      {:.2} ms, loaded in {:.0} ms", report.ms, report.load_ms);
    match &report.reply {
        // Further lines are aligned with the first one's value.
        Some(reply) => {
            terminal::result!("reply     {}", format!("{reply:#}").replace('\n', "\n          "))
        }
        None if report.acknowledged => terminal::result!("reply     taken"),
        None => terminal::result!("reply     not taken: the platform would send it again"),
    }
    for card in &report.card_updates {
        terminal::result!("later     not sent: card {card}");
    }
    for Noted { method, path, result, .. } in &report.open_api {
        let what = match result {
            Asked::NotSent => "granted, not sent: there is no platform here",
            Asked::NotGranted => {
                "not granted: write it under [grants] open_api in the sidecar file"
            }
        };
        terminal::result!("platform  {method} {path}: {what}");
    }
    for line in &report.log {
        terminal::result!("log       {}", line.in_words());
    }
}
