//! `aviary plugins`: asks a running host over its admin port.

use std::fmt::Write as _;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use clap::Args;
use clap::Subcommand;
use serde_json::json;

use crate::admin::plugins::LIST_PATH;
use crate::admin::plugins::ROLLBACK_PATH;
use crate::admin::plugins::RollbackBody;
use crate::admin::plugins::RollbackDone;
use crate::cli::admin_port::AdminPort;
use crate::folder::report::AppReport;
use crate::folder::report::CanaryReport;
use crate::folder::report::HostReport;
use crate::folder::report::LiveReport;
use crate::folder::report::PluginReport;
use crate::folder::report::UsageReport;
use crate::printable::Keep;
use crate::printable::escaped;

/// List the plugins of a running host, or roll one back.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aviary plugins --admin 127.0.0.1:9090\n  aviary plugins --json | jq '.apps[].plugins[] | select(.live | not)'\n  aviary plugins rollback approval_card"
)]
pub(super) struct PluginsCommand {
    /// Print the host's JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    port: AdminPort,
    #[command(subcommand)]
    action: Option<PluginAction>,
}

#[derive(Debug, Subcommand)]
enum PluginAction {
    /// Make the previous version live again, until the file changes.
    Rollback {
        /// Name of the plugin: its file's name without the ending.
        name: String,
        /// App of the plugin, where several have one of that name.
        #[arg(long)]
        app: Option<String>,
    },
}

/// Sends the request and returns the text to print.
pub(super) async fn run(command: &PluginsCommand) -> anyhow::Result<String> {
    let body = match &command.action {
        None => command.port.get(LIST_PATH).await?,
        Some(PluginAction::Rollback { name, app }) => {
            let wanted = RollbackBody { name: name.clone(), app: app.clone() };
            command.port.post(ROLLBACK_PATH, &wanted).await?
        }
    };
    if command.json {
        return body.as_text();
    }
    Ok(match &command.action {
        None => table(&body.read()?),
        Some(PluginAction::Rollback { .. }) => {
            let RollbackDone { name, version, .. } = body.read()?;
            let done = format!("{name} is {version} again, until its file changes");
            format!("{}\n", escaped(&done, Keep::Nothing))
        }
    })
}

fn table(host: &HostReport) -> String {
    let mut text = String::new();
    for AppReport { app, folder, plugins } in &host.apps {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", escaped(&format!("{app} {folder}"), Keep::Nothing));
        if plugins.is_empty() {
            text.push_str("  no plugins\n");
        }
        for plugin in plugins {
            describe(&mut text, plugin);
        }
    }
    text
}

fn describe(text: &mut String, plugin: &PluginReport) {
    let PluginReport { name, live, not_live_because, canary, .. } = plugin;
    // Writing to a string cannot fail.
    let mut line = |words: String| {
        let _ = writeln!(text, "{}", escaped(&words, Keep::Nothing));
    };
    match live {
        Some(live) => describe_live(name, live).into_iter().for_each(&mut line),
        None => line(format!("  {name} not live")),
    }
    if let Some(CanaryReport { version, share, calls, failures, judged_after, .. }) = canary {
        line(format!(
            "    {version} has {share} % of the users: {calls} of {judged_after} calls, {failures} failures"
        ));
    }
    if let Some(reason) = not_live_because {
        let what = if live.is_some() { "the file is not live" } else { "because" };
        line(format!("    {what}: {reason}"));
    }
}

/// The lines about a plugin that is live.
fn describe_live(name: &str, live: &LiveReport) -> Vec<String> {
    let LiveReport { version, handles, routes, rolled_back, promoted_because, .. } = live;
    let (state, age) = (live.breaker.state, age(live.since_ms));
    let rolled_back = if *rolled_back { ", rolled back" } else { "" };
    let mut lines = vec![
        format!("  {name} {version} {state}{rolled_back}, live for {age}"),
        format!("    handles {}", handles.join(", ")),
    ];
    lines.extend(routes.iter().map(|route| match route.is_unconditional() {
        true => "    every callback".to_owned(),
        false => format!("    {}", json!(route)),
    }));
    let UsageReport { calls, failures, fuel, .. } = live.usage;
    let fuel = fuel.checked_div(calls).unwrap_or_default();
    lines.push(format!("    {calls} calls, {failures} failures, {fuel} fuel a call"));
    lines.extend(promoted_because.iter().map(|reason| format!("    promoted because {reason}")));
    lines
}

fn age(since_ms: u64) -> String {
    let since = UNIX_EPOCH + Duration::from_millis(since_ms);
    let seconds = SystemTime::now().duration_since(since).unwrap_or_default().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
