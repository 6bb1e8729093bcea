//! `aviary inbox`: shows the events of a running host that wait or were set aside, and decides on them.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use clap::Subcommand;

use crate::admin::inbox::DECIDE_PATH;
use crate::admin::inbox::DecisionBody;
use crate::admin::inbox::ENTRY_PATH;
use crate::admin::inbox::InboxList;
use crate::admin::inbox::LIST_PATH;
use crate::admin::inbox::OperatorDecision;
use crate::cli::admin_port::AdminAnswer;
use crate::cli::admin_port::AdminPort;
use crate::clock::since_epoch;
use crate::inbox::report::EntryReport;
use crate::inbox::report::InboxReport;
use crate::printable::Keep;
use crate::printable::escaped;
use crate::store::inbox::EntryId;
use crate::store::inbox::Listed;
use crate::store::inbox::QueueFigures;

/// Show the events that wait in a running host's inbox or were set aside, and decide on them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aviary inbox\n  aviary inbox show 17\n  aviary inbox retry 17 18\n  aviary inbox --json | jq '.apps[].entries[] | select(.aside) | .reason'"
)]
pub(super) struct InboxCommand {
    /// Print the host's JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    port: AdminPort,
    /// App of the entries; needed where the host has more than one.
    #[arg(long, global = true)]
    app: Option<String>,
    #[command(subcommand)]
    action: Option<InboxAction>,
}

#[derive(Debug, Subcommand)]
enum InboxAction {
    /// List the entries: those that are set aside, and then those that wait. The same as no command.
    List,
    /// Show an entry with its event.
    Show {
        /// Number of the entry.
        id: EntryId,
    },
    /// Try entries again that were set aside.
    Retry {
        /// Numbers of the entries.
        #[arg(required = true)]
        ids: Vec<EntryId>,
    },
    /// Forget entries.
    Drop {
        /// Numbers of the entries.
        #[arg(required = true)]
        ids: Vec<EntryId>,
    },
}

/// Sends the request and returns the text to print.
pub(super) async fn run(command: &InboxCommand) -> anyhow::Result<String> {
    let InboxCommand { json, port, action, .. } = command;
    let print = |answer: AdminAnswer, text: fn(&AdminAnswer) -> anyhow::Result<String>| {
        if *json { answer.as_text() } else { text(&answer) }
    };
    match action {
        None | Some(InboxAction::List) => {
            print(port.get(LIST_PATH).await?, |answer| Ok(table(&answer.read()?)))
        }
        Some(InboxAction::Show { id }) => {
            let app = command.app().await?;
            print(port.get(&format!("{ENTRY_PATH}/{app}/{id}")).await?, |answer| {
                Ok(shown(&answer.read()?))
            })
        }
        Some(InboxAction::Retry { ids }) => command.decide(ids, OperatorDecision::Retry).await,
        Some(InboxAction::Drop { ids }) => command.decide(ids, OperatorDecision::Drop).await,
    }
}

impl InboxCommand {
    /// Returns the app that was named, or the only one.
    async fn app(&self) -> anyhow::Result<String> {
        if let Some(app) = &self.app {
            return Ok(app.clone());
        }
        let InboxList { apps } = self.port.get(LIST_PATH).await?.read()?;
        match apps.as_slice() {
            [InboxReport { app, .. }] => Ok(app.clone()),
            [..] => bail!("the host has {} apps; --app says which one is meant", apps.len()),
        }
    }

    async fn decide(&self, ids: &[EntryId], decision: OperatorDecision) -> anyhow::Result<String> {
        let app = self.app().await?;
        let mut text = String::new();
        for id in ids {
            let body = DecisionBody { app: app.clone(), id: *id, decision };
            let answer = self.port.post(DECIDE_PATH, &body).await?;
            text += &match decision {
                _ if self.json => answer.as_text()?,
                OperatorDecision::Retry => format!("{id} is tried again\n"),
                OperatorDecision::Drop => format!("{id} is forgotten\n"),
            };
        }
        Ok(text)
    }
}

fn table(list: &InboxList) -> String {
    let mut text = String::new();
    for InboxReport { app, plugins, entries } in &list.apps {
        line(&mut text, app);
        if plugins.is_empty() {
            line(&mut text, "  the inbox is empty");
        }
        for QueueFigures { plugin, waiting, working, aside, bytes, oldest_ms } in plugins {
            let oldest = oldest_ms.map(|ms| format!(", the oldest for {}", age(ms)));
            let oldest = oldest.unwrap_or_default();
            let figures = format!(
                "  {plugin}: {waiting} waiting{oldest}, {working} of them under way, {aside} set aside, {bytes} bytes"
            );
            line(&mut text, &figures);
        }
        entries.iter().for_each(|entry| describe(&mut text, entry));
    }
    text
}

fn describe(text: &mut String, entry: &Listed) {
    let Listed { id, plugin, lane, aside, attempts, reason, head, .. } = entry;
    let state = if *aside { "set aside" } else { "waiting" };
    let (kind, age) = (&head.event_type, age(head.received_ms));
    line(text, &format!("    {id} {state} {plugin} {kind} {lane}, {age}, begun {attempts} times"));
    if let Some(reason) = reason {
        line(text, &format!("      {reason}"));
    }
}

fn shown(EntryReport { entry, body, .. }: &EntryReport) -> String {
    let mut text = String::new();
    describe(&mut text, entry);
    line(&mut text, body);
    text
}

fn line(text: &mut String, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", escaped(words, Keep::Nothing));
}

fn age(since_ms: u64) -> String {
    let seconds = since_epoch().saturating_sub(Duration::from_millis(since_ms)).as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
