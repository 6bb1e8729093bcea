//! The inbox as operators see it: figures, entries, and what they may do with them.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::clock::now_ms;
use crate::inbox::Inbox;
use crate::store::StoreError;
use crate::store::inbox::Changed;
use crate::store::inbox::EntryId;
use crate::store::inbox::Listed;
use crate::store::inbox::QueueFigures;
use crate::store::inbox::Verdict;
use crate::telemetry::metrics;

/// The inbox of one app.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct InboxReport {
    /// Id of the app.
    pub app: String,
    /// Figures of each plugin that has entries.
    pub plugins: Vec<QueueFigures>,
    /// The first entries: those that are set aside, and then those that wait.
    pub entries: Vec<Listed>,
}

/// One entry with what its handler is given.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EntryReport {
    /// Id of the app.
    pub app: String,
    /// The facts about it.
    #[serde(flatten)]
    pub entry: Listed,
    /// The event as the platform sent it, without the verification token.
    pub body: String,
}

impl Inbox {
    /// Counts the entries of each plugin that has any, and sets the metrics to the same numbers.
    pub async fn figures(&self) -> Result<Vec<QueueFigures>, StoreError> {
        let figures = self.store.inbox_figures(&self.app).await?;
        let mut shown = self.shown.lock();
        shown.extend(figures.iter().map(|figures| figures.plugin.clone()));
        for plugin in shown.iter() {
            let found = figures.iter().find(|figures| figures.plugin == *plugin);
            let QueueFigures { waiting, working, aside, oldest_ms, .. } =
                found.cloned().unwrap_or_default();
            let states = [("waiting", waiting), ("working", working), ("set_aside", aside)];
            let oldest = oldest_ms.map_or(0, |ms| now_ms().saturating_sub(ms));
            metrics::set_inbox(&self.app, plugin, states, Duration::from_millis(oldest));
        }
        drop(shown);
        Ok(figures)
    }

    /// Lists the first entries.
    pub async fn report(&self) -> Result<InboxReport, StoreError> {
        Ok(InboxReport {
            app: self.app.to_string(),
            plugins: self.figures().await?,
            entries: self.store.inbox_list(&self.app).await?,
        })
    }

    /// Returns one entry.
    pub async fn entry(&self, id: EntryId) -> Result<Option<EntryReport>, StoreError> {
        let found = self.store.inbox_entry(&self.app, id).await?;
        Ok(found.map(|(entry, body)| EntryReport {
            app: self.app.to_string(),
            entry,
            body: String::from_utf8_lossy(&body).into_owned(),
        }))
    }

    /// Carries out an operator's decision.
    pub async fn change(&self, id: EntryId, verdict: Verdict) -> Result<Changed, StoreError> {
        let changed = self.store.inbox_change(&self.app, id, verdict).await?;
        if changed == Changed::Yes {
            let word = match verdict {
                Verdict::Retry => "retry",
                Verdict::Drop => "drop",
            };
            tracing::info!(app = %self.app, id, word, "inbox: an operator has decided on an entry");
            self.news.notify_one();
        }
        Ok(changed)
    }
}
