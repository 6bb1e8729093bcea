//! Delivers card updates: in order, at the platform's pace, and again until the platform accepts or refuses each.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::open_api::rate_limit::Rate;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::request::ApiResponse;
use crate::open_api::transport::OpenApi;
use crate::open_api::transport::card_update;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::update::PendingUpdate;
use crate::store::update::UpdateId;
use crate::telemetry::events::CARD_UPDATE_RETRIED;
use crate::telemetry::events::CARD_UPDATE_SUPERSEDED;
use crate::telemetry::events::CARD_UPDATED;
use crate::telemetry::metrics;
use crate::telemetry::metrics::UpdateResult;

/// The platform's documented rate for `card/update`, for each app.
const UPDATE_RATE: Rate = Rate { in_a_second: 50, in_a_minute: 1000 };
/// Memory for one app's waiting updates, in KiB. At the platform's rate 30,000 updates leave in the half hour that a token lives;
/// this bounds how many wait while the platform does not answer.
const WAITING_KIB: usize = 64 * 1024;
/// The least that an update counts for, in KiB, which bounds their number to 8192.
const LEAST_KIB: usize = 8;
/// Time limit of one attempt. A platform that does not answer in ten seconds is down.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The pause after the first failure. Each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: thirty attempts in the half hour that a token lives.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Codes after which the update is sent again: "internal error" in two documented spellings, "too many requests" in two, and the
/// four that complain of a credential, which the transport has renewed once already. None of them is about the card.
const TRY_AGAIN: [i64; 8] =
    [200_080, 300_000, 99_991_400, 230_020, 99_991_663, 99_991_664, 99_991_671, 10_012];
/// The code for "the token has been used up".
const USED_UP: i64 = 300_040;

/// The card updates of one app.
#[derive(Debug)]
pub(super) struct CardUpdates {
    app: Arc<str>,
    open_api: Arc<OpenApi>,
    store: Store,
    rate: RateLimit,
    room: Arc<Semaphore>,
    shutdown: Shutdown,
}

/// An update that holds its share of the memory for waiting updates.
#[derive(Debug)]
pub(super) struct Update {
    id: UpdateId,
    pub(super) pending: PendingUpdate,
    attempted: bool,
    _room: OwnedSemaphorePermit,
}

impl Update {
    fn event_id(&self) -> Option<&str> {
        self.pending.event_id.as_deref()
    }
}

impl Drop for Update {
    fn drop(&mut self) {
        metrics::add_card_updates_waiting(&self.pending.app, -1.0);
    }
}

/// The result of one attempt.
enum Attempt {
    /// The card is shown.
    Shown,
    /// The platform will never take it.
    Refused,
    /// The platform did not take the card, and may the next time.
    NotTaken(String),
    /// There was no answer, so it is unknown whether the platform took the card.
    Unknown(String),
}

/// The end of the work on one update.
#[derive(PartialEq, Eq)]
enum DeliveryEnd {
    Settled(UpdateResult),
    /// The host is stopping, or another host took the update over: another process continues.
    Left,
}

impl CardUpdates {
    /// Starts with no waiting updates.
    pub(super) fn new(
        app: Arc<str>,
        open_api: Arc<OpenApi>,
        store: Store,
        shutdown: Shutdown,
    ) -> Self {
        let (rate, room) = (RateLimit::new(UPDATE_RATE), Arc::new(Semaphore::new(WAITING_KIB)));
        Self { app, open_api, store, rate, room, shutdown }
    }

    /// Takes an update in; `None` if too many wait already.
    pub(super) fn admit(
        &self,
        id: UpdateId,
        pending: PendingUpdate,
        attempted: bool,
    ) -> Option<Update> {
        let kib = pending.card.len().div_ceil(1024).max(LEAST_KIB);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        match Arc::clone(&self.room).try_acquire_many_owned(kib) {
            Ok(room) => {
                metrics::add_card_updates_waiting(&self.app, 1.0);
                Some(Update { id, pending, attempted, _room: room })
            }
            Err(_full) => {
                let event_id = pending.event_id.as_deref();
                tracing::error!(app = %self.app, event_id, "card update dropped: too many wait already");
                metrics::record_card_update(UpdateResult::NoRoom);
                None
            }
        }
    }

    /// Stores the updates, so that they outlive this process. If the store fails, only that is lost.
    pub(super) async fn keep(&self, updates: &[Update]) {
        // All at once, so that they share one commit.
        let puts = updates.iter().map(|update| self.store.put(update.id, &update.pending));
        for kept in join_all(puts).await {
            self.report_store_error("kept", kept);
        }
    }

    /// Shows the updates of one callback, in order.
    pub(super) async fn deliver(&self, updates: Vec<Update>) {
        let mut updates = updates.into_iter().peekable();
        while let Some(update) = updates.next() {
            match self.show(&update, updates.peek().is_some()).await {
                DeliveryEnd::Left => return,
                DeliveryEnd::Settled(result) => {
                    metrics::record_card_update(result);
                    let done = self.store.done(update.id).await;
                    self.report_store_error("settled", done);
                }
            }
        }
    }

    /// Tries until the card is shown or never will be. `superseded`: another update of the same card waits.
    async fn show(&self, update: &Update, superseded: bool) -> DeliveryEnd {
        let mut marked = update.attempted;
        let mut maybe_shown = update.attempted;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(result) = self.too_late(update, maybe_shown && superseded) {
                return DeliveryEnd::Settled(result);
            }
            tokio::select! {
                // Cancel safe: both only wait. If the rate allows a request at once, it is sent even while the host stops.
                biased;
                () = self.rate.turn() => {}
                () = self.shutdown.begun() => return DeliveryEnd::Left,
            }
            if !marked {
                let kept = self.store.attempted(update.id).await;
                if let Err(StoreError::TakenOver) = kept {
                    return DeliveryEnd::Left;
                }
                self.report_store_error("marked", kept);
                marked = true;
            }
            let reason = match self.attempt(update, maybe_shown).await {
                Attempt::Shown => return DeliveryEnd::Settled(UpdateResult::Delivered),
                Attempt::Refused => return DeliveryEnd::Settled(UpdateResult::Refused),
                Attempt::NotTaken(reason) => {
                    if !maybe_shown {
                        let kept = self.store.not_taken(update.id).await;
                        self.report_store_error("marked", kept);
                        marked = false;
                    }
                    reason
                }
                Attempt::Unknown(reason) => {
                    maybe_shown = true;
                    reason
                }
            };
            // A random pause, so that updates that failed together do not return together.
            let wait = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            let (event_id, pause_ms) = (update.event_id(), wait.as_millis() as u64);
            tracing::warn!(app = %self.app, event_id, reason, pause_ms, "{CARD_UPDATE_RETRIED}");
            metrics::record_card_update_retry();
            tokio::select! {
                // Cancel safe: both only wait.
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.begun() => return DeliveryEnd::Left,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn too_late(&self, update: &Update, could_cost_the_next: bool) -> Option<UpdateResult> {
        let event_id = update.event_id();
        // A token has two uses. Spending one more on a card that may be there already could cost the last update, which has the
        // card's final state.
        if could_cost_the_next {
            tracing::warn!(app = %self.app, event_id, "{CARD_UPDATE_SUPERSEDED}");
            return Some(UpdateResult::Superseded);
        }
        if update.pending.time_left().is_zero() {
            tracing::error!(app = %self.app, event_id, "card update: not delivered before its token expired");
            return Some(UpdateResult::Expired);
        }
        None
    }

    async fn attempt(&self, update: &Update, maybe_shown: bool) -> Attempt {
        let request = card_update(&update.pending.token, &update.pending.card);
        let (tenant, until) = (&update.pending.tenant, Instant::now() + ATTEMPT);
        match self.open_api.call(&request, tenant, until).await {
            Ok(response) => self.judge(update, &response, maybe_shown),
            // Without an access token no request was sent: the platform has not seen the card.
            Err(error) if error.is_unsent() => Attempt::NotTaken(error.to_string()),
            Err(error) => Attempt::Unknown(error.to_string()),
        }
    }

    fn judge(&self, update: &Update, response: &ApiResponse, maybe_shown: bool) -> Attempt {
        let (status, code) = (response.status, response.code());
        let said = || match code {
            Some(code) => format!("HTTP {status}, code {code}"),
            None => format!("HTTP {status}, no code"),
        };
        let event_id = update.event_id();
        match code {
            // An attempt whose answer was lost may have used the token up; then the card is shown.
            Some(0 | USED_UP) if code == Some(0) || maybe_shown => {
                tracing::info!(app = %self.app, event_id, "{CARD_UPDATED}");
                Attempt::Shown
            }
            Some(code) if TRY_AGAIN.contains(&code) => Attempt::NotTaken(said()),
            _ if status == 429 => Attempt::NotTaken(said()),
            // A failing gateway may have passed the request on.
            _ if status >= 500 => Attempt::Unknown(said()),
            None => Attempt::Unknown(said()),
            Some(code) => {
                let log_id = response.log_id.as_deref();
                tracing::error!(app = %self.app, event_id, status, code, log_id, "card update: refused");
                Attempt::Refused
            }
        }
    }

    fn report_store_error(&self, what: &str, result: Result<(), StoreError>) {
        if let Err(error) = result {
            tracing::error!(app = %self.app, %error, "store: card update not {what}, a restart may lose or repeat it");
            metrics::record_store_failure();
        }
    }
}
