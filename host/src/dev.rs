//! `aviary dev`: follows a plugin's source folder. Each change is built, put into a host that runs beside a simulated platform,
//! and sent the last callback again; what the user would see is printed, and drawn on the platform's page.

mod replay;
mod source;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::dev::source::Contents;
use crate::dev::source::SourceWatch;
use crate::folder::event::FolderChange;
use crate::folder::event::FolderEvent;
use crate::stage::Stage;
use crate::stage::browser;
use crate::telemetry::collector::Collector;
use crate::terminal;
use crate::workshop::build;
use crate::workshop::build::Built;
use crate::workshop::build::Tests;
use crate::workshop::tool::Follower;
use crate::workshop::tool::Listener;
use anyhow::Context as _;
use anyhow::bail;
use lark_simulator::host_words::Build;
use tokio::sync::broadcast::Receiver;

/// Time after which the author is told, again and again, that the host still loads a component: the largest take half a minute
/// to compile, and several minutes on a machine that has other work.
const SLOW_LOAD: Duration = Duration::from_secs(60);
/// Bytes that are kept of a build's output: its end, where the reason is.
const MAX_SAID_BYTES: usize = 32 << 10;

/// Choice of opening the platform's page in a browser. The page is served in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevPage {
    /// Open it, and show the output of a build there too.
    Open,
    /// Do not open it, and leave the terminal to the build.
    Leave,
}

/// Follows the plugin in that folder until the future is dropped.
pub async fn run(folder: &Path, page: DevPage) -> anyhow::Result<()> {
    let log = Collector::default();
    log.install();
    let contents =
        Contents::of(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let watch = SourceWatch::new(folder);
    let stage = Stage::set(&[]).await.context("the host could not be set up")?;
    let address = stage.platform.domain();
    terminal::result!("simulated platform  {address}");
    terminal::result!("webhook             {}", stage.webhook_url());
    if page == DevPage::Open {
        browser::open(&address);
    }
    let session = DevSession { folder, page, stage: &stage, log };
    tokio::select! {
        // Neither ends, and both are dropped together.
        () = session.follow(contents, watch) => {}
        () = stage.narrate() => {}
    }
    Ok(())
}

struct DevSession<'a> {
    folder: &'a Path,
    page: DevPage,
    stage: &'a Stage,
    log: Collector,
}

impl DevSession<'_> {
    async fn follow(&self, mut contents: Contents, mut watch: SourceWatch) {
        loop {
            if let Err(error) = self.turn().await {
                terminal::notice!("aviary: {error:#}");
            }
            terminal::result!("waiting for a change in {}", self.folder.display());
            contents = watch.differs_from(&contents).await;
        }
    }

    /// Builds the source as it is now, makes it live, and shows what the user would see.
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

    /// Builds the plugin and waits until the new version is live.
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
            DevPage::Open => Some(&hears),
            DevPage::Leave => None,
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

    /// Replaces the old files with the new ones. The old ones are removed first, so that the next event of the host is about the
    /// new ones.
    async fn exchange(&self, built: &Built) -> anyhow::Result<()> {
        let (plugins, name) = (self.stage.plugins(), built.name.as_str());
        let file = |ending: &str| plugins.join(format!("{name}.{ending}"));
        let mut events = self.stage.follow_plugins();
        if file("wasm").exists() {
            std::fs::remove_file(file("wasm"))?;
            absent_already(std::fs::remove_file(file("toml")))?;
            absent_already(std::fs::remove_dir_all(file("tests")))?;
            verdict(&mut events, name).await?;
        }
        built.place(&plugins)?;
        match verdict(&mut events, name).await? {
            HostVerdict::Live => Ok(()),
            HostVerdict::Refused(reason) => bail!("the host refuses it: {reason}"),
            HostVerdict::Removed => bail!("its file was deleted from {}", plugins.display()),
        }
    }
}

/// The host's decision about a plugin's files.
enum HostVerdict {
    Live,
    Refused(String),
    Removed,
}

/// Waits for the host's decision about that plugin's files. It always comes, because the host limits the processor time of a
/// compilation.
async fn verdict(events: &mut Receiver<FolderEvent>, name: &str) -> anyhow::Result<HostVerdict> {
    loop {
        let Ok(event) = tokio::time::timeout(SLOW_LOAD, events.recv()).await else {
            terminal::notice!("aviary: the host still loads {name}");
            continue;
        };
        let FolderEvent { plugin, change } = event?;
        match change {
            _ if *plugin != *name => {}
            FolderChange::Live(_) => return Ok(HostVerdict::Live),
            FolderChange::Refused { reason, .. } => return Ok(HostVerdict::Refused(reason)),
            FolderChange::Removed => return Ok(HostVerdict::Removed),
            _ => {}
        }
    }
}

fn absent_already(result: std::io::Result<()>) -> std::io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
