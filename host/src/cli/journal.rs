//! `aviary journal`: lists, shows and exports journaled callbacks. It reads the files; the host need not run.

mod when;

use std::io::BufWriter;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::bail;
use clap::Args;
use clap::Subcommand;

use crate::cli::journal::when::Ago;
use crate::cli::journal::when::utc;
use crate::clock::now_ms;
use crate::config::Config;
use crate::journal::entry::Entry;
use crate::journal::filter::Filter;
use crate::journal::ring::Order;
use crate::journal::ring::last;
use crate::journal::ring::read;
use crate::printable::Keep;
use crate::printable::escaped;
use crate::record::Outcome;
use crate::steps::Span;
use crate::tape::told::HostCall;

/// Entries that are listed by default: a screen of them.
const LISTED: usize = 40;

/// Show the callbacks in a host's journal.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  aviary journal --plugin approval --since 2h
  aviary journal --outcome trap --last 5
  aviary journal show 0193a7c2e41b0001
  aviary journal export --type card.action.trigger > clicks.jsonl

One line of `export` is one JSON object:
  v                   2, the number of this format
  id, at_ms           sorts by time; when the first byte came, milliseconds since 1970
  app, door, type     for which app, webhook or long_connection, for example card.action.trigger
  event_id, user      the platform's; the open_id of whoever clicked or saw the link; null where there is none
  plugin, version     whose it was, null where no plugin takes it
  outcome, reason     as in the log
  took_us, fuel       microseconds from the first byte to the decision; null where no call ended in time
  steps_us            microseconds of receive, verify, queue, instantiate, guest, check, send: one after the other
  callback            as it came, decrypted
  reply               {body: {status, body}}, \"accepted\" or \"redeliver\"
  called              null where no call ended in time; else
    by_json, fresh    taken by callback-handler or a command; by an instance made for it
    updates           cards to be shown after the answer, if there were any
    told              seed, wall_ns, monotonic_ns, remaining_ms: what it asked for and was told; cut: there was more
    told.stand_ins    what stands here for masked texts that the plugin said; a replay takes any of that length for them
    told.calls        [{call, asked, answered, at_us, took_us}]: what it asked of the host
Credentials, and what [journal] mask names, are replaced by as many letters.")]
pub(super) struct JournalCommand {
    #[command(flatten)]
    place: JournalPlace,
    #[command(flatten)]
    wanted: JournalFilter,
    #[command(subcommand)]
    action: Option<JournalAction>,
}

/// Options that say which journal to read.
#[derive(Debug, Args)]
pub(super) struct JournalPlace {
    /// Folder of the journal; by default the one in the configuration file.
    #[arg(long, global = true, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Configuration file whose [journal] section names the folder.
    #[arg(long, global = true, default_value = "aviary.toml")]
    config: PathBuf,
}

impl JournalPlace {
    /// Returns the journal's folder, or an error if there is none.
    pub(super) fn folder(&self) -> anyhow::Result<PathBuf> {
        match &self.journal {
            Some(folder) if !folder.is_dir() => bail!("{} is not a folder", folder.display()),
            Some(folder) => Ok(folder.clone()),
            None => {
                Config::journal_folder(&self.config).context("--journal says where the journal is")
            }
        }
    }
}

/// Options that select entries.
#[derive(Debug, Args)]
struct JournalFilter {
    /// Only callbacks of this plugin.
    #[arg(long, global = true, value_name = "NAME")]
    plugin: Option<String>,
    /// Only callbacks of this type, for example card.action.trigger.
    #[arg(long = "type", global = true, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only callbacks with this outcome, for example trap.
    #[arg(long, global = true)]
    outcome: Option<Outcome>,
    /// Only callbacks no older than this: 90s, 10m, 2h, 3d.
    #[arg(long, global = true, value_name = "AGE")]
    since: Option<Ago>,
    /// Only the newest N callbacks.
    #[arg(long, global = true, value_name = "N")]
    last: Option<usize>,
}

impl JournalFilter {
    fn filter(&self) -> Filter {
        Filter {
            plugin: self.plugin.clone(),
            event_type: self.event_type.clone(),
            outcome: self.outcome,
            app: None,
            since_ms: self.since.map_or(0, |since| now_ms().saturating_sub(since.milliseconds())),
        }
    }
}

#[derive(Debug, Subcommand)]
enum JournalAction {
    /// Show everything about one callback.
    Show {
        /// Id from the list, or the platform's event id.
        id: String,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Print callbacks as JSON lines, oldest first.
    Export,
}

/// Prints the list, one entry or the export to standard output.
pub(super) fn run(command: &JournalCommand) -> anyhow::Result<()> {
    let folder = command.place.folder()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (filter, count) = (command.wanted.filter(), command.wanted.last);
    match &command.action {
        None => {
            writeln!(out, "{HEADINGS}")?;
            for entry in last(&folder, &filter, count.unwrap_or(LISTED))? {
                writeln!(out, "{}", escaped(&line(&entry), Keep::Nothing))?;
            }
        }
        Some(JournalAction::Show { id, json }) => {
            let entry = find(&folder, id)?.with_context(|| format!("there is no callback {id}"))?;
            let text = if *json { compact(&entry)? } else { describe(&entry) };
            writeln!(out, "{}", escaped(&text, Keep::Lines))?;
        }
        Some(JournalAction::Export) => match count {
            Some(count) => {
                for entry in last(&folder, &filter, count)? {
                    writeln!(out, "{}", compact(&entry)?)?;
                }
            }
            None => export(&folder, &filter, &mut out)?,
        },
    }
    Ok(out.flush()?)
}

fn export(folder: &Path, filter: &Filter, out: &mut impl std::io::Write) -> anyhow::Result<()> {
    let mut written = Ok(());
    read(folder, Order::OldestFirst, |entry| {
        if filter.takes(&entry) {
            written = compact(&entry).and_then(|line| Ok(writeln!(out, "{line}")?));
        }
        written.is_ok()
    })?;
    written
}

fn find(folder: &Path, id: &str) -> std::io::Result<Option<Entry>> {
    let mut found = None;
    read(folder, Order::NewestFirst, |entry| {
        if entry.id == id || entry.event_id.as_deref() == Some(id) {
            found = Some(entry);
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Formats an entry as one line, whatever white space the callback came with. A callback of the greatest depth allowed is too
/// deep for the parser once it is inside an entry; its line breaks, which no JSON string contains, then become spaces.
fn compact(entry: &Entry) -> anyhow::Result<String> {
    let line = match serde_json::to_value(entry) {
        Ok(entry) => entry.to_string(),
        Err(_too_deep) => serde_json::to_string(entry)?.replace(['\r', '\n'], " "),
    };
    Ok(escaped(&line, Keep::Nothing).into_owned())
}

const HEADINGS: &str = "ID               TIME (UTC)               OUTCOME              ms         fuel  TYPE, PLUGIN AND VERSION";

fn line(entry: &Entry) -> String {
    let Entry { id, at_ms, outcome, took_us, event_type, .. } = entry;
    let ms = *took_us as f64 / 1000.0;
    let fuel = entry.fuel.map_or_else(|| "–".to_owned(), |fuel| fuel.to_string());
    let plugin = entry.plugin.as_deref().unwrap_or("–");
    let version = entry.version.as_deref().unwrap_or_default();
    let time = utc(*at_ms);
    let outcome = outcome.as_str();
    format!("{id} {time} {outcome:14} {ms:8.2} {fuel:>12}  {event_type} {plugin} {version}")
}

fn describe(entry: &Entry) -> String {
    let mut text = escaped(&line(entry), Keep::Nothing).into_owned();
    let mut add = |words: String| {
        text.push('\n');
        text.push_str(&words);
    };
    add(format!("  app       {}, by {}", entry.app, entry.door));
    for (name, value) in
        [("event", &entry.event_id), ("user", &entry.user), ("because", &entry.reason)]
    {
        if let Some(value) = value {
            add(format!("  {name:9} {}", escaped(value, Keep::Nothing)));
        }
    }
    let mut at_us = 0;
    for (step, &took_us) in &entry.steps_us {
        add(format!("  {:11} {}", step.as_str(), times(&Span { at_us, took_us })));
        at_us += took_us;
    }
    add(format!("  callback  {}", entry.callback));
    // Serialized directly: as a `Value` it could be too deep for the parser.
    add(format!("  reply     {}", serde_json::to_string(&entry.reply).unwrap_or_default()));
    if let Some(called) = &entry.called {
        for HostCall { call, asked, answered, span } in &called.told.calls {
            add(format!("  asked     {call} {asked}, {}", times(span)));
            add(format!("            {answered}"));
        }
        for card in &called.updates {
            add(format!("  later     card {card}"));
        }
    }
    text
}

fn times(span: &Span) -> String {
    format!("{} µs, after {} µs", span.took_us, span.at_us)
}
