//! After the answer: replies that came too late and cards that were asked for later, shown by `card/update`.
//!
//! The platform undoes an update that overtakes its callback's answer, so nothing here starts before that answer was
//! flushed. What is waiting is held in memory: a restart loses it, and says so in the log while draining.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::reply::RawReply;
use crate::callback::reply_check::check_update;
use crate::capability::deferred::MAX_UPDATES;
use crate::open_api::transport::OpenApi;
use crate::open_api::transport::card_update;
use crate::plugin::instance::RunningCall;
use crate::plugin::registry::Plugin;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// How long one update may take. The token lives for 30 minutes; a platform that does not answer in ten seconds is down.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(10);

/// Held by the door that sends the answer. Dropping it unused says that the answer never went out; then there is
/// nothing left that an update could overtake.
#[derive(Debug)]
pub struct Flushed(oneshot::Sender<()>);

impl Flushed {
    /// The answer's last byte is with the operating system.
    pub fn mark(self) {
        // Mostly nobody waits: only a callback with something to show later does.
        let _ = self.0.send(());
    }
}

/// What may still happen to a callback that has its answer.
pub(super) struct Afterwards {
    shutdown: Shutdown,
    open_api: Arc<OpenApi>,
    app: Arc<str>,
    callback: Arc<Callback>,
    flushed: oneshot::Receiver<()>,
}

/// The two ends of it.
pub(super) fn afterwards(
    shutdown: &Shutdown,
    open_api: &Arc<OpenApi>,
    app: &Arc<str>,
    callback: &Arc<Callback>,
) -> (Flushed, Afterwards) {
    let (sender, flushed) = oneshot::channel();
    let afterwards = Afterwards {
        shutdown: shutdown.clone(),
        open_api: Arc::clone(open_api),
        app: Arc::clone(app),
        callback: Arc::clone(callback),
        flushed,
    };
    (Flushed(sender), afterwards)
}

impl Afterwards {
    /// Shows these cards, one after the other.
    pub(super) fn update(self, cards: Vec<Json>) {
        if !cards.is_empty() {
            self.shutdown.clone().spawn(self.deliver(cards));
        }
    }

    /// Waits for a call that missed the deadline, and shows the card it returns.
    pub(super) fn follow(self, mut running: RunningCall, plugin: Arc<Plugin>) {
        self.shutdown.clone().spawn(async move {
            let report = running.report().await;
            let event_id = self.event_id();
            let reason = report.result.as_ref().err().map(ToString::to_string);
            tracing::info!(
                app = %self.app, event_id, plugin = plugin.name(), version = plugin.version(), fuel = report.fuel,
                reason, "late reply"
            );
            let mut cards = report.deferred;
            match report.result.map(RawReply::into_card) {
                Ok(Some(card)) => match check_update(&card, None) {
                    Ok(card) => cards.push(card),
                    Err(faults) => {
                        tracing::warn!(app = %self.app, event_id, %faults, "late card dropped");
                        telemetry::record_late("invalid");
                    }
                },
                // A toast has nowhere to appear any more.
                Ok(None) => telemetry::record_late("nothing_to_show"),
                Err(_) => telemetry::record_late("failed"),
            }
            // What the card shall show in the end is worth more than what it was to show in between.
            let surplus = cards.len().saturating_sub(MAX_UPDATES);
            cards.drain(..surplus);
            self.deliver(cards).await;
        });
    }

    async fn deliver(self, cards: Vec<Json>) {
        let Some(card_action) = self.callback.card_action() else { return };
        // An error means that the answer was never sent, which leaves nothing to wait for either.
        let _ = self.flushed.await;
        for card in &cards {
            let request = card_update(&card_action.update_token, card);
            let event_id = self.callback.header.event_id.as_deref().unwrap_or_default();
            match self.open_api.call(&request, Instant::now() + UPDATE_TIMEOUT).await {
                Ok(response) if response.code() == Some(0) => {
                    tracing::info!(app = %self.app, event_id, "card updated");
                    telemetry::record_late("delivered");
                }
                Ok(response) => {
                    let (code, log_id) = (response.code(), response.log_id);
                    tracing::error!(app = %self.app, event_id, status = response.status, code, log_id, "card update refused");
                    telemetry::record_late("refused");
                }
                Err(error) => {
                    tracing::error!(app = %self.app, event_id, %error, "card update not delivered");
                    telemetry::record_late("undelivered");
                }
            }
        }
    }

    fn event_id(&self) -> &str {
        self.callback.header.event_id.as_deref().unwrap_or_default()
    }
}
