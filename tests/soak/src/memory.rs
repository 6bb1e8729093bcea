//! Samples the host's memory over time.

use std::time::Duration;

use aviary_e2e::host::HostProcess;
use aviary_state::Mutex;

/// Time between two samples. A tenth of the smallest soak takes a second.
const INTERVAL: Duration = Duration::from_millis(50);

/// Samples a host's memory for as long as its future is polled.
#[derive(Default)]
pub(crate) struct Gauge {
    /// Sum and number of the samples in each tenth.
    tenths: Mutex<[(f64, u32); 10]>,
}

impl Gauge {
    /// Samples until the process is gone. `progress` goes from 0 to 1.
    pub(crate) async fn watch(
        &self,
        host: &HostProcess,
        progress: impl Fn() -> f64,
    ) -> anyhow::Result<()> {
        loop {
            let resident = host.memory()? as f64;
            let tenth = (progress() * 10.0) as usize;
            if let Some(slot) = self.tenths.lock().get_mut(tenth) {
                slot.0 += resident;
                slot.1 += 1;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Returns the growth from the average of the second tenth to that of the last, in percent.
    pub(crate) fn growth_percent(&self) -> f64 {
        let tenths = self.tenths.lock();
        let average = |tenth: usize| tenths[tenth].0 / f64::from(tenths[tenth].1.max(1));
        let (early, late) = (average(1), average(9));
        if early == 0.0 { 0.0 } else { (late - early) / early * 100.0 }
    }
}
