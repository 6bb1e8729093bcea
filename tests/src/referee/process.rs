//! A running SDK: a process that opens any number of long connections and has a webhook.

use anyhow::Context as _;
use aviary_state::Mutex;
use serde_json::Value;
use serde_json::json;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;

use crate::APP_SECRET;
use crate::ENCRYPT_KEY;
use crate::VERIFICATION_TOKEN;
use crate::child::Supervised;
use crate::log::LogLine;
use crate::referee::Sdk;
use crate::referee::install::installed;

/// A running SDK. Killed when dropped.
pub struct Referee {
    child: Supervised,
    orders: Mutex<ChildStdin>,
}

impl Referee {
    /// Starts the SDK; `None` if this machine is excused from having it.
    pub fn start(sdk: Sdk) -> anyhow::Result<Option<Self>> {
        let Some(installed) = installed(sdk)? else { return Ok(None) };
        let keys = json!({ "encrypt_key": ENCRYPT_KEY, "verification_token": VERIFICATION_TOKEN });
        let mut command = Command::new(&installed.interpreter);
        let script = match sdk {
            Sdk::Python => "client.py",
            Sdk::Node => "client.js",
        };
        command.arg(sdk.source().join(script)).arg(keys.to_string()).current_dir(&installed.folder);
        // The platform is on this machine; a proxy of the machine must not be used.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.stdin(Stdio::piped());
        let mut child = Supervised::start("the SDK", &mut command)?;
        let orders = Mutex::new(child.take_stdin().context("stdin is piped")?);
        Ok(Some(Self { child, orders }))
    }

    /// Starts a long connection of that app, with handlers or without.
    pub fn connect(&self, app: &str, domain: &str, handlers: bool) -> anyhow::Result<()> {
        let order = json!({
            "app": app, "secret": APP_SECRET, "domain": domain, "handlers": handlers,
        });
        let mut orders = self.orders.lock();
        writeln!(orders, "{order}").context("the SDK's process has ended")
    }

    /// Returns the reason why the SDK gave that app up, if it gave one.
    pub fn ended(&self, app: &str) -> Option<String> {
        let lines = self.child.stdout().lines(|line| line.text_of("app") == app);
        lines.iter().find_map(|line| line.json().get("ended")?.as_str().map(str::to_owned))
    }

    /// Waits until the webhook listens, and returns its address.
    pub async fn webhook(&self) -> anyhow::Result<SocketAddr> {
        let port = |line: &LogLine| u16::try_from(line.json()["webhook"].as_u64()?).ok();
        let has_port = |line: &LogLine| port(line).is_some();
        let line = self.child.stdout().wait_for_line("with the webhook's port", has_port).await;
        let line = line.with_context(|| self.child.last_words())?;
        let port = port(&line).context("a port")?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Returns everything the SDK reported, for a person.
    pub fn said(&self) -> Vec<Value> {
        self.child.stdout().lines(|_| true).iter().map(|line| line.json().clone()).collect()
    }
}
