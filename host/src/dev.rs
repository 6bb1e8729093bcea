//! `aviary dev`: a plugin's source folder, followed. Each change is built, put into a host that runs beside a simulated
//! platform, and sent the last callback again; what the user would see is printed, and drawn on the platform's page.

mod replay;
mod source;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;
use lark_simulator::host_words::Build;

use crate::dev::source::Contents;
use crate::dev::source::SourceWatch;
use crate::stage::Stage;
use crate::stage::browser;
use crate::telemetry::collector::Collector;
use crate::telemetry::collector::Line;
use crate::telemetry::events::PLUGIN_LIVE;
use crate::telemetry::events::PLUGIN_REFUSED;
use crate::telemetry::events::PLUGIN_REMOVED;
use crate::terminal;
use crate::workshop::build;
use crate::workshop::build::Built;
use crate::workshop::build::Tests;
use crate::workshop::tool::Follower;
use crate::workshop::tool::Listener;

/// How long the host may take to say what it thinks of a component: the largest take half a minute to compile.
const VERDICT: Duration = Duration::from_secs(120);
/// What is kept of what a build says: its end, where the reason is.
const MAX_SAID_BYTES: usize = 32 << 10;
/// What the host says of a plugin when it has looked at its files.
const SAID: [&str; 3] = [PLUGIN_LIVE.text(), PLUGIN_REFUSED.text(), PLUGIN_REMOVED.text()];

/// Whether the platform's page is opened in a browser. It is there in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It is, and what a build says is shown there too.
    Open,
    /// It is not, and a build has the terminal to itself.
    Leave,
}

/// Follows the plugin in that folder until it is dropped.
pub async fn run(folder: &Path, page: Page) -> anyhow::Result<()> {
    let log = Collector::default();
    log.install();
    let contents =
        Contents::of(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let watch = SourceWatch::new(folder);
    let stage = Stage::set(&[]).await.context("the host could not be set up")?;
    let address = stage.platform.domain();
    terminal::result!("simulated platform  {address}");
    terminal::result!("webhook             {}", stage.webhook_url());
    if page == Page::Open {
        browser::open(&address);
    }
    let session = Session { folder, page, stage: &stage, log };
    tokio::select! {
        // Neither ends, and both are dropped together.
        () = session.follow(contents, watch) => {}
        () = stage.narrate() => {}
    }
    Ok(())
}

struct Session<'a> {
    folder: &'a Path,
    page: Page,
    stage: &'a Stage,
    log: Collector,
}

impl Session<'_> {
    async fn follow(&self, mut contents: Contents, mut watch: SourceWatch) {
        loop {
            if let Err(error) = self.turn().await {
                terminal::notice!("aviary: {error:#}");
            }
            terminal::result!("waiting for a change in {}", self.folder.display());
            contents = watch.differs_from(&contents).await;
        }
    }

    /// From the source as it is now to what the user would see.
    async fn turn(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        let said = RefCell::new(Vec::new());
        if let Err(error) = self.renew(&said).await {
            let why = format!("{error:#}");
            let said = String::from_utf8_lossy(&said.borrow()).into_owned();
            self.stage.platform.tell_build(Build::Failed { why, said });
            return Err(error);
        }
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.stage.platform.tell_build(Build::Live { took_ms });
        self.stage.tell_of_plugins();
        replay::play(self.stage, self.folder, &self.log).await
    }

    /// Until the new version is live.
    async fn renew(&self, said: &RefCell<Vec<u8>>) -> anyhow::Result<()> {
        let began = Instant::now();
        let begins = |command: &str| {
            terminal::notice!("aviary: {command}");
            self.stage.platform.tell_build(Build::Running { command: command.to_owned() });
        };
        let hears = |bytes: &[u8]| {
            // Where standard error is closed, the page still shows it.
            let _ = std::io::stderr().write_all(bytes);
            let mut said = said.borrow_mut();
            said.extend_from_slice(bytes);
            let surplus = said.len().saturating_sub(MAX_SAID_BYTES);
            said.drain(..surplus);
        };
        let hears: Option<Listener<'_>> = match self.page {
            Page::Open => Some(&hears),
            Page::Leave => None,
        };
        let built =
            build::build(self.folder, Tests::Leave, &Follower { begins: &begins, hears }).await?;
        let building = began.elapsed();
        self.exchange(&built).await?;
        terminal::result!(
            "built in {:.1} s, live {:.2} s later",
            building.as_secs_f64(),
            (began.elapsed() - building).as_secs_f64()
        );
        Ok(())
    }

    /// The new files in the place of the old. The old ones go first, so that whatever the host says next is about the new.
    async fn exchange(&self, built: &Built) -> anyhow::Result<()> {
        let (plugins, name) = (self.stage.plugins(), built.name.as_str());
        let file = |ending: &str| plugins.join(format!("{name}.{ending}"));
        if file("wasm").exists() {
            std::fs::remove_file(file("wasm"))?;
            absent_already(std::fs::remove_file(file("toml")))?;
            absent_already(std::fs::remove_dir_all(file("tests")))?;
            self.says_of(name).await?;
        }
        built.place(&plugins)?;
        let said = self.says_of(name).await?;
        if said.message != SAID[0] {
            let reason = said.fields.get("reason").and_then(serde_json::Value::as_str);
            bail!("the host refuses it: {}", reason.unwrap_or_default());
        }
        Ok(())
    }

    /// What the host says next of that plugin.
    async fn says_of(&self, name: &str) -> anyhow::Result<Line> {
        let is_about_it = |line: &Line| {
            SAID.contains(&line.message.as_str())
                && line.fields.get("plugin").is_some_and(|plugin| plugin == name)
        };
        let said = tokio::time::timeout(VERDICT, self.log.next(is_about_it)).await;
        said.context("the host has said nothing about the plugin")
    }
}

fn absent_already(result: std::io::Result<()>) -> std::io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
