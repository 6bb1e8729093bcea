//! Who runs where: the generator has one core for itself, and every contestant the other; or all of them share what there
//! is.

use anyhow::Context as _;
use anyhow::ensure;
use core_affinity::CoreId;

/// Where generator and contestants run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cores {
    /// Everybody on whatever core is free, as the system has it.
    Shared,
    /// Each on its own.
    Apart {
        /// The load generator's, and the simulated platform's.
        generator: CoreId,
        /// The contestants'.
        servers: CoreId,
    },
}

impl Cores {
    /// The first two that this process may use, or the one there is. The calling thread runs on the generator's from
    /// now on, and so does every thread that it starts.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let allowed = core_affinity::get_core_ids().context("cannot see which cores there are")?;
        let generator = *allowed.first().context("no core to run on")?;
        pin(generator)?;
        Ok(Self::Apart { generator, servers: *allowed.get(1).unwrap_or(&generator) })
    }

    /// Runs `start` so that the process it starts is on the servers' core from its first instruction: that is how many
    /// cores it then believes there are.
    pub(crate) fn on_the_servers<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        let Self::Apart { generator, servers } = self else { return Ok(start()) };
        pin(servers)?;
        let started = start();
        pin(generator)?;
        Ok(started)
    }

    /// For the report.
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
