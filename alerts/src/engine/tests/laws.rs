//! The laws, with generated histories: the outcome depends on what happened, not on when the
//! engine was asked, how it was cut into batches, or where a worker was killed.

use std::collections::{BTreeMap, BTreeSet};

use muster_schemas::HostId;
use muster_schemas::conditions::CandidateState;
use proptest::prelude::*;

use super::*;
use crate::TicketKey;
use crate::rule::EscalationStep;
use crate::silence::Silence;

/// More deadlines than fifteen states have between two steps, and far fewer than there are
/// milliseconds in a second.
const TURNS_MAX: usize = 200;

/// What is sent again was sent lately: the engine remembers half an hour of what is over.
const AGAIN_MS_MAX: i64 = 1_000_000;

const HOSTS: [&str; 3] = ["web-1", "web-2", "db-1"];

#[derive(Debug, Clone)]
enum Step {
    Candidate {
        host: usize,
        rule: usize,
        state: u8,
        late: bool,
    },
    /// What was heard before is sent once more.
    Again(usize),
    Presence {
        host: usize,
        offline: bool,
    },
    Silences(usize),
    Rules(usize),
    Labels {
        host: usize,
        web: bool,
    },
    Acknowledge(usize),
    Resolve(usize),
}

/// What may happen after a step and must not matter.
#[derive(Debug, Clone)]
struct Chance {
    drains: bool,
    ticks: bool,
    kills: bool,
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let host = 0..HOSTS.len();
    let step = prop_oneof![
        12 => (host.clone(), 0..5_usize, 0..3_u8, prop::bool::weighted(0.1))
            .prop_map(|(host, rule, state, late)| Step::Candidate { host, rule, state, late }),
        3 => (0..8_usize).prop_map(Step::Again),
        2 => (host.clone(), any::<bool>())
            .prop_map(|(host, offline)| Step::Presence { host, offline }),
        1 => (0..4_usize).prop_map(Step::Silences),
        1 => (0..3_usize).prop_map(Step::Rules),
        1 => (host, any::<bool>()).prop_map(|(host, web)| Step::Labels { host, web }),
        1 => (0..20_usize).prop_map(Step::Acknowledge),
        1 => (0..20_usize).prop_map(Step::Resolve),
    ];
    prop::collection::vec((prop_oneof![0..3_i64, 1..120_i64, 100..2000_i64], step), 1..60)
}

fn chances() -> impl Strategy<Value = Vec<Chance>> {
    let chance = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.3));
    let chance = chance.prop_map(|(drains, ticks, kills)| Chance { drains, ticks, kills });
    prop::collection::vec(chance, 60)
}

fn rules(variant: usize) -> Vec<Rule> {
    let mut high = cpu(1, 75.0, 60, 300, Priority::High);
    high.definition.escalation = vec![EscalationStep { after_s: 100, channels: vec![9] }];
    high.definition.description = "{{value}} for {{for}}: {{top_directories}}".into();
    let mut critical = cpu(2, 90.0, 0, 60, Priority::Critical);
    critical.definition.escalation = vec![EscalationStep { after_s: 200, channels: vec![8] }];
    let mut low = cpu(3, 60.0, 0, 0, Priority::Low);
    let mut offline = default_rule("Host offline");
    offline.id = 4;
    let mut group = cpu(5, 80.0, 30, 0, Priority::High);
    let text = r#"{"kind":"group","metric":"cpu.usage_percent","op":"above","threshold":80,
                   "share_percent":30}"#;
    group.definition.condition = serde_json::from_str(text).unwrap();
    match variant {
        1 => low.definition.selector = "role=web".into(),
        2 => return vec![high, low, offline, group],
        _ => {}
    }
    vec![high, critical, low, offline, group]
}

fn silences(variant: usize, now: i64) -> Vec<Silence> {
    let silence = |selector: &str, rule_id, from: i64, to: i64| Silence {
        id: 1,
        selector: selector.into(),
        rule_id,
        reason: "x".into(),
        author: "x".into(),
        starts_at: now + from * 1000,
        ends_at: Some(now + to * 1000),
        recurrence: None,
    };
    match variant {
        0 => Vec::new(),
        1 => vec![silence("", None, 0, 400)],
        2 => vec![silence("id=web-*", Some(2), 50, 500), silence("role=web", None, 0, 90)],
        _ => vec![silence("id=web-1", None, 200, 3000)],
    }
}

/// The world around an engine: what a worker that takes over would load.
struct World {
    engine: Engine,
    now: i64,
    rules: Vec<Rule>,
    silences: Vec<Silence>,
    labels: BTreeMap<usize, bool>,
    presence: BTreeMap<usize, (Presence, i64)>,
    /// Since when each (host, rule) is breached by its own account.
    breached: BTreeMap<(usize, i64), i64>,
    rows: BTreeMap<StateKey, String>,
    told: Vec<Effect>,
    said: i64,
    opened: Vec<TicketKey>,
    /// With the times at which they were stored.
    heard: Vec<(i64, Fact)>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            engine: Engine::new(Scope::Everything),
            now: BASE_MS,
            rules: rules(0),
            silences: Vec::new(),
            labels: (0..HOSTS.len()).map(|host| (host, host != 2)).collect(),
            presence: BTreeMap::new(),
            breached: BTreeMap::new(),
            rows: BTreeMap::new(),
            told: Vec::new(),
            said: 0,
            opened: Vec::new(),
            heard: Vec::new(),
        };
        world.load();
        world
    }

    fn load(&mut self) {
        self.engine = Engine::new(Scope::Everything);
        let mut facts =
            vec![Fact::Rules(self.rules.clone()), Fact::Silences(self.silences.clone())];
        facts.extend(self.labels.iter().map(|(host, web)| labels(*host, *web)));
        let saved = |(key, text): (&StateKey, &String)| Saved {
            key: key.clone(),
            state: serde_json::from_str(text).unwrap(),
        };
        facts.push(Fact::Restored(self.rows.iter().map(saved).collect()));
        facts.extend(self.presence.iter().map(|(host, (presence, at))| Fact::Presence {
            host: id(*host),
            presence: *presence,
            at: *at,
        }));
        for fact in facts {
            self.engine.observe(0, fact);
        }
    }

    fn drain(&mut self) {
        for effect in self.engine.drain_effects() {
            match effect {
                Effect::Save(saved) => {
                    let text = serde_json::to_string(&saved.state).unwrap();
                    self.rows.insert(saved.key, text);
                }
                Effect::Forget(key) => {
                    self.rows.remove(&key);
                }
                effect => {
                    if let Effect::Open(draft) = &effect {
                        self.opened.push(draft.key.clone());
                    }
                    self.told.push(effect);
                }
            }
        }
    }

    /// How often the engine is due until then.
    fn turns(&mut self, until: i64) -> usize {
        let mut turns = 0;
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= until) {
            self.engine.tick(due);
            turns += 1;
            if turns >= TURNS_MAX {
                break;
            }
        }
        turns
    }

    fn step(&mut self, after_s: i64, step: &Step) {
        self.now += after_s * 1000 + 1;
        let now = self.now;
        // People act on what they see: on the tickets there are by then.
        if matches!(step, Step::Acknowledge(_) | Step::Resolve(_)) {
            self.engine.tick(now);
            self.drain();
        }
        let Some(fact) = self.fact(step) else { return };
        self.engine.observe(now, fact);
    }

    fn fact(&mut self, step: &Step) -> Option<Fact> {
        let at = self.now;
        Some(match step {
            Step::Candidate { host, rule, state, late } => {
                let fact = self.candidate(*host, *rule, *state, *late)?;
                self.heard.push((at, fact.clone()));
                fact
            }
            Step::Again(back) => return self.again(*back),
            Step::Presence { host, offline } => {
                let presence = if *offline { Presence::Offline } else { Presence::Online };
                if self.presence.get(host).is_some_and(|(before, _)| *before == presence) {
                    return None;
                }
                self.presence.insert(*host, (presence, at));
                Fact::Presence { host: id(*host), presence, at }
            }
            Step::Silences(variant) => {
                self.silences = silences(*variant, at);
                Fact::Silences(self.silences.clone())
            }
            Step::Rules(variant) => {
                self.rules = rules(*variant);
                Fact::Rules(self.rules.clone())
            }
            Step::Labels { host, web } => {
                self.labels.insert(*host, *web);
                labels(*host, *web)
            }
            Step::Acknowledge(index) => {
                let ticket = self.opened.get(index % self.opened.len().max(1))?.clone();
                Fact::Acknowledged { ticket, by: "ann".into(), at }
            }
            Step::Resolve(index) => {
                let ticket = self.opened.get(index % self.opened.len().max(1))?.clone();
                Fact::Resolved { ticket, by: "ann".into(), at }
            }
        })
    }

    /// One of the last that were heard, of which an agent has noticed that it was lost.
    fn again(&self, back: usize) -> Option<Fact> {
        let (heard_at, fact) = self.heard.iter().rev().nth(back)?;
        let Fact::Candidate { host, candidate, .. } = fact.clone() else { return None };
        let is_recent = self.now - heard_at < AGAIN_MS_MAX;
        let stored_at = self.now;
        is_recent.then_some(Fact::Candidate { host, stored_at, is_again: true, candidate })
    }

    fn candidate(&mut self, host: usize, rule: usize, state: u8, late: bool) -> Option<Fact> {
        let rule = self.rules.get(rule)?;
        let condition = rule.condition()?;
        // No two beginnings are of the same millisecond.
        self.said += 1;
        let said_at = if late { self.now - 1_000_000 + self.said } else { self.now };
        let place = (host, rule.id);
        let since = self.breached.get(&place).copied().filter(|since| *since <= said_at);
        let (state, since) = match (state, since) {
            (0, since) => {
                self.breached.remove(&place);
                (CandidateState::Cleared, since.unwrap_or(said_at))
            }
            (1, Some(since)) => (CandidateState::StillBreached, since),
            _ => {
                self.breached.insert(place, said_at);
                (CandidateState::Breached, said_at)
            }
        };
        let candidate = Box::new(Candidate {
            at: said_at,
            rule: condition.rule,
            rule_version: condition.rule_version,
            metric: condition.metric,
            instance: String::new(),
            state,
            value: 95.0,
            threshold: condition.threshold?,
            since,
            context: if self.said % 3 == 0 { directories(&["/a"]) } else { Context::default() },
        });
        Some(Fact::Candidate { host: id(host), stored_at: self.now, is_again: false, candidate })
    }
}

fn id(host: usize) -> HostId {
    HOSTS[host].parse().unwrap()
}

fn labels(host: usize, web: bool) -> Fact {
    let labels = web.then(|| ("role".to_owned(), "web".to_owned()));
    let labels = labels.into_iter().collect();
    Fact::Host { host: id(host), labels, clock_offset_ms: None }
}

/// Runs a history to its end, a while after its last step.
fn run(steps: &[(i64, Step)], chances: Option<&[Chance]>) -> World {
    let mut world = World::new();
    for (index, (after_s, step)) in steps.iter().enumerate() {
        world.step(*after_s, step);
        let Some(chance) = chances.map(|chances| &chances[index]) else { continue };
        if chance.ticks {
            let next = steps.get(index + 1).map_or(0, |(after_s, _)| *after_s);
            world.engine.tick(world.now + next * 500);
        }
        if chance.drains || chance.kills {
            world.drain();
        }
        if chance.kills {
            world.load();
        }
    }
    world.engine.tick(world.now + 7 * 86_400_000);
    world.drain();
    world
}

fn told(world: &World) -> Vec<String> {
    world.told.iter().map(|effect| serde_json::to_string(effect).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_outcome_depends_neither_on_cuts_nor_on_ticks_nor_on_kills(
        steps in steps(),
        chances in chances(),
    ) {
        let (whole, cut) = (run(&steps, None), run(&steps, Some(&chances)));
        prop_assert_eq!(told(&whole), told(&cut));
        prop_assert_eq!(&whole.rows, &cut.rows);
    }

    #[test]
    fn the_engine_is_not_due_again_and_again_for_nothing(steps in steps()) {
        let mut world = World::new();
        for (after_s, step) in &steps {
            prop_assert!(world.turns(world.now + after_s * 1000) < TURNS_MAX);
            world.step(*after_s, step);
        }
        prop_assert!(world.turns(world.now + 7 * 86_400_000) < TURNS_MAX);
    }

    #[test]
    fn nobody_is_paged_of_what_is_long_past(steps in steps(), chances in chances()) {
        let lasts: i64 = steps.iter().map(|(after_s, _)| after_s * 1000 + 1).sum();
        let present = BASE_MS + lasts;
        let mut world = World::new();
        for ((after_s, step), chance) in steps.iter().zip(&chances) {
            world.engine.catch_up(present);
            world.step(*after_s, step);
            if chance.kills {
                world.drain();
                world.load();
            }
        }
        world.engine.catch_up(present);
        world.engine.tick(present + 7 * 86_400_000);
        world.drain();
        for effect in &world.told {
            if let Effect::Page(page) = effect
                && page.kind != PageKind::Resolved
            {
                prop_assert!(page.at >= present - 600_000, "{page:?}");
            }
        }
    }

    #[test]
    fn what_is_known_and_comes_again_changes_nothing_people_see(steps in steps()) {
        // What hosts say in order, under rules and labels that stay.
        let lasting = |step: &Step| {
            !matches!(step, Step::Rules(_) | Step::Labels { .. } | Step::Candidate { late: true, .. })
        };
        let steps: Vec<_> = steps.into_iter().filter(|(_, step)| lasting(step)).collect();
        let once = steps.iter().map(|(after_s, step)| match step {
            Step::Again(_) => (*after_s, Step::Again(usize::MAX)),
            step => (*after_s, step.clone()),
        });
        let once: Vec<_> = once.collect();
        prop_assert_eq!(told(&run(&steps, None)), told(&run(&once, None)));
    }

    #[test]
    fn of_one_metric_of_a_host_one_ticket_is_open(steps in steps()) {
        let mut world = World::new();
        let mut open: BTreeMap<TicketKey, bool> = BTreeMap::new();
        let mut late = BTreeSet::new();
        for (after_s, step) in &steps {
            world.step(*after_s, step);
            world.drain();
            for effect in std::mem::take(&mut world.told) {
                match effect {
                    Effect::Open(draft) => {
                        if draft.is_late {
                            late.insert(draft.key.clone());
                        }
                        open.insert(draft.key, draft.is_late);
                    }
                    Effect::Change { ticket, what: Change::Reopened, .. } => {
                        let is_late = late.contains(&ticket);
                        open.insert(ticket, is_late);
                    }
                    Effect::Change { ticket, what: Change::Current, .. } => {
                        late.remove(&ticket);
                        open.insert(ticket, false);
                    }
                    Effect::Resolve { ticket, .. } => {
                        open.remove(&ticket);
                    }
                    _ => {}
                }
            }
            let judged = |key: &TicketKey| key.host.clone().filter(|_| key.rule_id <= 3);
            let now = open.iter().filter(|(_, is_late)| !**is_late);
            let hosts: Vec<HostId> = now.filter_map(|(key, _)| judged(key)).collect();
            let distinct: BTreeSet<&HostId> = hosts.iter().collect();
            prop_assert_eq!(distinct.len(), hosts.len(), "{:?}", open);
        }
    }

    #[test]
    fn a_ticket_is_opened_once_and_a_page_has_an_open_ticket(steps in steps()) {
        let world = run(&steps, None);
        let mut ever = BTreeSet::new();
        let mut open = BTreeSet::new();
        let mut pages = BTreeSet::new();
        for effect in &world.told {
            match effect {
                Effect::Open(draft) => {
                    // Of a rule that was taken away and came back, nothing is remembered here; the
                    // database has the ticket, and opens none for what comes late.
                    let is_new = ever.insert(draft.key.clone());
                    prop_assert!(is_new || draft.is_late, "{} twice", draft.key);
                    if !is_new {
                        let own = draft.key.to_string();
                        pages.retain(|page: &String| !page.starts_with(&own));
                    }
                    open.insert(draft.key.clone());
                    let own = |key: &&TicketKey| {
                        (&key.rule_id, &key.host, &key.instance)
                            == (&draft.key.rule_id, &draft.key.host, &draft.key.instance)
                    };
                    prop_assert_eq!(open.iter().filter(own).count(), 1);
                }
                Effect::Resolve { ticket, .. } => prop_assert!(open.remove(ticket)),
                Effect::Change { ticket, what: Change::Reopened, .. } => {
                    prop_assert!(ever.contains(ticket));
                    prop_assert!(open.insert(ticket.clone()));
                }
                Effect::Change { ticket, .. } => prop_assert!(open.contains(ticket)),
                Effect::Page(page) => {
                    prop_assert!(pages.insert(page.key()), "{} twice", page.key());
                    let is_open = open.contains(&page.ticket);
                    prop_assert_eq!(is_open, page.kind != PageKind::Resolved);
                    let opened = PageRequest { kind: PageKind::Opened, number: 0, ..page.clone() };
                    prop_assert!(pages.contains(&opened.key()));
                }
                _ => {}
            }
        }
    }
}
