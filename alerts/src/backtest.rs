//! What a draft of a rule would have done: the condition agents judge by and the engine that
//! decides, over samples that are stored.
//!
//! Samples are given host by host or of many hosts in one order of time; a rule about a group needs
//! the latter. Nobody is online or offline here, nothing is silenced and nobody acknowledges. What
//! no sample holds (the rate of error lines, the clock's offset, presence) cannot be tested unless
//! the caller has its values from elsewhere; a rule about offline hosts is refused.

use std::collections::{BTreeMap, BTreeSet};

use muster_schemas::conditions::{Candidate, CandidateState, Context, Op, Watch};
use muster_schemas::{HostId, Rejection};
use serde::{Deserialize, Serialize};

use crate::engine::{Change, Effect, Engine, Fact, PageKind, Scope};
use crate::key::TicketKey;
use crate::rule::{Rule, RuleCondition, RuleDefinition};

/// Said again as often as agents do.
const REPEAT_MS: i64 = 15_000;

/// More episodes than anybody looks at: a rule that fires so often is wrong. The rest is counted.
pub const EPISODES_MAX: usize = 1000;

/// The values of the rule's metric on one host at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub at: i64,
    /// By instance; the empty one where a host has one value.
    pub values: Vec<(String, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Absent for a group of hosts.
    pub host: Option<HostId>,
    pub instance: String,
    /// When the breach began.
    pub from: i64,
    /// When the rule would have fired.
    pub fires_at: i64,
    /// Absent where it goes on at the end of the samples.
    pub to: Option<i64>,
    /// When somebody would have been told; absent where it only flapped.
    pub pages_at: Option<i64>,
    /// The value farthest beyond the limit; of a group its largest share.
    pub peak: f64,
    pub title: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// In the order in which they would have fired.
    pub episodes: Vec<Episode>,
    /// How many more there were than [`EPISODES_MAX`].
    pub more: usize,
    /// Of these, how many somebody would have been told of.
    pub more_pages: usize,
}

#[derive(Debug)]
pub struct Backtest {
    rule: Rule,
    op: Op,
    engine: Engine,
    hosts: BTreeMap<HostId, Tested>,
    /// The newest time that was looked at.
    now: i64,
    outcome: Outcome,
    open: BTreeMap<TicketKey, usize>,
    /// Tickets beyond [`EPISODES_MAX`] of which nobody was told yet.
    unlisted: BTreeSet<TicketKey>,
}

#[derive(Debug)]
struct Tested {
    watch: Watch,
    /// Of each instance that is breached.
    peaks: BTreeMap<String, f64>,
}

/// Tests a rule against one host.
pub fn run(
    definition: &RuleDefinition,
    host: &HostId,
    labels: &BTreeMap<String, String>,
    looks: impl IntoIterator<Item = Look>,
) -> Result<Outcome, Rejection> {
    let mut backtest = Backtest::new(definition)?;
    backtest.host(host, labels.clone());
    for look in looks {
        backtest.look(host, &look);
    }
    Ok(backtest.finish())
}

impl Backtest {
    pub fn new(definition: &RuleDefinition) -> Result<Self, Rejection> {
        definition.check()?;
        let op = match &definition.condition {
            RuleCondition::Metric(metric) => metric.op,
            RuleCondition::Group(group) => group.op,
            RuleCondition::Offline(_) => {
                let expected = "metric or group: no sample says when a host was offline";
                return Err(Rejection::bad_value("condition.kind", "offline", expected));
            }
        };
        // A draft may be disabled; it is tested all the same.
        let definition = RuleDefinition { enabled: true, ..definition.clone() };
        let rule = Rule { id: 1, version: 1, definition };
        let mut engine = Engine::new(Scope::Everything);
        engine.observe(0, Fact::Rules(vec![rule.clone()]));
        Ok(Self {
            rule,
            op,
            engine,
            hosts: BTreeMap::new(),
            now: 0,
            outcome: Outcome::default(),
            open: BTreeMap::new(),
            unlisted: BTreeSet::new(),
        })
    }

    /// Tells of a host, before its samples.
    pub fn host(&mut self, host: &HostId, labels: BTreeMap<String, String>) {
        let fact = Fact::Host { host: host.clone(), labels, clock_offset_ms: None };
        self.engine.observe(self.now, fact);
        if let Some(condition) = self.rule.condition() {
            let tested = Tested { watch: Watch::new(condition), peaks: BTreeMap::new() };
            self.hosts.entry(host.clone()).or_insert(tested);
        }
    }

    /// Takes the next look; one that is older than the last is left out.
    pub fn look(&mut self, host: &HostId, look: &Look) {
        let Some(tested) = self.hosts.get_mut(host) else { return };
        if look.at < self.now {
            return;
        }
        self.now = look.at;
        let values = look.values.iter().map(|(name, value)| (name.as_str(), *value));
        let verdicts = tested.watch.observe(look.at, values, REPEAT_MS);
        for verdict in verdicts.iter().filter(|v| v.state == CandidateState::Breached) {
            tested.peaks.insert(verdict.instance.clone(), verdict.value);
        }
        for (name, value) in &look.values {
            if let Some(peak) = tested.peaks.get_mut(name) {
                *peak = farther(self.op, *peak, *value);
            }
        }
        let condition = tested.watch.condition.clone();
        for verdict in &verdicts {
            let candidate = Box::new(Candidate {
                at: look.at,
                rule: condition.rule.clone(),
                rule_version: condition.rule_version,
                metric: condition.metric.clone(),
                instance: verdict.instance.clone(),
                state: verdict.state,
                value: verdict.value,
                threshold: verdict.threshold,
                since: verdict.since,
                context: Context::default(),
            });
            let (host, stored_at, is_again) = (host.clone(), look.at, false);
            let fact = Fact::Candidate { host, stored_at, is_again, candidate };
            self.engine.observe(look.at, fact);
        }
        self.engine.tick(look.at);
        self.note();
        let Some(tested) = self.hosts.get_mut(host) else { return };
        for verdict in verdicts.iter().filter(|v| v.state == CandidateState::Cleared) {
            tested.peaks.remove(&verdict.instance);
        }
    }

    pub fn finish(mut self) -> Outcome {
        for (key, index) in std::mem::take(&mut self.open) {
            self.outcome.episodes[index].peak = self.peak(&key, index);
        }
        self.outcome
    }

    fn note(&mut self) {
        for effect in self.engine.drain_effects() {
            match effect {
                Effect::Open(draft) if self.outcome.episodes.len() >= EPISODES_MAX => {
                    self.outcome.more += 1;
                    self.unlisted.insert(draft.key);
                }
                Effect::Open(draft) => {
                    self.open.insert(draft.key.clone(), self.outcome.episodes.len());
                    self.outcome.episodes.push(Episode {
                        host: draft.key.host,
                        instance: draft.key.instance,
                        from: draft.begun_at,
                        fires_at: draft.opened_at,
                        to: None,
                        pages_at: None,
                        peak: draft.value.unwrap_or_default(),
                        title: draft.title,
                    });
                }
                Effect::Page(page) if page.kind == PageKind::Opened => {
                    if let Some(index) = self.open.get(&page.ticket) {
                        self.outcome.episodes[*index].pages_at = Some(page.at);
                    } else if self.unlisted.remove(&page.ticket) {
                        self.outcome.more_pages += 1;
                    }
                }
                Effect::Change { ticket, what: Change::Value(value), .. } => {
                    if let Some(index) = self.open.get(&ticket) {
                        let peak = &mut self.outcome.episodes[*index].peak;
                        let op = if ticket.host.is_none() { Op::Above } else { self.op };
                        *peak = farther(op, *peak, value);
                    }
                }
                Effect::Resolve { ticket, at, .. } => {
                    self.unlisted.remove(&ticket);
                    if let Some(index) = self.open.remove(&ticket) {
                        self.outcome.episodes[index].peak = self.peak(&ticket, index);
                        self.outcome.episodes[index].to = Some(at);
                    }
                }
                _ => {}
            }
        }
    }

    fn peak(&self, key: &TicketKey, index: usize) -> f64 {
        let known = self.outcome.episodes[index].peak;
        let tested = key.host.as_ref().and_then(|host| self.hosts.get(host));
        let seen = tested.and_then(|tested| tested.peaks.get(&key.instance));
        seen.map_or(known, |seen| farther(self.op, known, *seen))
    }
}

fn farther(op: Op, one: f64, other: f64) -> f64 {
    match op {
        Op::Above | Op::AtLeast => one.max(other),
        Op::Below | Op::AtMost => one.min(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::default_rules;

    const BASE_MS: i64 = 1_800_000_000_000;

    fn rule(name: &str) -> RuleDefinition {
        default_rules().into_iter().find(|rule| rule.name == name).unwrap()
    }

    #[test]
    fn whom_episodes_beyond_the_list_would_have_woken_is_counted_still() {
        let rule = RuleDefinition { for_s: 0, cooldown_s: 0, ..rule("CPU critical") };
        let minute = |number: i64, value: f64| Look {
            at: BASE_MS + number * 60_000,
            values: vec![(String::new(), value)],
        };
        // So far apart that nothing flaps.
        let looks = (0..EPISODES_MAX as i64 + 7).flat_map(|n| {
            [(0, 95.0), (1, 95.0), (2, 10.0), (9, 10.0)]
                .map(|(at, value)| minute(n * 15 + at, value))
        });
        let found = run(&rule, &"web-1".parse().unwrap(), &BTreeMap::new(), looks).unwrap();
        assert!(found.episodes.iter().all(|episode| episode.pages_at.is_some()));
        assert_eq!((found.episodes.len(), found.more, found.more_pages), (EPISODES_MAX, 7, 7));
    }

    /// A look every 5 s; each value holds for so many looks.
    fn looks(values: &[(f64, i64)]) -> Vec<Look> {
        let mut at = BASE_MS;
        let mut looks = Vec::new();
        for (value, count) in values {
            for _ in 0..*count {
                looks.push(Look { at, values: vec![(String::new(), *value)] });
                at += 5000;
            }
        }
        looks
    }

    fn tested(rule: &RuleDefinition, values: &[(f64, i64)]) -> Vec<Episode> {
        let host = "web-1".parse().unwrap();
        run(rule, &host, &BTreeMap::new(), looks(values)).unwrap().episodes
    }

    #[test]
    fn a_breach_that_lasts_is_an_episode_with_its_times_and_its_peak() {
        let mut rule = rule("CPU critical");
        rule.enabled = false;
        let found =
            tested(&rule, &[(50.0, 12), (95.0, 30), (50.0, 1), (95.0, 50), (99.0, 22), (9.0, 9)]);
        let from = BASE_MS + 43 * 5000;
        let [episode] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((episode.from, episode.fires_at), (from, from + 300_000));
        assert_eq!(episode.pages_at, Some(from + 300_000));
        assert_eq!((episode.to, episode.peak), (Some(from + 72 * 5000), 99.0));
        assert_eq!(episode.title, "CPU of web-1 at 95 % for 5 min");
    }

    #[test]
    fn an_episode_that_goes_on_has_no_end_and_a_spike_is_measured_by_its_baseline() {
        let spike = rule("Network spike, sent");
        let found = tested(&spike, &[(300_000.0, 60), (1_200_000.0, 1), (1_800_000.0, 20)]);
        let [episode] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((episode.to, episode.peak), (None, 1_800_000.0));
        assert_eq!(tested(&spike, &[(1000.0, 60), (6000.0, 20)]), []);
        assert_eq!(tested(&rule("CPU high"), &[(76.0, 120)]), []);
    }

    #[test]
    fn a_group_is_tested_with_all_its_hosts() {
        let mut rule = rule("CPU high");
        rule.for_s = 0;
        let text = r#"{"kind":"group","metric":"cpu.usage_percent","op":"above","threshold":75,
                       "share_percent":50}"#;
        rule.condition = serde_json::from_str(text).unwrap();
        let mut backtest = Backtest::new(&rule).unwrap();
        let hosts: Vec<HostId> = ["a", "b", "c"].iter().map(|id| id.parse().unwrap()).collect();
        for host in &hosts {
            backtest.host(host, BTreeMap::new());
        }
        for look in looks(&[(50.0, 1), (80.0, 1), (50.0, 1)]) {
            for host in &hosts {
                backtest.look(host, &look);
            }
        }
        let episodes = backtest.finish().episodes;
        let [episode] = episodes.as_slice() else { panic!("{episodes:?}") };
        assert_eq!((episode.host.as_ref(), episode.from), (None, BASE_MS + 5000));
        assert_eq!(episode.to, Some(BASE_MS + 10_000));
    }

    #[test]
    fn what_samples_cannot_say_is_refused() {
        let refused = Backtest::new(&rule("Host offline")).unwrap_err().to_string();
        assert!(refused.starts_with("condition.kind is offline"), "{refused}");
    }
}
