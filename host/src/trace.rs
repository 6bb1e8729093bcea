//! Sends every callback as a trace to an OpenTelemetry collector over OTLP and HTTP. No answer waits for it: traces that cannot
//! be sent in time are dropped and counted.

pub mod config;
mod span;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::record::CallbackRecord;
use crate::telemetry::Observers;
use crate::telemetry::events::TRACES_DROPPED;
use crate::telemetry::events::TRACES_LOST;
use crate::telemetry::metrics;
use crate::trace::config::TraceSettings;

/// Pause between two reads of the records, so that not every callback wakes the task. The observers' queue holds four times the
/// answers of a host with two cores in that time.
const REST: Duration = Duration::from_millis(50);
/// Longest time that a callback waits for its batch to fill.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Most callbacks in a batch: 0.5 MB for callbacks of common size.
const MOST_IN_BATCH: usize = 512;
/// Batches that may wait while the collector is slow, about 4 MB.
const MOST_WAITING: usize = 8;
/// Delay before a batch is sent. Observers receive a record before the answer is on the wire; after this delay it is, and the
/// last span is complete.
const MOMENT: Duration = Duration::from_millis(50);
/// Limit of one request. A slower collector has not taken the batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes that are read of the collector's answer, which names the spans that it rejected.
const MOST_ANSWER: usize = 64 << 10;
/// How long a stopping host waits until the remaining traces are sent.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Handle of the tasks that send traces. If it is dropped, they go on until the observers are closed.
#[derive(Debug)]
pub struct Traces {
    last: CancellationToken,
    gathering: JoinHandle<()>,
    telling: JoinHandle<()>,
}

/// Callbacks of one request to the collector.
struct SpanBatch {
    records: Vec<Arc<CallbackRecord>>,
    closed: Instant,
}

impl Traces {
    /// Starts to send every callback from now on.
    pub fn start(settings: TraceSettings, observers: &Observers, http: reqwest::Client) -> Self {
        let (batches, waiting) = mpsc::channel(MOST_WAITING);
        let last = CancellationToken::new();
        let gathering = tokio::spawn(gather(observers.subscribe(), batches, last.clone()));
        let telling = tokio::spawn(TraceCollector { settings, http }.tell(waiting));
        Self { last, gathering, telling }
    }

    /// Sends the remaining traces, within `LAST_WORDS`. To be called when every callback has its answer.
    pub async fn close(mut self) {
        self.last.cancel();
        let told = async {
            // A task that has ended has nothing left to send.
            let _ = (&mut self.gathering).await;
            let _ = (&mut self.telling).await;
        };
        if tokio::time::timeout(LAST_WORDS, told).await.is_err() {
            self.telling.abort();
            tracing::warn!("{TRACES_DROPPED}");
        }
    }
}

/// Collects records into batches until the observers are closed or `last` is cancelled.
async fn gather(
    mut records: broadcast::Receiver<Arc<CallbackRecord>>,
    batches: mpsc::Sender<SpanBatch>,
    last: CancellationToken,
) {
    let mut batch = Vec::new();
    let mut since = Instant::now();
    loop {
        let is_last = tokio::select! {
            // Cancel safe: both only wait.
            () = tokio::time::sleep(REST) => false,
            () = last.cancelled() => true,
        };
        let is_closed = loop {
            match records.try_recv() {
                Ok(record) => {
                    if batch.is_empty() {
                        since = Instant::now();
                    }
                    batch.push(record);
                    if batch.len() == MOST_IN_BATCH {
                        hand_over(&batches, &mut batch);
                    }
                }
                Err(TryRecvError::Lagged(count)) => metrics::record_trace_drop("behind", count),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Closed) => break true,
            }
        };
        let ends = is_last || is_closed;
        if !batch.is_empty() && (ends || since.elapsed() >= LONGEST_WAIT) {
            hand_over(&batches, &mut batch);
        }
        if ends {
            return;
        }
    }
}

fn hand_over(batches: &mpsc::Sender<SpanBatch>, batch: &mut Vec<Arc<CallbackRecord>>) {
    let records = std::mem::take(batch);
    let count = records.len();
    if batches.try_send(SpanBatch { records, closed: Instant::now() }).is_err() {
        metrics::record_trace_drop("queue_full", count as u64);
    }
}

/// The address of a collector, and the client that reaches it.
struct TraceCollector {
    settings: TraceSettings,
    http: reqwest::Client,
}

/// The reason why a collector has not taken a batch.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("{0}")]
    NoAnswer(#[from] reqwest::Error),
    #[error("it answers with HTTP status {0}")]
    Status(u16),
    #[error("it has rejected {spans} spans: {words}")]
    Rejected { spans: i64, words: String },
    #[error("its spans could not be written down")]
    NotWritten,
}

impl TraceCollector {
    async fn tell(self, mut batches: mpsc::Receiver<SpanBatch>) {
        let mut has_failed = false;
        while let Some(SpanBatch { records, closed }) = batches.recv().await {
            tokio::time::sleep_until(closed + MOMENT).await;
            let count = records.len() as u64;
            match self.post(records).await {
                Ok(()) => {
                    has_failed = false;
                    metrics::record_traces(count);
                }
                Err(why) => {
                    // Logs one line for each outage.
                    if !std::mem::replace(&mut has_failed, true) {
                        let reason = in_full(&why);
                        tracing::warn!(url = %self.settings.url, reason, "{TRACES_LOST}");
                    }
                    metrics::record_trace_drop("not_taken", count);
                }
            }
        }
    }

    async fn post(&self, records: Vec<Arc<CallbackRecord>>) -> Result<(), NotTaken> {
        // Encoding a batch takes some milliseconds, during which an I/O thread would answer no callback.
        let written = move || span::request(&records).encode_to_vec();
        let body = tokio::task::spawn_blocking(written).await.map_err(|_| NotTaken::NotWritten)?;
        let request = self.http.post(self.settings.url.clone());
        let request = request.headers(self.settings.headers.clone());
        let request = request.header(CONTENT_TYPE, "application/x-protobuf").timeout(PATIENCE);
        let without_url = reqwest::Error::without_url;
        let mut response = request.body(body).send().await.map_err(without_url)?;
        if !response.status().is_success() {
            return Err(NotTaken::Status(response.status().as_u16()));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(without_url)? {
            if answer.len() + chunk.len() > MOST_ANSWER {
                return Ok(());
            }
            answer.extend(chunk);
        }
        // An answer that cannot be decoded does not report rejected spans.
        let said = ExportTraceServiceResponse::decode(&*answer).ok();
        match said.and_then(|said| said.partial_success) {
            Some(said) if said.rejected_spans > 0 => {
                Err(NotTaken::Rejected { spans: said.rejected_spans, words: said.error_message })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Returns an error with all its causes: the first message of an HTTP client says nothing.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
