//! Assigns cores: the generator gets one core and every contestant another; or all of them share the machine.

use anyhow::Context as _;
use anyhow::ensure;
use core_affinity::CoreId;

/// Cores of the generator and of the contestants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cores {
    /// All run on whatever core the system chooses.
    Shared,
    /// Each runs on a core of its own.
    Apart {
        /// Core of the load generator and the simulated platform.
        generator: CoreId,
        /// Core of the contestants.
        servers: CoreId,
    },
}

impl Cores {
    /// Takes the first two cores that this process may use, or the only one. The calling thread is pinned to the generator's
    /// core, and so is every thread that it starts later.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let allowed = core_affinity::get_core_ids().context("cannot see which cores there are")?;
        let generator = *allowed.first().context("no core to run on")?;
        pin(generator)?;
        Ok(Self::Apart { generator, servers: *allowed.get(1).unwrap_or(&generator) })
    }

    /// Runs `start` so that the process it starts is pinned to the servers' core from its first instruction: it then believes
    /// that the machine has one core.
    pub(crate) fn on_the_servers<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        let Self::Apart { generator, servers } = self else { return Ok(start()) };
        pin(servers)?;
        let started = start();
        pin(generator)?;
        Ok(started)
    }

    /// Returns the words for the report.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Shared => "generator and servers on whatever core is free".to_owned(),
            Self::Apart { generator, servers } if generator == servers => {
                format!("generator and servers share core {}", generator.id)
            }
            Self::Apart { generator, servers } => {
                format!("generator on core {}, servers on core {}", generator.id, servers.id)
            }
        }
    }
}

fn pin(core: CoreId) -> anyhow::Result<()> {
    ensure!(core_affinity::set_for_current(core), "cannot run on core {}", core.id);
    Ok(())
}
