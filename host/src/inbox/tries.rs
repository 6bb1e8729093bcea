//! What happens to an entry after a try that failed.

use crate::plugin::config::work::WorkConfig;
use crate::store::inbox::Settle;

/// The failure of one try.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why it failed.
    pub reason: String,
    /// True if the plugin says that another try would fail as well.
    pub is_final: bool,
}

/// Decides after a failure. `failures` are those of the earlier tries. Also returns the words for the log.
pub fn after(failure: Failure, failures: u32, work: &WorkConfig) -> (Settle, String) {
    let Failure { reason, is_final } = failure;
    let (tried, tries) = (failures.saturating_add(1), work.tries);
    if is_final {
        let words = format!("{reason}; set aside, because another try would fail as well");
        return (Settle::Aside { reason }, words);
    }
    if tried >= tries {
        let words = format!("{reason}; set aside after try {tried} of {tries}");
        return (Settle::Aside { reason }, words);
    }
    let after = work.pause(tried);
    let words = format!("{reason}; try {tried} of {tries}, the next in {} ms", after.as_millis());
    (Settle::Again { after, reason }, words)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settled(is_final: bool, failures: u32) -> Settle {
        let work = WorkConfig { pause_ms: 10, ..WorkConfig::default() };
        after(Failure { reason: "x".to_owned(), is_final }, failures, &work).0
    }

    #[test]
    fn the_last_try_and_a_final_failure_set_it_aside() {
        let again = |ms| Settle::Again { after: Duration::from_millis(ms), reason: "x".to_owned() };
        let aside = Settle::Aside { reason: "x".to_owned() };
        assert_eq!(settled(false, 0), again(10));
        assert_eq!(settled(false, 1), again(20));
        assert_eq!(settled(false, 2), aside);
        assert_eq!(settled(true, 0), aside);
    }
}
