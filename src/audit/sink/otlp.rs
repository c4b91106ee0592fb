//! Records as OTLP logs, over HTTP with protobuf: one log record a record.
//!
//! The body is the record's line as it stands; the attributes have the names that the semantic
//! conventions give them, and `toolgate.*` where they have none. What a collector rejects for good
//! is not passed over: it is tried again, and told of.

use super::deliver::{Deliver, Line, Refused};
use super::http::{HttpTarget, Poster};
use crate::audit::wire::WireRecord;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// The version of the semantic conventions whose names are used.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// An OTLP collector.
pub(super) struct Otlp {
    poster: Poster,
    resource: Resource,
}

impl Otlp {
    pub(super) fn new(target: HttpTarget) -> Otlp {
        let host = super::host();
        let attributes = [
            text("service.name", Some("toolgate")),
            text("service.version", Some(env!("CARGO_PKG_VERSION"))),
            text("host.name", host.as_deref()),
        ];
        let attributes = attributes.into_iter().flatten().collect();
        let resource = Resource { attributes, ..Resource::default() };
        Otlp { poster: Poster::new(target), resource }
    }
}

impl Deliver for Otlp {
    fn send(&mut self, batch: &[Line]) -> Result<(), Refused> {
        let scope = InstrumentationScope {
            name: "toolgate".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let logs = ScopeLogs {
            scope: Some(scope),
            log_records: batch.iter().map(log_record).collect(),
            schema_url: SCHEMA_URL.to_owned(),
        };
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![logs],
                schema_url: SCHEMA_URL.to_owned(),
            }],
        };
        let answer = self.poster.post("application/x-protobuf", &request.encode_to_vec())?;
        // A success may have taken a part only; an answer that says nothing took all.
        let answer = ExportLogsServiceResponse::decode(answer.as_slice()).unwrap_or_default();
        match answer.partial_success {
            Some(partial) if partial.rejected_log_records > 0 => {
                let (rejected, why) = (partial.rejected_log_records, partial.error_message);
                Err(format!("the collector rejected {rejected} records: {why:?}").into())
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn log_record(line: &Line) -> LogRecord {
    let record = &line.record;
    let (severity, severity_text) = severity(record);
    let time = record.ts.parse::<jiff::Timestamp>().ok();
    let nanoseconds = time.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    LogRecord {
        time_unix_nano: nanoseconds.unwrap_or_default(),
        observed_time_unix_nano: nanoseconds.unwrap_or_default(),
        severity_number: severity.into(),
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(line.text.clone())) }),
        attributes: attributes(record),
        event_name: format!("toolgate.{}", record.kind),
        ..LogRecord::default()
    }
}

fn severity(record: &WireRecord) -> (SeverityNumber, &'static str) {
    match record.decision.as_ref().map(|decision| decision.effect.as_str()) {
        Some("deny") => (SeverityNumber::Warn, "WARN"),
        Some("ask") => (SeverityNumber::Info2, "INFO2"),
        Some(_) => (SeverityNumber::Info, "INFO"),
        None if record.kind == "finding" => (SeverityNumber::Warn, "WARN"),
        None => (SeverityNumber::Info, "INFO"),
    }
}

fn attributes(record: &WireRecord) -> Vec<KeyValue> {
    let decision = record.decision.as_ref();
    let agent = record.agent.as_ref();
    let policy = record.policy.as_ref();
    let rule = decision.and_then(|decision| decision.rules.first());
    let is_call = record.tool.is_some() && record.kind.starts_with("tool.");
    let texts = [
        text("gen_ai.operation.name", is_call.then_some("execute_tool")),
        text("gen_ai.tool.name", record.tool.as_deref()),
        text("gen_ai.tool.call.id", record.tool_use_id.as_deref()),
        text("gen_ai.agent.id", agent.and_then(|agent| agent.id.as_deref())),
        text("gen_ai.agent.name", agent.map(|agent| agent.kind.as_str())),
        text("session.id", record.session.as_deref()),
        text("toolgate.stream", Some(&record.stream)),
        text("toolgate.kind", Some(&record.kind)),
        text("toolgate.call", record.call.as_deref()),
        text("toolgate.runtime", record.runtime.as_deref()),
        text("toolgate.decision", decision.map(|decision| decision.effect.as_str())),
        text("toolgate.decision.basis", decision.map(|decision| decision.basis.as_str())),
        text("toolgate.rule", rule.map(|rule| rule.id.as_str())),
        text("toolgate.policy.name", policy.map(|policy| policy.name.as_str())),
        text("toolgate.policy.sha256", policy.map(|policy| policy.sha256.as_str())),
    ];
    let number = i64::try_from(record.seq).unwrap_or(i64::MAX);
    let seq = attribute("toolgate.seq", Value::IntValue(number));
    texts.into_iter().flatten().chain([seq]).collect()
}

fn text(key: &str, value: Option<&str>) -> Option<KeyValue> {
    value.map(|value| attribute(key, Value::StringValue(value.to_owned())))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}
