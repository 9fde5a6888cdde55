//! Keeps the worker to the retention rules: reads them again each minute, so that intake refuses
//! what is no longer kept, and removes what is older once an hour and whenever they have changed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::storage;
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::HostId;
use muster_schemas::retention::Policy;
use muster_schemas::retention::plan::Labels;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::config::Config;
use crate::io::retention::{Removed, enforce};
use crate::logic::intake::Rules;
use crate::logic::keeping::{Keeping, Late};

/// A change of the rules or of a host's labels is heeded within this.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What intake goes by; shared by all pipelines of a worker.
pub struct Kept {
    cap: Late,
    now: RwLock<Arc<Keeping>>,
}

impl Kept {
    /// By the defaults, until the rules have been read.
    pub fn new(config: &Config) -> Self {
        let cap = Late {
            samples_ms: duration_ms(config.late_max),
            lines_ms: duration_ms(config.late_lines_max),
        };
        let keeping = Keeping::new(&Policy::default(), &[], &Labels::new(), cap);
        Self { cap, now: RwLock::new(Arc::new(keeping)) }
    }

    /// How far back samples of a host are kept, and with them all that is made of them.
    pub fn samples_ms(&self, host: &HostId) -> i64 {
        self.current().of(host).samples_ms
    }

    /// What a message of a host is judged by.
    pub fn rules(&self) -> impl Fn(&HostId) -> Rules + use<> {
        let (keeping, now_ms) = (self.current(), now_ms());
        move |host| keeping.rules(now_ms, host)
    }

    fn current(&self) -> Arc<Keeping> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self, pool: &Pool) -> Result<Policy> {
        let client = pool.get().await.context("no connection to the database")?;
        let policy = storage::policy(&client).await?;
        let series = storage::series_names(&client).await?;
        let hosts = storage::labels(&client).await?;
        let keeping = Keeping::new(&policy, &series, &hosts, self.cap);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keeping);
        Ok(policy)
    }
}

/// Until told to stop.
pub(super) async fn keep(
    pool: Pool,
    kept: Arc<Kept>,
    every: Duration,
    stop: CancellationToken,
) -> Result<()> {
    let mut looks = interval(LOOK_EVERY.min(every));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut passed: Option<(Policy, Instant)> = None;
    let mut trouble = String::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = looks.tick() => {}
        }
        match look(&pool, &kept, every, &mut passed, &stop).await {
            Ok(()) => trouble.clear(),
            Err(error) => {
                let words = format!("{error:#}");
                if words != trouble {
                    warn!("what is old was not removed: {words}");
                    trouble = words;
                }
            }
        }
    }
}

async fn look(
    pool: &Pool,
    kept: &Kept,
    every: Duration,
    passed: &mut Option<(Policy, Instant)>,
    stop: &CancellationToken,
) -> Result<()> {
    let policy = kept.read(pool).await?;
    if passed.as_ref().is_some_and(|(last, at)| *last == policy && at.elapsed() < every) {
        return Ok(());
    }
    let removed = enforce(pool, &policy, now_ms(), stop).await?;
    tell(removed);
    *passed = Some((policy, Instant::now()));
    Ok(())
}

fn tell(removed: Removed) {
    let Removed { days, rows, left, elsewhere } = removed;
    if days > 0 || rows > 0 || left > 0 {
        info!(days, rows, left, "removed what is older than it is kept");
    } else {
        debug!(elsewhere, "nothing is older than it is kept");
    }
}
