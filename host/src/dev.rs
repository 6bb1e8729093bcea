//! `aviary dev`: a plugin's source folder, followed. Each change is built, put into a host that runs beside a simulated
//! platform, and sent the last callback again; what the user would see is printed.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this module is for"
)]

mod replay;
mod source;

use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;

use crate::dev::source::Contents;
use crate::dev::source::SourceWatch;
use crate::stage::Stage;
use crate::telemetry::collector::Collector;
use crate::telemetry::collector::Line;
use crate::workshop::build;
use crate::workshop::build::Built;
use crate::workshop::build::Tests;

/// How long the host may take to say what it thinks of a component: the largest take half a minute to compile.
const VERDICT: Duration = Duration::from_secs(120);
/// What the host says of a plugin when it has looked at its files.
const SAID: [&str; 3] = ["plugin live", "plugin refused", "plugin removed"];

/// Follows the plugin in that folder until it is dropped.
pub async fn run(folder: &Path) -> anyhow::Result<()> {
    let log = Collector::default();
    log.install();
    let mut contents =
        Contents::of(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut watch = SourceWatch::new(folder);
    let stage = Stage::set(&[]).await.context("the host could not be set up")?;
    let mut session = Session { folder: folder.to_owned(), stage, log };
    println!("simulated platform  {}", session.stage.platform.domain());
    println!("webhook             {}", session.stage.webhook_url());
    loop {
        if let Err(error) = session.turn().await {
            eprintln!("aviary: {error:#}");
        }
        println!("waiting for a change in {}", folder.display());
        contents = watch.differs_from(&contents).await;
    }
}

struct Session {
    folder: PathBuf,
    stage: Stage,
    log: Collector,
}

impl Session {
    /// From the source as it is now to what the user would see.
    async fn turn(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let progress = |step: &str| eprintln!("aviary: {step}");
        let built = build::build(&self.folder, Tests::Leave, &progress).await?;
        let building = began.elapsed();
        self.exchange(&built).await?;
        println!(
            "built in {:.1} s, live {:.2} s later",
            building.as_secs_f64(),
            (began.elapsed() - building).as_secs_f64()
        );
        replay::play(&mut self.stage, &self.folder, &self.log).await
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
