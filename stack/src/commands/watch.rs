//! `watch`: prints what passes over the bus, decoded, one message a line. A core subscription: it
//! disturbs no consumer, and sees only what is sent while it listens.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use async_nats::{ConnectOptions, Message};
use futures::StreamExt;
use humantime::format_rfc3339_millis;

use super::{StateArgs, command_name};
use crate::logic::line::line;
use crate::stack_json::StackJson;
use crate::state_dir::StateDir;

#[derive(Clone, Debug, clap::Args)]
pub struct WatchArgs {
    #[command(flatten)]
    pub state: StateArgs,
    /// Such as 'telemetry.*' or '>'
    pub subject: String,
    /// End after this many messages
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
    /// Another bus than the one started here
    #[arg(long, value_name = "URL", env = "MUSTER_NATS_URL")]
    pub nats_url: Option<String>,
    /// A NATS credentials file, where the bus asks for one
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<String>,
}

pub async fn run(args: WatchArgs) -> Result<ExitCode> {
    let (url, credentials) = bus(&args)?;
    let mut options = ConnectOptions::new().name("muster watch");
    if let Some(file) = &credentials {
        let loaded = options.credentials_file(file).await;
        options = loaded.with_context(|| format!("could not read {file}"))?;
    }
    let connecting = options.connect(&url).await;
    let client = connecting.with_context(|| format!("could not connect to the bus at {url}"))?;
    let mut messages = client.subscribe(args.subject.clone()).await?;
    client.flush().await?;
    eprintln!("listening on {} at {url}; Ctrl-C ends", args.subject);
    let mut left = args.count.unwrap_or(usize::MAX);
    while left > 0 {
        let Some(message) = messages.next().await else { break };
        // Whoever read this, such as `head`, has seen enough.
        if writeln!(io::stdout(), "{}", describe(&message)).is_err() {
            break;
        }
        left -= 1;
    }
    Ok(ExitCode::SUCCESS)
}

fn bus(args: &WatchArgs) -> Result<(String, Option<String>)> {
    if let Some(url) = &args.nats_url {
        return Ok((url.clone(), args.credentials.clone()));
    }
    let state = StateDir::existing(&args.state.state_dir);
    let stack = state.map(|state| StackJson::read(&state.stack_json())).transpose()?.flatten();
    let stack = stack.with_context(|| {
        format!(
            "Muster is not running: `{} up` starts it, or name a bus with --nats-url",
            command_name()
        )
    })?;
    Ok((stack.nats_url, args.credentials.clone().or(stack.nats_credentials)))
}

fn describe(message: &Message) -> String {
    let headers: Vec<(String, String)> = message
        .headers
        .iter()
        .flat_map(|headers| headers.iter())
        .flat_map(|(name, values)| values.iter().map(|value| (name.to_string(), value.to_string())))
        .collect();
    let now = format_rfc3339_millis(SystemTime::now()).to_string();
    line(&now, &message.subject, &headers, &message.payload)
}
