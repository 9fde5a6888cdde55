//! HTTP: routes, and what all of them share.

mod agent;
mod alerts;
mod auth;
mod backtest;
mod backtest_judge;
mod backtest_run;
mod body;
mod channels;
mod completeness;
mod dashboard;
mod dead_letters;
mod deadman;
mod docs;
mod events;
pub(crate) mod extract;
mod hosts;
mod inventory;
mod layers;
mod line_query;
mod log_counts;
mod logs;
mod metrics;
mod notifications;
mod pipeline;
mod problem;
mod retention;
mod router;
mod rule_vocabulary;
mod rules;
mod settings;
mod silences;
mod storage;
mod ticket_deeds;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use deadpool_postgres::Pool;
use muster_alerts::channel::SealKey;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use backtest::AT_ONCE as BACKTESTS_AT_ONCE;
pub(crate) use problem::{Problem, ProblemBody};
pub(crate) use router::{router, waiting_router};

use super::from_bus::Hub;
use super::from_postgres::storage::Sizes;
use super::kept::Kept;
use super::passwords::Passwords;
use super::tokens::Tokens;
use super::watch::Watch;
use crate::logic::attempts::Attempts;
use crate::logic::storage::HostSize;

/// What handlers work with.
pub(crate) struct Gateway {
    pub(crate) pool: Pool,
    /// Where its data are, if that is known.
    pub(crate) database_directory: Option<PathBuf>,
    pub(crate) bus: async_nats::Client,
    /// For the dead letters.
    pub(crate) letters: async_nats::jetstream::Context,
    pub(crate) watch: Watch,
    pub(crate) sizes: Kept<Sizes>,
    pub(crate) host_sizes: Kept<Arc<[HostSize]>>,
    pub(crate) hub: Hub,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: Tokens,
    pub(crate) attempts: Mutex<Attempts>,
    /// For the secrets of channels, where there is one.
    pub(crate) seal_key: Option<SealKey>,
    /// Backtests that may begin.
    pub(crate) backtests: Semaphore,
    pub(crate) sockets: TaskTracker,
    /// What goes on after its request was answered.
    pub(crate) background: TaskTracker,
    pub(crate) stop: CancellationToken,
}

type App = Arc<Gateway>;
