//! `aviary plugins`: asks a running host over its admin port.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use anyhow::bail;
use clap::Args;
use clap::Subcommand;
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::admin::plugins::AdminRefusal;
use crate::admin::plugins::LIST_PATH;
use crate::admin::plugins::ROLLBACK_PATH;
use crate::admin::plugins::RollbackBody;
use crate::admin::plugins::RollbackDone;
use crate::config::AdminConfig;
use crate::config::Config;
use crate::folder::report::AppReport;
use crate::folder::report::CanaryReport;
use crate::folder::report::HostReport;
use crate::folder::report::LiveReport;
use crate::folder::report::PluginReport;
use crate::folder::report::UsageReport;
use crate::printable::Keep;
use crate::printable::escaped;
use crate::secret::SecretSource;
use crate::tls;
use crate::tls::ExtraRoots;

/// Time limit for an answer of the admin port. A host that takes longer is not there, or not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Environment variable with the token of a host that no configuration file here describes.
const TOKEN: &str = "AVIARY_ADMIN_TOKEN";

/// List the plugins of a running host, or roll one back.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aviary plugins --admin 127.0.0.1:9090\n  aviary plugins --json | jq '.apps[].plugins[] | select(.live | not)'\n  aviary plugins rollback approval_card"
)]
pub(super) struct PluginsCommand {
    /// Print the host's JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Address of the host's admin port; by default the one in the configuration file. With this option, a token is read from
    /// AVIARY_ADMIN_TOKEN.
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Configuration file that names the admin port.
    #[arg(long, global = true, default_value = "aviary.toml")]
    config: PathBuf,
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
    let AdminConfig { listen: admin, token } = match command.admin {
        // Without the variable no token is sent; the host says so if it wants one.
        Some(listen) => {
            let token = SecretSource::Env(TOKEN.to_owned()).read(Path::new(".")).ok();
            AdminConfig { listen, token }
        }
        None => {
            Config::admin(&command.config).context("--admin says where the host's admin port is")?
        }
    };
    let base = format!("http://{admin}");
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(ClientConfig::clone(&tls::client_config(&ExtraRoots::default())))
        // The admin port is on this machine, or beside it; a proxy is for the platform.
        .no_proxy()
        .build()?;
    let request = match &command.action {
        None => client.get(base + LIST_PATH),
        Some(PluginAction::Rollback { name, app }) => {
            let wanted = RollbackBody { name: name.clone(), app: app.clone() };
            client.post(base + ROLLBACK_PATH).json(&wanted)
        }
    };
    let request = match &token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    };
    let response =
        request.timeout(PATIENCE).send().await.with_context(|| format!("no host at {admin}"))?;
    let is_refused = !response.status().is_success();
    let body = response.bytes().await;
    let body = body.with_context(|| format!("the host at {admin} stopped answering"))?;
    if is_refused {
        let AdminRefusal { error } = read(&body, admin)?;
        bail!(error);
    }
    if command.json {
        let answer: Value = read(&body, admin)?;
        return Ok(format!("{}\n", escaped(&answer.to_string(), Keep::Nothing)));
    }
    Ok(match &command.action {
        None => table(&read(&body, admin)?),
        Some(PluginAction::Rollback { .. }) => {
            let RollbackDone { name, version, .. } = read(&body, admin)?;
            let done = format!("{name} is {version} again, until its file changes");
            format!("{}\n", escaped(&done, Keep::Nothing))
        }
    })
}

/// Parses an answer, which may be that of another version of the host, or of another program.
fn read<T: DeserializeOwned>(body: &[u8], admin: SocketAddr) -> anyhow::Result<T> {
    serde_json::from_slice(body)
        .with_context(|| format!("what answers at {admin} is not an admin port of this version"))
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
