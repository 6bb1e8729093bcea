//! Who runs where: the generator has one core for itself, and every contestant the other.

use anyhow::Context as _;
use anyhow::ensure;
use core_affinity::CoreId;

/// The two cores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    generator: CoreId,
    servers: CoreId,
}

impl Cores {
    /// The first two that this process may use, or the one there is. The calling thread runs on the generator's from
    /// now on, and so does every thread that it starts.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let allowed = core_affinity::get_core_ids().context("cannot see which cores there are")?;
        let generator = *allowed.first().context("no core to run on")?;
        let cores = Self { generator, servers: *allowed.get(1).unwrap_or(&generator) };
        pin(cores.generator)?;
        Ok(cores)
    }

    /// Runs `start` so that the process it starts is on the servers' core from its first instruction: that is how many
    /// cores it then believes there are.
    pub(crate) fn on_the_servers<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        pin(self.servers)?;
        let started = start();
        pin(self.generator)?;
        Ok(started)
    }

    /// For the report.
    pub(crate) fn words(self) -> String {
        if self.generator == self.servers {
            return format!("generator and servers share core {}", self.generator.id);
        }
        format!("generator on core {}, servers on core {}", self.generator.id, self.servers.id)
    }
}

fn pin(core: CoreId) -> anyhow::Result<()> {
    ensure!(core_affinity::set_for_current(core), "cannot run on core {}", core.id);
    Ok(())
}
