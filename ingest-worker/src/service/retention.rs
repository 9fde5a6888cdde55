//! Keeps the worker to the retention rules: reads them again each minute, so that intake refuses
//! what is no longer kept, and removes what is older once an hour and whenever they have changed.
//! Removing may take long; the rules are heeded meanwhile.

use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::storage;
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::HostId;
use muster_schemas::retention::Policy;
use muster_schemas::retention::plan::Labels;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::config::Config;
use crate::io::retention::{Removed, Thinned, agreed_ms, clock_ahead_ms, enforce};
use crate::logic::intake::Rules;
use crate::logic::keeping::{Keeping, Late};

/// A change of the rules or of a host's labels is heeded within this.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What intake goes by; shared by all pipelines of a worker.
pub struct Kept {
    cap: Late,
    now: RwLock<Arc<Keeping>>,
    /// Of the database's clock. The one that is behind decides: whichever of the two is ahead must
    /// not take the present for the past.
    clock_ahead_ms: AtomicI64,
    policy: watch::Sender<Policy>,
}

impl Kept {
    /// By the defaults, until the rules have been read.
    pub fn new(config: &Config) -> Self {
        let cap = Late {
            samples_ms: duration_ms(config.late_max),
            lines_ms: duration_ms(config.late_lines_max),
        };
        let policy = Policy::default();
        let keeping = Keeping::new(&policy, &[], &Labels::new(), cap);
        Self {
            cap,
            now: RwLock::new(Arc::new(keeping)),
            clock_ahead_ms: AtomicI64::new(0),
            policy: watch::channel(policy).0,
        }
    }

    /// How far back samples of a host are kept, and with them all that is made of them.
    pub fn samples_ms(&self, host: &HostId) -> i64 {
        self.current().of(host).samples_ms
    }

    /// What a message of a host is judged by.
    pub fn rules(&self) -> impl Fn(&HostId) -> Rules + use<> {
        let now_ms = now_ms() + self.clock_ahead_ms.load(Ordering::Relaxed).min(0);
        let keeping = self.current();
        move |host| keeping.rules(now_ms, host)
    }

    fn current(&self) -> Arc<Keeping> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the rules that are in force now.
    pub async fn read(&self, pool: &Pool) -> Result<()> {
        let client = pool.get().await.context("no connection to the database")?;
        let policy = storage::policy(&client).await?;
        let series = storage::series_names(&client).await?;
        let hosts = storage::labels(&client).await?;
        self.clock_ahead_ms.store(clock_ahead_ms(&client).await?, Ordering::Relaxed);
        let keeping = Keeping::new(&policy, &series, &hosts, self.cap);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keeping);
        self.policy.send_if_modified(|known| {
            let has_changed = *known != policy;
            *known = policy;
            has_changed
        });
        Ok(())
    }
}

/// Says a trouble once, until it is another one or over.
#[derive(Default)]
struct Trouble(String);

impl Trouble {
    fn hear(&mut self, what: &str, result: &Result<()>) {
        let words = result.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        if !words.is_empty() && words != self.0 {
            warn!("{what}: {words}");
        }
        self.0 = words;
    }
}

/// Reads the rules again and again, until told to stop.
pub(super) async fn heed(
    pool: Pool,
    kept: Arc<Kept>,
    every: Duration,
    stop: CancellationToken,
) -> Result<()> {
    let mut trouble = Trouble::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(LOOK_EVERY.min(every)) => {}
        }
        trouble.hear("the retention rules were not read", &kept.read(&pool).await);
    }
}

/// Removes what is older than it is kept, until told to stop.
pub(super) async fn remove(
    pool: Pool,
    kept: Arc<Kept>,
    every: Duration,
    stop: CancellationToken,
) -> Result<()> {
    let mut policies = kept.policy.subscribe();
    let (mut trouble, mut thinned) = (Trouble::default(), Thinned::default());
    loop {
        let policy = policies.borrow_and_update().clone();
        let over = stop.child_token();
        let pass = {
            let mut pass = pin!(remove_once(&pool, &policy, &mut thinned, &over));
            let mut others = policies.clone();
            tokio::select! {
                pass = &mut pass => pass,
                // What other rules keep must not go by these.
                _ = others.changed() => {
                    over.cancel();
                    pass.await
                }
            }
        };
        trouble.hear("what is old was not removed", &pass);
        let pause = if pass.is_ok() { every } else { LOOK_EVERY.min(every) };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(pause) => {}
            changed = policies.changed() => changed.context("nobody reads the rules")?,
        }
    }
}

async fn remove_once(
    pool: &Pool,
    policy: &Policy,
    thinned: &mut Thinned,
    stop: &CancellationToken,
) -> Result<()> {
    let now = agreed_ms(pool).await?;
    tell(enforce(pool, policy, now, thinned, stop).await?);
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
