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
use serde_json::Value;

use crate::admin::plugins::LIST_PATH;
use crate::admin::plugins::ROLLBACK_PATH;
use crate::admin::plugins::RollbackRequest;
use crate::config::AdminConfig;
use crate::config::Config;
use crate::printable::Keep;
use crate::printable::escaped;
use crate::secret::SecretSource;
use crate::tls;
use crate::tls::ExtraRoots;

/// A host that does not answer its admin port by then is not there, or not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the token is for a host that no configuration file here speaks of.
const TOKEN: &str = "AVIARY_ADMIN_TOKEN";

/// List the plugins of a running host, or take one back to the version before.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  aviary plugins --admin 127.0.0.1:9090\n  aviary plugins --json | jq '.apps[].plugins[] | select(.live | not)'\n  aviary plugins rollback approval_card"
)]
pub(super) struct PluginsCommand {
    /// Print the host's own JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// The host's admin port; without it, what the configuration file says. If it wants a token, that is in
    /// AVIARY_ADMIN_TOKEN.
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Where the admin port is configured.
    #[arg(long, global = true, default_value = "aviary.toml")]
    config: PathBuf,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the version before live again, until the file changes.
    Rollback {
        /// The file's name without its ending.
        name: String,
        /// The app, where several have a plugin of that name.
        #[arg(long)]
        app: Option<String>,
    },
}

/// Asks, and returns what to print.
pub(super) async fn run(command: &PluginsCommand) -> anyhow::Result<String> {
    let AdminConfig { listen: admin, token } = match command.admin {
        // No variable, no token: the host says so if it wants one.
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
        Some(Action::Rollback { name, app }) => {
            let wish = RollbackRequest { name: name.clone(), app: app.clone() };
            client.post(base + ROLLBACK_PATH).json(&wish)
        }
    };
    let request = match &token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    };
    let response =
        request.timeout(PATIENCE).send().await.with_context(|| format!("no host at {admin}"))?;
    let status = response.status();
    let answer: Value = response
        .json()
        .await
        .with_context(|| format!("what answers at {admin} is not an admin port"))?;
    if !status.is_success() {
        bail!("{}", answer["error"].as_str().unwrap_or("the host refused without a reason"));
    }
    Ok(match &command.action {
        _ if command.json => format!("{}\n", escaped(&answer.to_string(), Keep::Nothing)),
        None => table(&answer),
        Some(Action::Rollback { name, .. }) => {
            let version = answer["version"].as_str().unwrap_or_default();
            format!("{name} is {version} again, until its file changes\n")
        }
    })
}

fn table(answer: &Value) -> String {
    let mut text = String::new();
    for app in answer["apps"].as_array().into_iter().flatten() {
        let folder = app["folder"].as_str().unwrap_or_default();
        // Writing to a string cannot fail.
        let head = format!("{} {folder}", app["app"].as_str().unwrap_or_default());
        let _ = writeln!(text, "{}", escaped(&head, Keep::Nothing));
        let plugins = app["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
        if plugins.is_empty() {
            text.push_str("  no plugins\n");
        }
        for plugin in plugins {
            describe(&mut text, plugin);
        }
    }
    text
}

fn describe(text: &mut String, plugin: &Value) {
    let name = plugin["name"].as_str().unwrap_or_default();
    // As above.
    let mut line = |words: String| {
        let _ = writeln!(text, "{}", escaped(&words, Keep::Nothing));
    };
    if plugin["live"] == true {
        let version = plugin["version"].as_str().unwrap_or_default();
        let state = plugin["breaker"].as_str().unwrap_or_default();
        let rolled_back = if plugin["rolled_back"] == true { ", rolled back" } else { "" };
        let handles: Vec<_> =
            plugin["handles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        line(format!("  {name} {version} {state}{rolled_back}, live for {}", age(plugin)));
        line(format!("    handles {}", handles.join(", ")));
        for route in plugin["routes"].as_array().into_iter().flatten() {
            let everything = route.as_object().is_some_and(serde_json::Map::is_empty);
            line(if everything { "    every callback".to_owned() } else { format!("    {route}") });
        }
        let (calls, failures) = (number(plugin, "calls"), number(plugin, "failures"));
        let fuel = number(plugin, "fuel").checked_div(calls).unwrap_or_default();
        line(format!("    {calls} calls, {failures} failures, {fuel} fuel a call"));
    } else {
        line(format!("  {name} not live"));
    }
    if let Some(reason) = plugin["promoted_because"].as_str() {
        line(format!("    promoted because {reason}"));
    }
    if plugin["canary"].is_object() {
        let canary = &plugin["canary"];
        let version = canary["version"].as_str().unwrap_or_default();
        let (share, calls) = (number(canary, "share"), number(canary, "calls"));
        let (failures, after) = (number(canary, "failures"), number(canary, "judged_after"));
        line(format!(
            "    {version} has {share} % of the users: {calls} of {after} calls, {failures} failures"
        ));
    }
    if let Some(reason) = plugin["not_live_because"].as_str() {
        let what = if plugin["live"] == true { "the file is not live" } else { "because" };
        line(format!("    {what}: {reason}"));
    }
}

fn number(plugin: &Value, key: &str) -> u64 {
    plugin[key].as_u64().unwrap_or_default()
}

fn age(plugin: &Value) -> String {
    let since = UNIX_EPOCH + Duration::from_millis(number(plugin, "since_ms"));
    let seconds = SystemTime::now().duration_since(since).unwrap_or_default().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
