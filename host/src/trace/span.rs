//! A callback as OpenTelemetry spans: one for the whole, below it one for each step, and below the guest's step one for each
//! host call.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::printable::MAX_NAME_BYTES;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::record::CallbackRecord;
use crate::steps;
use crate::steps::Step;
use crate::telemetry::metrics::known_type;

/// Name of the service and of the instrumentation scope.
const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the request to a collector.
pub(super) fn request(records: &[Arc<CallbackRecord>]) -> ExportTraceServiceRequest {
    let spans = records.iter().flat_map(|record| Trace::of(record).spans(record)).collect();
    let scope = InstrumentationScope {
        name: NAME.to_owned(),
        version: VERSION.to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    let attributes = vec![text("service.name", NAME), text("service.version", VERSION)];
    let resource = Some(Resource { attributes, ..Resource::default() });
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

/// The values that the spans of one callback share.
struct Trace {
    id: Vec<u8>,
    /// Arrival of the first byte, in nanoseconds since the Unix epoch.
    began: u64,
}

impl Trace {
    fn of(record: &CallbackRecord) -> Self {
        let began = SystemTime::now() - record.steps.began().elapsed();
        let began = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let began = u64::try_from(began).unwrap_or(u64::MAX);
        Self { id: fastrand::u128(1..).to_be_bytes().to_vec(), began }
    }

    fn spans(&self, record: &CallbackRecord) -> Vec<Span> {
        let end = record.steps.spans().map(|(_, span)| span.at_us + span.took_us).max();
        let whole = steps::Span { at_us: 0, took_us: end.unwrap_or_default() };
        let mut root = self.span(known_type(&record.event_type), whole, &[]);
        root.kind = SpanKind::Server.into();
        root.attributes = attributes(record);
        root.status = status(record);
        let mut guest = root.span_id.clone();
        let mut below = Vec::new();
        for (step, span) in record.steps.spans() {
            let span = self.span(step.as_str(), span, &root.span_id);
            if step == Step::Guest {
                guest.clone_from(&span.span_id);
            }
            below.push(span);
        }
        let calls = record.host_calls.iter().map(|call| self.span(&call.call, call.span, &guest));
        below.extend(calls);
        below.insert(0, root);
        below
    }

    fn span(&self, name: &str, steps::Span { at_us, took_us }: steps::Span, below: &[u8]) -> Span {
        let start = self.began.saturating_add(at_us.saturating_mul(1000));
        Span {
            trace_id: self.id.clone(),
            span_id: fastrand::u64(1..).to_be_bytes().to_vec(),
            parent_span_id: below.to_vec(),
            name: name.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: start,
            end_time_unix_nano: start.saturating_add(took_us.saturating_mul(1000)),
            ..Span::default()
        }
    }
}

/// Returns the attributes of a callback: the fields of its log line, except its reason and duration.
fn attributes(record: &CallbackRecord) -> Vec<KeyValue> {
    let mut all = vec![
        text("aviary.app", &record.app),
        text("aviary.door", record.door.as_str()),
        text("aviary.type", &clipped(&record.event_type, MAX_NAME_BYTES)),
        text("aviary.outcome", record.outcome.as_str()),
    ];
    let id = record.event_id.as_deref().map(|id| clipped(id, MAX_NAME_BYTES));
    all.extend(id.map(|id| text("aviary.event_id", &id)));
    if let Some(plugin) = &record.plugin {
        all.push(text("aviary.plugin", &plugin.name));
        all.push(text("aviary.version", &plugin.version));
    }
    let fuel = record.fuel.and_then(|fuel| i64::try_from(fuel).ok());
    all.extend(fuel.map(|fuel| attribute("aviary.fuel", Value::IntValue(fuel))));
    all
}

fn status(record: &CallbackRecord) -> Option<Status> {
    let reason = record.reason.as_deref().unwrap_or_default();
    let message = clipped(reason, MAX_TEXT_BYTES).into_owned();
    let failed = Status { message, code: StatusCode::Error.into() };
    record.outcome.is_failure().then_some(failed)
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
