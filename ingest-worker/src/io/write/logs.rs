//! Log lines: nothing but their rows.

use muster_schemas::Envelope;
use muster_schemas::logs::LogFrame;
use tokio_postgres::{Error, Transaction};

use super::Write;
use crate::io::copy::copy_lines;

impl Write for LogFrame {
    fn times(&self) -> Vec<i64> {
        self.lines.iter().map(|line| line.at).collect()
    }

    async fn write(transaction: &Transaction<'_>, batch: &[&Envelope<Self>]) -> Result<u64, Error> {
        copy_lines(transaction, batch).await
    }
}
