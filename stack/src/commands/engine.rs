//! `engine`: says what tests run on, which is not to be seen from their results.

use std::process::ExitCode;

use anyhow::Result;

use crate::display::say;
use crate::postgres::{PostgresOptions, PostgresServer, describe};

pub async fn run() -> Result<ExitCode> {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await?;
    say(&format!("the tests run on {}", describe(&server.url()).await?));
    Ok(ExitCode::SUCCESS)
}
