//! Log lines, each with its place in what its host sent.

use std::time::SystemTime;

use muster_runtime::time::system_time;
use muster_schemas::Envelope;
use muster_schemas::logs::{LogFrame, LogLine, Severity};
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Error, Transaction};

use super::Copy;

const SQL: &str = "
        COPY log_lines (
            host_id, ts, received_at, severity, application, source, message, truncated_bytes,
            suppressed, fields, epoch, seq, line
        ) FROM STDIN BINARY";

const TYPES: &[Type] = &[
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::INT2,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::JSONB,
    Type::INT8,
    Type::INT8,
    Type::INT4,
];

/// Writes all lines of the frames; answers how many.
pub async fn copy_lines(
    transaction: &Transaction<'_>,
    frames: &[&Envelope<LogFrame>],
) -> Result<u64, Error> {
    let received_at = SystemTime::now();
    let mut copy = Copy::new(transaction, SQL, TYPES);
    for frame in frames {
        for (number, line) in (0i32..).zip(&frame.body.lines) {
            copy_line(&mut copy, frame, number, line, received_at).await?;
        }
    }
    copy.finish().await
}

async fn copy_line(
    copy: &mut Copy<'_>,
    frame: &Envelope<LogFrame>,
    number: i32,
    line: &LogLine,
    received_at: SystemTime,
) -> Result<(), Error> {
    copy.row(&[
        &frame.host.as_str(),
        &system_time(line.at),
        &received_at,
        &rank(line.severity),
        &line.application,
        &line.source,
        &line.message,
        &line.truncated_bytes,
        &line.suppressed,
        &(!line.fields.is_empty()).then_some(Json(&line.fields)),
        &frame.epoch,
        &frame.seq,
        &number,
    ])
    .await
}

/// From 0, the worst.
fn rank(severity: Severity) -> i16 {
    severity as i16
}
