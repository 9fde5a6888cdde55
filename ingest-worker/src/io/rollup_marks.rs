//! Marks: which hours of which hosts have samples that no bucket tells of yet. Written inside the
//! batch's transaction; the rollup loop (`rollups`) takes them away.
//!
//! A mark of the current hour that this worker has committed is not written again: `hold_hour`
//! keeps it there until the transaction ends, and says when that can no longer be promised. Of all
//! other hours each batch writes its own marks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::SystemTime;

use muster_runtime::time::system_time;
use muster_schemas::HostId;
use tokio::sync::Mutex;
use tokio_postgres::{Error, Transaction};

use crate::logic::rollup::hour_of;

/// Hosts that are remembered for an hour: more than one database carries. Past it, marks are
/// written again and again, which costs time and nothing else.
const KNOWN_MAX: usize = 200_000;

/// What this worker has committed.
#[derive(Default)]
pub struct Marks {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Which database it was committed to: another one, or an older state of it, has no marks.
    database: String,
    /// Of the current hour and those ahead of it.
    hosts: BTreeMap<i64, HashSet<HostId>>,
}

/// What is remembered once the transaction is committed.
#[derive(Default)]
pub struct Written {
    database: String,
    marks: BTreeSet<(i64, HostId)>,
}

impl Marks {
    /// Marks the hours in which these hosts have new samples.
    pub async fn write(
        &self,
        transaction: &Transaction<'_>,
        mut marks: BTreeSet<(i64, HostId)>,
        now: i64,
    ) -> Result<Written, Error> {
        let mut written = Written::default();
        for hour in current_hours(&marks, now) {
            if let Some(database) = hold_hour(transaction, hour).await? {
                self.leave_out_known(&mut marks, hour, &database).await;
                let new = marks.iter().filter(|(of, _)| *of == hour).cloned();
                written.marks.extend(new);
                written.database = database;
            }
        }
        insert(transaction, &marks).await?;
        Ok(written)
    }

    async fn leave_out_known(
        &self,
        marks: &mut BTreeSet<(i64, HostId)>,
        hour: i64,
        database: &str,
    ) {
        let known = self.known.lock().await;
        if known.database == database
            && let Some(hosts) = known.hosts.get(&hour)
        {
            marks.retain(|(of, host)| *of != hour || !hosts.contains(host));
        }
    }

    /// The transaction that wrote them is committed.
    pub async fn remember(&self, written: Written, now: i64) {
        if written.marks.is_empty() {
            return;
        }
        let mut known = self.known.lock().await;
        if known.database != written.database {
            known.hosts.clear();
            known.database = written.database;
        }
        known.hosts.retain(|hour, hosts| *hour >= hour_of(now) && hosts.len() < KNOWN_MAX);
        for (hour, host) in written.marks {
            known.hosts.entry(hour).or_default().insert(host);
        }
    }

    /// Whatever was believed about the database may be wrong.
    pub async fn forget(&self) {
        self.known.lock().await.hosts.clear();
    }
}

/// Those that are not over yet by this worker's clock; the database's decides.
fn current_hours(marks: &BTreeSet<(i64, HostId)>, now: i64) -> BTreeSet<i64> {
    marks.iter().map(|(hour, _)| *hour).filter(|hour| *hour >= hour_of(now)).collect()
}

async fn hold_hour(transaction: &Transaction<'_>, hour: i64) -> Result<Option<String>, Error> {
    let statement = "SELECT muster_hold_hour($1)";
    Ok(transaction.query_one(statement, &[&system_time(hour)]).await?.get(0))
}

async fn insert(
    transaction: &Transaction<'_>,
    marks: &BTreeSet<(i64, HostId)>,
) -> Result<(), Error> {
    if marks.is_empty() {
        return Ok(());
    }
    let hosts: Vec<&str> = marks.iter().map(|(_, host)| host.as_str()).collect();
    let hours: Vec<SystemTime> = marks.iter().map(|(hour, _)| system_time(*hour)).collect();
    let sql = "
        INSERT INTO rollup_dirty (host_id, hour)
        SELECT * FROM unnest($1::text[], $2::timestamptz[])";
    transaction.execute(sql, &[&hosts, &hours]).await?;
    Ok(())
}
