//! Work after the answer: replies that came too late and cards that a plugin deferred.
//!
//! The platform undoes an update that overtakes its callback's answer, so nothing here starts before that answer was flushed. A
//! promised update is in the store before anybody is told of it, so that a restart does not break the promise.

mod delivery;
mod preview;
mod refresh;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::fallback::fallback;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::model::Kind;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply_check::card_as_preview;
use crate::callback::reply_check::check;
use crate::callback::reply_check::check_late;
use crate::capability::deferred::MAX_UPDATES;
use crate::clock::now_ms;
use crate::deadline::Deadline;
use crate::deadline::PLATFORM_PATIENCE;
use crate::dispatch::cached::CacheSlot;
use crate::dispatch::gate::Tickets;
use crate::dispatch::late::delivery::CardUpdates;
use crate::dispatch::late::delivery::Update;
use crate::dispatch::late::preview::Previews;
use crate::dispatch::late::preview::Viewer;
use crate::dispatch::late::refresh::Refreshes;
use crate::dispatch::made_by::MadeBy;
use crate::journal::draft::Draft;
use crate::journal::writer::Journal;
use crate::open_api::transport::OpenApi;
use crate::plugin::loaded::Plugin;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::CallReport;
use crate::runtime::call::running_call::RunningCall;
use crate::shutdown::Shutdown;
use crate::steps::Sent;
use crate::steps::Steps;
use crate::store::ADOPTION;
use crate::store::Store;
use crate::store::update::PendingUpdate;
use crate::store::update::StoredUpdate;
use crate::telemetry::events::CARD_UPDATES_RESUMED;
use crate::telemetry::events::LATE_REPLY;
use crate::telemetry::metrics;
use crate::telemetry::metrics::LateResult;

/// Runs one app's work after its answers.
#[derive(Debug)]
pub struct Late {
    app: Arc<str>,
    open_api: Arc<OpenApi>,
    store: Store,
    updates: CardUpdates,
    previews: Previews,
    refreshes: Refreshes,
    shutdown: Shutdown,
}

/// Held by the door that sends the answer. Dropping it without `mark` says that the answer never went out.
#[derive(Debug)]
pub struct Flushed {
    waiting: Option<oneshot::Sender<()>>,
    began: Instant,
    sent: Sent,
    draft: Option<Box<(Journal, Draft)>>,
}

impl Flushed {
    /// Marks the answer as sent: its last byte is with the operating system.
    pub fn mark(mut self) {
        self.sent.mark(self.began);
        if let Some(waiting) = self.waiting.take() {
            // Usually nobody waits: only a callback with something to show later does.
            let _ = waiting.send(());
        }
    }

    /// Writes the callback to the journal once its answer was sent, or never will be.
    pub(super) fn then_write(&mut self, journal: &Journal, draft: Draft) {
        self.draft = Some(Box::new((journal.clone(), draft)));
    }
}

impl Drop for Flushed {
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take() {
            let (journal, draft) = *draft;
            journal.submit(draft);
        }
    }
}

/// The other end of a [`Flushed`]: work on a callback that may follow its answer.
pub(super) struct CallContinuation {
    late: Arc<Late>,
    callback: Arc<Callback>,
    deadline: Deadline,
    flushed: oneshot::Receiver<()>,
}

impl Late {
    /// Starts with no work.
    pub fn new(
        app: Arc<str>,
        open_api: Arc<OpenApi>,
        store: Store,
        shutdown: Shutdown,
    ) -> Arc<Self> {
        let updates = CardUpdates::new(
            Arc::clone(&app),
            Arc::clone(&open_api),
            store.clone(),
            shutdown.clone(),
        );
        let refreshes = Refreshes::new(Arc::clone(&app), Arc::clone(&open_api), shutdown.clone());
        let previews = Previews::default();
        Arc::new(Self { app, open_api, store, updates, previews, refreshes, shutdown })
    }

    /// Spawns work that goes on after the answer. A host that stops waits for it.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shutdown.spawn(task);
    }

    /// Returns the client of the platform's server API.
    pub(super) fn open_api(&self) -> &OpenApi {
        &self.open_api
    }

    /// Returns the store that holds the promised updates.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Resumes the updates that an earlier process has left of this app: each callback's in order, oldest first, and different
    /// callbacks side by side.
    pub fn resume(self: &Arc<Self>, left: Vec<StoredUpdate>) {
        let mut callbacks: Vec<Vec<Update>> = Vec::new();
        for StoredUpdate { id, update, attempted } in left {
            let Some(update) = self.updates.admit(id, update, attempted) else { continue };
            let same = |updates: &&mut Vec<Update>| {
                updates.first().is_some_and(|first| first.pending.token == update.pending.token)
            };
            // Updates of one callback were promised one after the other, so they are adjacent.
            match callbacks.last_mut().filter(same) {
                Some(updates) => updates.push(update),
                None => callbacks.push(vec![update]),
            }
        }
        let waiting: usize = callbacks.iter().map(Vec::len).sum();
        if waiting > 0 {
            tracing::info!(app = %self.app, waiting, "{CARD_UPDATES_RESUMED}");
        }
        for updates in callbacks {
            let late = Arc::clone(self);
            self.shutdown.spawn(async move {
                // It is unknown whether the answer was sent. Once the platform has given up on it, an update cannot overtake it
                // any more.
                let age = updates.first().map_or(Duration::MAX, |update| update.pending.age());
                tokio::time::sleep(PLATFORM_PATIENCE.saturating_sub(age)).await;
                late.updates.deliver(updates).await;
            });
        }
    }

    /// Returns the late preview for this viewer, if the same loaded plugin made it a moment ago.
    pub(super) fn preview(&self, callback: &Callback, plugin: &Arc<Plugin>) -> Option<Reply> {
        if callback.kind() != Kind::LinkPreview {
            return None;
        }
        self.previews.find(&Viewer::of(callback)?, &MadeBy::plugin(plugin), Instant::now())
    }
}

/// Takes over updates that other hosts of a shared store leave behind, until this host stops.
pub async fn take_over(late: Arc<Late>) {
    while late.store.is_shared() {
        match late.store.adopt(&late.app).await {
            Ok(left) => late.resume(left),
            Err(error) => {
                tracing::warn!(app = %late.app, %error, "store: updates of other hosts not read");
                metrics::record_store_failure();
            }
        }
        tokio::select! {
            // Cancel safe: both only wait.
            () = late.shutdown.begun() => return,
            () = tokio::time::sleep(ADOPTION) => {}
        }
    }
}

/// Makes the two ends: one for the door that sends the answer, one for the work after it.
pub(super) fn continuation(
    late: &Arc<Late>,
    callback: &Arc<Callback>,
    deadline: Deadline,
    steps: &Steps,
) -> (Flushed, CallContinuation) {
    let (sender, flushed) = oneshot::channel();
    let (late, callback) = (Arc::clone(late), Arc::clone(callback));
    let (began, sent) = (steps.began(), steps.sent());
    let door = Flushed { waiting: Some(sender), began, sent, draft: None };
    (door, CallContinuation { late, callback, deadline, flushed })
}

impl CallContinuation {
    /// Shows these cards, one after the other. Resolves once the updates are stored, or the answer cannot wait any longer.
    pub(super) async fn update(self, mut cards: Vec<Json>, plugin: &Arc<Plugin>) {
        let Some(last) = cards.pop() else { return };
        let tasks = self.late.shutdown.clone();
        if let Some(viewer) = self.viewer_of_a_preview() {
            let plugin = Arc::clone(plugin);
            return tasks.spawn(async move {
                self.show_preview(viewer, card_as_preview(&last), &plugin).await;
            });
        }
        cards.push(last);
        let updates = self.admit(cards);
        let until = self.deadline.soft();
        if tokio::time::timeout_at(until, self.late.updates.keep(&updates)).await.is_err() {
            let event_id = self.event_id();
            tracing::warn!(app = %self.late.app, event_id, "the store is slow: a restart now would lose a card update");
        }
        tasks.spawn(async move { self.answered().await.updates.deliver(updates).await });
    }

    /// Waits for a call that missed the deadline, and shows its result.
    pub(super) fn follow(
        self,
        mut running: RunningCall,
        plugin: Arc<Plugin>,
        mut tickets: Tickets,
    ) {
        self.late.shutdown.clone().spawn(async move {
            let report = running.report().await;
            let reason = report.result.as_ref().err().map(ToString::to_string);
            tracing::info!(
                app = %self.late.app, event_id = self.event_id(), plugin = plugin.name(), version = plugin.version(),
                fuel = report.fuel, reason, "{LATE_REPLY}"
            );
            let slot = tickets.take_preview();
            if report.result.is_ok() {
                let said = match self.callback.kind() {
                    Kind::Other => Reply::accepted(),
                    _ => fallback(&self.callback, Reason::StillWorking),
                };
                // Nobody waits for this mark any more, so it may take its time.
                tickets.done(&said, self.deadline.hard() + PLATFORM_PATIENCE).await;
            }
            match self.callback.kind() {
                Kind::LinkPreview => self.refresh(report, &plugin, slot).await,
                Kind::CardAction | Kind::LegacyCard => self.late_cards(report, &plugin).await,
                Kind::Approval(_) | Kind::Other => metrics::record_late(LateResult::NothingToShow),
            }
        });
    }

    async fn late_cards(self, report: CallReport, plugin: &Arc<Plugin>) {
        let mut cards = report.deferred;
        match report.result {
            Ok(raw) => cards.extend(self.late_card(raw, plugin)),
            // A toast cannot be shown after the answer.
            Err(CallError::User(_)) => metrics::record_late(LateResult::ToastDropped),
            Err(_) => metrics::record_late(LateResult::Failed),
        }
        // Keeps the last updates: the card's final state is worth more than those in between.
        let surplus = cards.len().saturating_sub(MAX_UPDATES);
        cards.drain(..surplus);
        if let Some(viewer) = self.viewer_of_a_preview() {
            if let Some(card) = cards.pop() {
                self.show_preview(viewer, card_as_preview(&card), plugin).await;
            }
            return;
        }
        let updates = self.admit(cards);
        self.late.updates.keep(&updates).await;
        self.answered().await.updates.deliver(updates).await;
    }

    fn late_card(&self, raw: RawReply, plugin: &Plugin) -> Option<Json> {
        let late = check_late(self.callback.kind(), raw);
        if !late.faults.is_empty() {
            tracing::warn!(
                app = %self.late.app, event_id = self.event_id(), plugin = plugin.name(), version = plugin.version(),
                faults = %late.faults, "callback: late reply dropped in part"
            );
            metrics::record_late(LateResult::Invalid);
        }
        if late.has_toast {
            metrics::record_late(LateResult::ToastDropped);
        }
        match &late.card {
            Some(_) => metrics::record_late(LateResult::Card),
            None if late.has_toast || !late.faults.is_empty() => {}
            None => metrics::record_late(LateResult::NothingToShow),
        }
        late.card
    }

    /// Keeps a preview that came too late for a moment, and tells the client to ask again.
    async fn refresh(self, report: CallReport, plugin: &Arc<Plugin>, slot: Option<CacheSlot>) {
        let Ok(raw) = report.result else { return metrics::record_late(LateResult::Failed) };
        let checked = check(Kind::LinkPreview, raw, None);
        if !checked.faults.is_empty() {
            tracing::warn!(
                app = %self.late.app, event_id = self.event_id(), plugin = plugin.name(), version = plugin.version(),
                faults = %checked.faults, "callback: late reply dropped in part"
            );
            metrics::record_late(LateResult::Invalid);
        }
        if let (Some(slot), Some(reply)) = (slot, &checked.reply) {
            slot.fill(reply);
        }
        // A viewer who is still typing the link has no preview token, and no message can reach that client.
        match (Viewer::of(&self.callback), checked.reply) {
            (Some(viewer), Some(reply)) => {
                metrics::record_late(LateResult::Preview);
                self.show_preview(viewer, reply, plugin).await;
            }
            (None, Some(_)) => metrics::record_late(LateResult::NothingToShow),
            (_, None) => {}
        }
    }

    async fn show_preview(self, viewer: Viewer, reply: Reply, plugin: &Arc<Plugin>) {
        let late = self.answered().await;
        late.previews.keep(viewer.clone(), MadeBy::plugin(plugin), reply, Instant::now());
        late.refreshes.refresh(viewer).await;
    }

    /// Returns the viewer if a link preview shows the clicked card. Such a card is not updated by its token: the client has to
    /// ask for the preview again.
    fn viewer_of_a_preview(&self) -> Option<Viewer> {
        let click = self.callback.card_action()?;
        if click.location.delivery_type.as_deref() != Some("url_preview") {
            return None;
        }
        Viewer::of(&self.callback)
    }

    fn admit(&self, cards: Vec<Json>) -> Vec<Update> {
        let Some(click) = self.callback.card_action() else { return Vec::new() };
        let received_ms = now_ms().saturating_sub(self.deadline.elapsed().as_millis() as u64);
        let pending = |card| PendingUpdate {
            app: self.late.app.to_string(),
            tenant: self.callback.tenant_key().to_owned(),
            event_id: self.callback.header.event_id.clone(),
            token: click.update_token.clone(),
            card,
            received_ms,
        };
        let store = &self.late.store;
        cards
            .into_iter()
            .filter_map(|card| self.late.updates.admit(store.next_id(), pending(card), false))
            .collect()
    }

    /// Resolves once an update cannot overtake the answer any more.
    async fn answered(self) -> Arc<Late> {
        if self.flushed.await.is_err() {
            // The answer was not sent, or not in full. Once the platform has given up on it, the difference does not matter.
            tokio::time::sleep_until(self.deadline.given_up()).await;
        }
        self.late
    }

    fn event_id(&self) -> &str {
        self.callback.header.event_id.as_deref().unwrap_or_default()
    }
}
