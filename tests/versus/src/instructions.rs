//! The instructions of one click, counted by valgrind: what a change costs, on whatever machine and however busy it is.
//!
//! Both programs run unchanged, with their sockets, and get one click after the other. Starting and stopping a process costs the
//! same in every run, so the difference between many clicks and few is counted. The count depends on the compiler, and on the
//! processor features that valgrind reports; counts are therefore compared only for the same compiler and valgrind. Under
//! valgrind a call takes fifty times as long and never counts as quick, so each is handed to a guest thread: the host's count
//! includes this, the cost of a click on a bare machine does not.

mod recorded;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use serde::Serialize;

use crate::aviary::Plan;
use crate::click::Clicks;
use crate::contestant;
use crate::contestant::Contestant;
use crate::cores::Cores;
use crate::lane::Lane;

pub use crate::instructions::recorded::Comparison;
pub use crate::instructions::recorded::compare;
pub use crate::instructions::recorded::record;

/// Counts of a build, and the tools that made them.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Cargo profile: `release` or `dev`.
    profile: String,
    /// Version of the compiler of both programs.
    rustc: String,
    valgrind: String,
    /// Instructions of one click, by the program that answers it.
    instructions: BTreeMap<String, u64>,
}

impl Counted {
    /// Returns the instructions of one click, if that program was counted.
    pub fn of(&self, who: Counts) -> Option<u64> {
        self.instructions.get(who.name()).copied()
    }
}

/// The two numbers of clicks whose difference is counted.
#[derive(Clone, Copy, Debug)]
pub struct Clicked {
    few: usize,
    many: usize,
}

impl Clicked {
    /// Enough clicks for rare work, like a look into the plugins folder, to be a thousandth of the count.
    pub const FULL: Self = Self { few: 100, many: 1100 };
    /// Enough clicks to see that counting works.
    pub const SMALL: Self = Self { few: 2, many: 4 };
}

/// A program whose instructions are counted.
#[derive(Clone, Copy, Debug)]
pub enum Counts {
    /// The native ceiling, without a sandbox.
    Native,
    /// The host with the plugin in Rust, a fresh instance for each click.
    Aviary,
}

impl Counts {
    /// All programs that are counted.
    pub const ALL: [Self; 2] = [Self::Native, Self::Aviary];

    fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Aviary => "aviary_rust",
        }
    }
}

/// Returns the version that `valgrind` reports; `None` if it is not installed.
pub fn valgrind() -> Option<String> {
    first_line(Command::new("valgrind").arg("--version"))
}

fn first_line(command: &mut Command) -> Option<String> {
    let said = String::from_utf8(command.output().ok()?.stdout).ok()?;
    said.lines().next().map(str::to_owned)
}

/// Counts the instructions of these programs.
pub async fn count(whom: &[Counts], clicked: Clicked) -> anyhow::Result<Counted> {
    let valgrind = valgrind().context("there is no valgrind; `apt install valgrind`")?;
    let rustc = first_line(Command::new("rustc").arg("--version")).context("there is no rustc")?;
    let mut instructions = BTreeMap::new();
    for who in whom {
        let code = tempfile::tempdir()?;
        if let Counts::Aviary = who {
            // Fills the code cache for the processor that valgrind emulates.
            total(*who, code.path(), 1).await?;
        }
        let few = total(*who, code.path(), clicked.few).await?;
        let many = total(*who, code.path(), clicked.many).await?;
        let difference = many.checked_sub(few).context("more clicks took fewer instructions")?;
        let each = difference / (clicked.many - clicked.few) as u64;
        instructions.insert(who.name().to_owned(), each);
    }
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" }.to_owned();
    Ok(Counted { profile, rustc, valgrind, instructions })
}

/// Counts the instructions of a whole process that answers that many clicks.
async fn total(who: Counts, code: &Path, clicks: usize) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let counted = folder.path().join("counted");
    let into = format!("--callgrind-out-file={}", counted.display());
    let wrapper = ["valgrind", "--quiet", "--tool=callgrind", &into].map(str::to_owned);
    let server = match who {
        Counts::Native => contestant::native(&wrapper, Cores::Shared).await?,
        Counts::Aviary => {
            // One click at a time needs one place, and valgrind has no room for the memory of a hundred.
            let plan = Plan::usual()?.run_by(&wrapper).set("guests", "max_calls", 1);
            let plan = plan.set("cache", "path", code.display().to_string());
            contestant::aviary(&plan, Cores::Shared).await?
        }
    };
    click(&server, clicks).await?;
    server.process.stop().await?;
    let written = std::fs::read_to_string(&counted).context("valgrind has written nothing")?;
    totals(&written).context("valgrind has counted nothing")
}

async fn click(server: &Contestant, clicks: usize) -> anyhow::Result<()> {
    let mut user = Lane::open(&server.target, Arc::new(Clicks::on("ok"))).await?;
    for _ in 0..clicks {
        user.click().await.with_context(|| server.process.last_words())?;
    }
    Ok(())
}

fn totals(written: &str) -> Option<u64> {
    written.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}
