//! When to look for the largest directories of a filesystem that is too full, and for how long what
//! was found is told.
//!
//! A look is a walk over all files: one at a time, and of one mount at most once an hour, whatever
//! flaps. What was found is told for an hour, and for as long as the breach lasts that it was found
//! in, a day at most: then it is looked for again. One that does not end, because the disk does not
//! answer, is left behind; its mount is looked at again when it has ended, the others go on, and
//! where several are left behind nothing is looked at any more.
//!
//! Whose files are elsewhere (network filesystems) is not walked: it would take long, and the
//! network. Nor is it where inodes are short: sizes say nothing of them.

use std::collections::BTreeMap;

use muster_schemas::conditions::{Candidate, CandidateState};

use super::directories::Found;
use super::mounts::is_walkable;

/// Of its limit directories by size say nothing.
const INODES: &str = "filesystem.inodes_used_percent";

/// What fills a disk may be another an hour later, and a walk of the largest kind takes a second
/// of a processor.
const AGAIN_MS: i64 = 3_600_000;

/// What was found longer ago is not told of a breach that still lasts.
const KEPT_MS: i64 = 24 * AGAIN_MS;

/// Twice what a walk may take by itself.
const HUNG_MS: i64 = 60_000;

/// Looks that may hang, with a thread each: a host with so many disks that do not answer has other
/// sorrows.
const HANGING_MAX: usize = 3;

#[derive(Debug, Default)]
pub struct Looks {
    under_way: Vec<UnderWay>,
    /// By mount, as many as were breached within a day.
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct UnderWay {
    mount: String,
    since_ms: i64,
}

#[derive(Debug)]
struct Known {
    begun_ms: i64,
    /// Absent until the look has ended, and where it has failed.
    found: Option<Found>,
}

/// The mount that has to be looked at to understand a candidate; times are since boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub mount: String,
    pub device: String,
    /// How long it is breached.
    pub lasted_ms: i64,
}

impl Subject {
    pub fn of(candidate: &Candidate) -> Option<Self> {
        let filesystem = candidate.context.filesystem.as_ref()?;
        let is_over = candidate.state == CandidateState::Cleared;
        let is_of_inodes = candidate.metric == INODES;
        if is_over || is_of_inodes || !is_walkable(&filesystem.fs_type) {
            return None;
        }
        Some(Self {
            mount: filesystem.mount.clone(),
            device: filesystem.device.clone(),
            lasted_ms: candidate.at.saturating_sub(candidate.since).max(0),
        })
    }
}

impl Looks {
    /// What is known of a mount that is breached.
    pub fn found(&self, now_ms: i64, subject: &Subject) -> Option<&Found> {
        let known = self.known.get(&subject.mount)?;
        known.found.as_ref().filter(|_| known.is_of_now(now_ms, subject))
    }

    /// Whether to look at it now; a look has begun then.
    pub fn begin(&mut self, now_ms: i64, subject: &Subject) -> bool {
        let is_busy = |look: &UnderWay| !look.hangs(now_ms) || look.mount == subject.mount;
        if self.under_way.len() >= HANGING_MAX || self.under_way.iter().any(is_busy) {
            return false;
        }
        if self.known.get(&subject.mount).is_some_and(|known| known.is_of_now(now_ms, subject)) {
            return false;
        }
        self.known.retain(|_, known| now_ms - known.begun_ms < KEPT_MS);
        let mount = subject.mount.clone();
        self.known.insert(mount.clone(), Known { begun_ms: now_ms, found: None });
        self.under_way.push(UnderWay { mount, since_ms: now_ms });
        true
    }

    /// A look has ended, with nothing where it has failed.
    pub fn end(&mut self, mount: &str, found: Option<Found>) {
        self.under_way.retain(|look| look.mount != mount);
        if let Some(known) = self.known.get_mut(mount) {
            known.found = found;
        }
    }

    /// Names the mount that has been looked at for too long, the longest of several.
    pub fn complaint(&self, now_ms: i64) -> Option<String> {
        let hung = self.under_way.iter().filter(|look| look.hangs(now_ms));
        let hung = hung.min_by_key(|look| look.since_ms)?;
        let seconds = (now_ms - hung.since_ms) / 1000;
        Some(format!("{} has been walked for {seconds} s and does not answer", hung.mount))
    }
}

impl UnderWay {
    fn hangs(&self, now_ms: i64) -> bool {
        now_ms - self.since_ms > HUNG_MS
    }
}

impl Known {
    /// Whether it still stands for the mount: it is young, or was found in this very breach.
    fn is_of_now(&self, now_ms: i64, subject: &Subject) -> bool {
        let age_ms = now_ms - self.begun_ms;
        let is_of_breach = self.found.is_some() && age_ms <= subject.lasted_ms;
        age_ms < AGAIN_MS || is_of_breach && age_ms < KEPT_MS
    }
}

#[cfg(test)]
mod tests {
    use muster_schemas::conditions::{Context, Directory};
    use muster_schemas::telemetry::Filesystem;

    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;

    fn subject(mount: &str, lasted_ms: i64) -> Subject {
        Subject { mount: mount.into(), device: "sda1".into(), lasted_ms }
    }

    fn found(bytes: i64) -> Found {
        let directories = vec![Directory { path: "/x".into(), bytes }];
        Found { directories, is_partial: false }
    }

    #[test]
    fn a_mount_is_looked_at_once_an_hour_however_often_it_is_breached() {
        let mut looks = Looks::default();
        assert!(looks.begin(0, &subject("/", 0)));
        assert!(!looks.begin(15_000, &subject("/", 15_000)), "it is under way");
        assert_eq!(looks.found(15_000, &subject("/", 15_000)), None);
        looks.end("/", Some(found(1)));
        for at in [30_000, HOUR_MS - 1] {
            assert!(!looks.begin(at, &subject("/", 0)));
            assert_eq!(looks.found(at, &subject("/", 0)), Some(&found(1)));
        }
        assert_eq!(looks.found(HOUR_MS, &subject("/", 0)), None);
        assert!(looks.begin(HOUR_MS, &subject("/", 0)));
    }

    #[test]
    fn what_was_found_is_told_while_that_breach_lasts_but_not_for_more_than_a_day() {
        let mut looks = Looks::default();
        assert!(looks.begin(0, &subject("/", 0)));
        looks.end("/", Some(found(1)));
        for hours in [2, 23] {
            let lasted = subject("/", hours * HOUR_MS);
            assert_eq!(looks.found(hours * HOUR_MS, &lasted), Some(&found(1)));
            assert!(!looks.begin(hours * HOUR_MS, &lasted));
        }
        assert_eq!(looks.found(24 * HOUR_MS, &subject("/", 24 * HOUR_MS)), None);
        assert!(looks.begin(24 * HOUR_MS, &subject("/", 24 * HOUR_MS)));
        looks.end("/", Some(found(2)));
        assert_eq!(looks.found(24 * HOUR_MS, &subject("/", 24 * HOUR_MS)), Some(&found(2)));
    }

    #[test]
    fn one_that_failed_is_tried_again_an_hour_later() {
        let mut looks = Looks::default();
        assert!(looks.begin(0, &subject("/", 0)));
        looks.end("/", None);
        assert!(!looks.begin(HOUR_MS - 1, &subject("/", HOUR_MS - 1)));
        assert!(looks.begin(HOUR_MS, &subject("/", HOUR_MS)));
    }

    #[test]
    fn one_at_a_time_and_those_that_hang_are_left_behind_up_to_a_few() {
        let mut looks = Looks::default();
        assert!(looks.begin(0, &subject("/a", 0)));
        assert!(!looks.begin(1000, &subject("/b", 0)));
        assert_eq!(looks.complaint(HUNG_MS), None);
        let mut now_ms = HUNG_MS + 1;
        let said = looks.complaint(now_ms).unwrap();
        assert_eq!(said, "/a has been walked for 60 s and does not answer");
        for mount in ["/b", "/c"] {
            assert!(!looks.begin(now_ms + 2 * HOUR_MS, &subject("/a", 0)), "it still hangs");
            assert!(looks.begin(now_ms, &subject(mount, 0)));
            now_ms += HUNG_MS + 1;
        }
        assert!(!looks.begin(now_ms, &subject("/d", 0)));
        looks.end("/b", Some(found(1)));
        assert!(looks.begin(now_ms, &subject("/d", 0)));
        assert!(looks.complaint(now_ms).unwrap().starts_with("/a "));
    }

    #[test]
    fn only_local_filesystems_that_run_out_of_bytes_are_looked_at() {
        let candidate = |metric: &str, fs_type: &str, state| Candidate {
            at: 5000,
            rule: "1".into(),
            rule_version: 1,
            metric: metric.into(),
            instance: "/data".into(),
            state,
            value: 91.0,
            threshold: 90.0,
            since: 2000,
            context: Context {
                filesystem: Some(Filesystem {
                    mount: "/data".into(),
                    fs_type: fs_type.into(),
                    ..Filesystem::default()
                }),
                ..Context::default()
            },
        };
        let still = CandidateState::StillBreached;
        for (metric, fs_type, state, is_one) in [
            ("filesystem.used_percent", "ext4", CandidateState::Breached, true),
            ("filesystem.used_bytes", "overlay", still, true),
            ("filesystem.used_percent", "ext4", CandidateState::Cleared, false),
            ("filesystem.used_percent", "nfs4", still, false),
            ("filesystem.used_percent", "fuseblk", still, false),
            ("filesystem.inodes_used_percent", "ext4", still, false),
        ] {
            let subject = Subject::of(&candidate(metric, fs_type, state));
            assert_eq!(subject.is_some(), is_one, "{metric} {fs_type} {state:?}");
            assert!(subject.is_none_or(|subject| subject.lasted_ms == 3000));
        }
    }
}
