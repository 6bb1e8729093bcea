//! One call: what it is about, and what its guest may ask of the host, which is made when it asks for the first time. Most
//! guests ask for nothing.

pub mod run;
pub mod running_call;
pub mod describe;
pub mod report;
pub mod error;
pub mod timing;
pub(in crate::runtime) mod guest;
pub(in crate::runtime) mod state;
pub(in crate::runtime) mod taped;
pub(in crate::runtime) mod command;
pub(in crate::runtime) mod command_input;
pub mod lift;
pub(in crate::runtime) mod lower;
pub mod host_call_hook;
pub(in crate::runtime) mod time_slice;
pub(in crate::runtime) mod thread_sharing;
pub(in crate::runtime) mod inline_hint;

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::capability::access::Access;
use crate::capability::config::ConfigCtx;
use crate::capability::deferred::DeferredCtx;
use crate::capability::http::HttpCtx;
use crate::capability::http::HttpWay;
use crate::capability::key_value::Buckets;
use crate::capability::key_value::KeyValueCtx;
use crate::capability::logging::LogTag;
use crate::capability::logging::LoggingCtx;
use crate::capability::open_api::OpenApiCtx;
use crate::capability::request::RequestCtx;
use crate::capability::sealed_values::SealedValuesCtx;
use crate::deadline::Deadline;
use crate::runtime::call::command_input::CommandInput;
use crate::runtime::call::time_slice::TimeSlice;
use crate::tape::Tape;

/// What a call gets at.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    /// What the operator granted.
    AsGranted,
    /// Nothing beyond this host and this call: it is only a try.
    Nothing,
}

/// What a call is about.
pub(super) struct Occasion {
    pub(super) access: Arc<Access>,
    pub(super) callback: Arc<Callback>,
    pub(super) deadline: Deadline,
    /// Where I/O is done for it.
    pub(super) io: Handle,
    pub(super) reach: Reach,
    pub(super) tape: Tape,
}

/// A call under way.
pub(super) struct Call {
    pub(super) slice: TimeSlice,
    occasion: Occasion,
    asked: Option<Capabilities>,
}

/// One context for each capability. No other call may see them.
pub(super) struct Capabilities {
    pub(super) request: RequestCtx,
    pub(super) deferred: DeferredCtx,
    pub(super) open_api: OpenApiCtx,
    pub(super) config: ConfigCtx,
    pub(super) http: HttpCtx,
    pub(super) key_value: KeyValueCtx,
    pub(super) sealed_values: SealedValuesCtx,
    pub(super) logging: LoggingCtx,
}

impl Call {
    pub(super) fn begin(occasion: Occasion) -> Self {
        Self { slice: TimeSlice::begin(), occasion, asked: None }
    }

    /// Its guest asks for something.
    pub(super) fn capabilities(&mut self) -> &mut Capabilities {
        self.asked.get_or_insert_with(|| self.occasion.capabilities())
    }

    /// It has to begin again elsewhere; its guest has not run.
    pub(super) fn into_occasion(self) -> Occasion {
        self.occasion
    }

    /// It is over. Writes what its guest printed, and returns the cards to show once the answer is on the wire.
    pub(super) fn end(self, printed: &[u8], printed_beyond: u64) -> Vec<Json> {
        let Self { occasion, asked, .. } = self;
        if asked.is_none() && printed.is_empty() && printed_beyond == 0 {
            return Vec::new();
        }
        let Capabilities { logging, deferred, .. } =
            asked.unwrap_or_else(|| occasion.capabilities());
        logging.finish(printed, printed_beyond);
        deferred.into_cards()
    }
}

impl Occasion {
    /// Of a try: it gets at nothing.
    pub(super) fn tried(
        access: Arc<Access>,
        callback: Arc<Callback>,
        deadline: Deadline,
        io: Handle,
        tape: Tape,
    ) -> Self {
        Self { access, callback, deadline, io, reach: Reach::Nothing, tape }
    }

    /// For a command, which is given everything before it starts, and may answer with so many bytes.
    pub(super) fn command_input(&self, reply_bytes: usize) -> CommandInput<'_> {
        CommandInput {
            name: &self.access.id.name,
            environment: self.access.settings.pairs().collect(),
            remaining_ms: self.tape.remaining_ms(self.deadline.remaining_ms()),
            input: self.callback.raw().without_secrets(),
            reply_bytes,
        }
    }

    fn capabilities(&self) -> Capabilities {
        let Self { access, callback, deadline, io, reach, tape } = self;
        let deadline = *deadline;
        let tag = self.log_tag();
        let has_card = callback.card_action().is_some_and(|card| !card.update_token.is_empty());
        let (open_api, buckets, way) = match reach {
            Reach::AsGranted => {
                (Some(Arc::clone(&access.open_api)), access.buckets.clone(), access.http.clone())
            }
            Reach::Nothing => (None, Buckets::default(), HttpWay::Nowhere),
        };
        let tenant = callback.tenant_key().to_owned();
        Capabilities {
            request: RequestCtx::new(callback.raw(), deadline, tape.clone()),
            deferred: DeferredCtx::new(has_card),
            open_api: OpenApiCtx::new(open_api, tenant, deadline, io.clone(), tape.clone()),
            config: access.settings.clone(),
            http: HttpCtx::new(
                way,
                access.destinations.clone(),
                deadline,
                io.clone(),
                tag.clone(),
                access.settings.clone(),
                tape.clone(),
            ),
            key_value: KeyValueCtx::new(
                access.store.clone(),
                buckets,
                deadline,
                io.clone(),
                tape.clone(),
            ),
            sealed_values: self.sealed_values(),
            logging: LoggingCtx::new(tag, access.log_bytes, access.settings.clone()),
        }
    }

    fn sealed_values(&self) -> SealedValuesCtx {
        let (app, name) = (Arc::clone(&self.access.id.app), Arc::clone(&self.access.id.name));
        let key = self.access.seal_key.clone();
        SealedValuesCtx::new(key, app, name, &self.callback, self.tape.clone())
    }

    fn log_tag(&self) -> LogTag {
        LogTag {
            app: Arc::clone(&self.access.id.app),
            plugin: Arc::clone(&self.access.id.name),
            version: Arc::clone(&self.access.id.version),
            event_id: self.callback.header.event_id.as_deref().unwrap_or_default().into(),
        }
    }
}
