//! Card updates on their way: in order, at the platform's pace, again and again until it has said yes or no.

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

/// What the platform documents for `card/update`, for each app.
const UPDATE_RATE: Rate = Rate { in_a_second: 50, in_a_minute: 1000 };
/// Memory for the updates of one app that wait, in KiB. The platform's rate shows 30,000 in the half hour that a token
/// lives, of which this holds those that a platform which does not answer leaves waiting.
const WAITING_KIB: usize = 64 * 1024;
/// What the smallest update counts for, which bounds their number to 8192.
const LEAST_KIB: usize = 8;
/// How long one attempt may take. A platform that does not answer in ten seconds is down.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The pause after the first failure. It doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: thirty attempts in the half hour that a token lives.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// "Internal error" in two documented spellings, "too many requests" in two, and the four that complain of a credential,
/// which the transport has renewed once already: none of them says anything about the card.
const TRY_AGAIN: [i64; 8] =
    [200_080, 300_000, 99_991_400, 230_020, 99_991_663, 99_991_664, 99_991_671, 10_012];
/// "The token has been used up".
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

/// An update that has its place among those that wait.
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

/// What came of one attempt.
enum Attempt {
    /// The card is shown.
    Shown,
    /// The platform will never take it.
    Refused,
    /// The platform did not take it, and may the next time.
    NotTaken(String),
    /// There was no answer, so nobody knows whether it was taken.
    Unknown(String),
}

/// What became of one update.
#[derive(PartialEq, Eq)]
enum End {
    Settled(UpdateResult),
    /// The host is stopping, or seemed to be gone: another process goes on.
    Left,
}

impl CardUpdates {
    /// None waits yet.
    pub(super) fn new(
        app: Arc<str>,
        open_api: Arc<OpenApi>,
        store: Store,
        shutdown: Shutdown,
    ) -> Self {
        let (rate, room) = (RateLimit::new(UPDATE_RATE), Arc::new(Semaphore::new(WAITING_KIB)));
        Self { app, open_api, store, rate, room, shutdown }
    }

    /// Gives an update its place among those that wait, unless too many do.
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

    /// Makes the updates outlive this process. A store that does not work costs only that.
    pub(super) async fn keep(&self, updates: &[Update]) {
        // Together, so that they share one commit.
        let puts = updates.iter().map(|update| self.store.put(update.id, &update.pending));
        for kept in join_all(puts).await {
            self.complain("kept", kept);
        }
    }

    /// Shows the updates of one callback, one after the other.
    pub(super) async fn deliver(&self, updates: Vec<Update>) {
        let mut updates = updates.into_iter().peekable();
        while let Some(update) = updates.next() {
            match self.show(&update, updates.peek().is_some()).await {
                End::Left => return,
                End::Settled(result) => {
                    metrics::record_card_update(result);
                    let done = self.store.done(update.id).await;
                    self.complain("settled", done);
                }
            }
        }
    }

    /// Tries until it is shown or never will be. `superseded`: another update of the same card waits.
    async fn show(&self, update: &Update, superseded: bool) -> End {
        let mut marked = update.attempted;
        let mut maybe_shown = update.attempted;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(result) = self.too_late(update, maybe_shown && superseded) {
                return End::Settled(result);
            }
            tokio::select! {
                // Cancel safe: both only wait. A turn that comes at once is taken even while the host stops.
                biased;
                () = self.rate.turn() => {}
                () = self.shutdown.begun() => return End::Left,
            }
            if !marked {
                let kept = self.store.attempted(update.id).await;
                if let Err(StoreError::TakenOver) = kept {
                    return End::Left;
                }
                self.complain("marked", kept);
                marked = true;
            }
            let reason = match self.attempt(update, maybe_shown).await {
                Attempt::Shown => return End::Settled(UpdateResult::Delivered),
                Attempt::Refused => return End::Settled(UpdateResult::Refused),
                Attempt::NotTaken(reason) => {
                    if !maybe_shown {
                        let kept = self.store.not_taken(update.id).await;
                        self.complain("marked", kept);
                        marked = false;
                    }
                    reason
                }
                Attempt::Unknown(reason) => {
                    maybe_shown = true;
                    reason
                }
            };
            // Those that failed together shall not come back together.
            let wait = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            let (event_id, pause_ms) = (update.event_id(), wait.as_millis() as u64);
            tracing::warn!(app = %self.app, event_id, reason, pause_ms, "{CARD_UPDATE_RETRIED}");
            metrics::record_card_update_retry();
            tokio::select! {
                // Cancel safe: both only wait.
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.begun() => return End::Left,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn too_late(&self, update: &Update, could_cost_the_next: bool) -> Option<UpdateResult> {
        let event_id = update.event_id();
        // A token has two uses. Spending one more on a card that may be there already could cost the last one, and
        // that is what the card shall show in the end.
        if could_cost_the_next {
            tracing::warn!(app = %self.app, event_id, "{CARD_UPDATE_SUPERSEDED}");
            return Some(UpdateResult::Superseded);
        }
        if update.pending.time_left().is_zero() {
            tracing::error!(app = %self.app, event_id, "card update not delivered while its token was good");
            return Some(UpdateResult::Expired);
        }
        None
    }

    async fn attempt(&self, update: &Update, maybe_shown: bool) -> Attempt {
        let request = card_update(&update.pending.token, &update.pending.card);
        let (tenant, until) = (&update.pending.tenant, Instant::now() + ATTEMPT);
        match self.open_api.call(&request, tenant, until).await {
            Ok(response) => self.judge(update, &response, maybe_shown),
            // No token, no request: the platform has not seen the card.
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
            // Used up by the attempt whose answer was lost, if there was one.
            Some(0 | USED_UP) if code == Some(0) || maybe_shown => {
                tracing::info!(app = %self.app, event_id, "{CARD_UPDATED}");
                Attempt::Shown
            }
            Some(code) if TRY_AGAIN.contains(&code) => Attempt::NotTaken(said()),
            _ if status == 429 => Attempt::NotTaken(said()),
            // A gateway that failed may have passed the request on.
            _ if status >= 500 => Attempt::Unknown(said()),
            None => Attempt::Unknown(said()),
            Some(code) => {
                let log_id = response.log_id.as_deref();
                tracing::error!(app = %self.app, event_id, status, code, log_id, "card update refused");
                Attempt::Refused
            }
        }
    }

    fn complain(&self, what: &str, result: Result<(), StoreError>) {
        if let Err(error) = result {
            tracing::error!(app = %self.app, %error, "a card update is not {what} in the store: a restart may lose or repeat it");
            metrics::record_store_failure();
        }
    }
}
