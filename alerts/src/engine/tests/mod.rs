//! The engine by a hand-moved clock. Times are seconds since a base; what it says is compared as
//! short lines.

mod around;
mod directories;
mod episodes;
mod late;
mod laws;
mod supersession;

use muster_schemas::conditions::{Candidate, CandidateState, Context, Directory};

use super::*;
use crate::defaults::default_rules;
use crate::rule::{Priority, Rule, RuleDefinition};

pub const BASE_MS: i64 = 1_800_000_000_000;

/// An engine and its clock.
pub struct Desk {
    pub engine: Engine,
    pub rules: Vec<Rule>,
    /// Whether what hosts say from now on is sent again.
    pub is_again: bool,
    /// What comes with all that hosts say from now on.
    pub context: Context,
}

pub fn ms(second: i64) -> i64 {
    BASE_MS + second * 1000
}

/// A default rule by its name, with the id 1.
pub fn default_rule(name: &str) -> Rule {
    let definition = default_rules().into_iter().find(|rule| rule.name == name);
    Rule { id: 1, version: 1, definition: definition.unwrap() }
}

/// A rule about the CPU.
pub fn cpu(id: i64, threshold: f64, for_s: i64, cooldown_s: i64, priority: Priority) -> Rule {
    let text = serde_json::json!({
        "name": format!("rule {id}"), "priority": priority, "for_s": for_s,
        "cooldown_s": cooldown_s, "title": "{{host}} {{value}}",
        "condition": {"kind": "metric", "metric": "cpu.usage_percent", "op": "above",
                      "threshold": threshold},
    });
    let definition = RuleDefinition::from_json(text.to_string().as_bytes()).unwrap();
    Rule { id, version: 1, definition }
}

impl Desk {
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut engine = Engine::new(Scope::Everything);
        engine.observe(0, Fact::Rules(rules.clone()));
        let mut desk = Self { engine, rules, is_again: false, context: Context::default() };
        desk.host(0, "web-1", &[]);
        desk
    }

    pub fn host(&mut self, second: i64, host: &str, labels: &[(&str, &str)]) {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let fact = Fact::Host { host: host.parse().unwrap(), labels, clock_offset_ms: None };
        self.engine.observe(if second == 0 { 0 } else { ms(second) }, fact);
    }

    pub fn presence(&mut self, second: i64, host: &str, presence: Presence) {
        let at = ms(second);
        self.engine.observe(at, Fact::Presence { host: host.parse().unwrap(), presence, at });
    }

    pub fn offline(&mut self, second: i64) {
        self.presence(second, "web-1", Presence::Offline);
    }

    pub fn online(&mut self, second: i64) {
        self.presence(second, "web-1", Presence::Online);
    }

    /// What a host says of a rule, said and stored at the same time.
    pub fn say(
        &mut self,
        second: i64,
        place: (&str, i64, &str),
        state: CandidateState,
        since: i64,
        value: f64,
    ) {
        self.say_late(second, second, place, state, since, value);
    }

    pub fn say_late(
        &mut self,
        stored: i64,
        said: i64,
        (host, rule, instance): (&str, i64, &str),
        state: CandidateState,
        since: i64,
        value: f64,
    ) {
        let rule = self.rules.iter().find(|known| known.id == rule).unwrap();
        let condition = rule.condition().unwrap();
        let candidate = Box::new(Candidate {
            at: ms(said),
            rule: condition.rule,
            rule_version: condition.rule_version,
            metric: condition.metric,
            instance: instance.into(),
            state,
            value,
            threshold: condition.threshold.unwrap_or(1000.0),
            since: ms(since),
            context: self.context.clone(),
        });
        let host = host.parse().unwrap();
        let (stored_at, is_again) = (ms(stored), self.is_again);
        self.engine.observe(stored_at, Fact::Candidate { host, stored_at, is_again, candidate });
    }

    pub fn breach(&mut self, second: i64, rule: i64, value: f64) {
        self.say(second, ("web-1", rule, ""), CandidateState::Breached, second, value);
    }

    pub fn still(&mut self, second: i64, rule: i64, since: i64, value: f64) {
        self.say(second, ("web-1", rule, ""), CandidateState::StillBreached, since, value);
    }

    pub fn clear(&mut self, second: i64, rule: i64, since: i64) {
        self.say(second, ("web-1", rule, ""), CandidateState::Cleared, since, 1.0);
    }

    pub fn tick(&mut self, second: i64) {
        self.engine.tick(ms(second));
    }

    /// What was decided since the last time, states left out.
    pub fn said(&mut self) -> Vec<String> {
        self.engine.drain_effects().iter().filter_map(line).collect()
    }

    pub fn check(&mut self, expected: &[&str]) {
        assert_eq!(self.said(), expected);
    }

    /// The same engine as another worker has it that takes over.
    pub fn restart(&mut self, presence: Option<(i64, Presence)>) {
        let effects = self.engine.drain_effects();
        assert!(effects.iter().all(|effect| line(effect).is_none()), "effects would be lost");
        let saved = every_state(&self.engine);
        let mut engine = Engine::new(Scope::Everything);
        engine.observe(0, Fact::Rules(self.rules.clone()));
        engine.observe(0, Fact::Restored(saved));
        self.engine = engine;
        self.host(0, "web-1", &[]);
        if let Some((second, presence)) = presence {
            let host = "web-1".parse().unwrap();
            self.engine.observe(0, Fact::Presence { host, presence, at: ms(second) });
        }
    }
}

/// What an agent says of a disk once it has found out what fills it.
pub fn directories(paths: &[&str]) -> Context {
    let directory = |path: &&str| Directory { path: (*path).to_owned(), bytes: 1 << 30 };
    Context { directories: paths.iter().map(directory).collect(), ..Context::default() }
}

/// What a database would have, by way of its text.
pub fn every_state(engine: &Engine) -> Vec<Saved> {
    let mut saved = Vec::new();
    for (host, known) in &engine.hosts {
        for (rule, states) in &known.states {
            for (instance, state) in states {
                let place = Place { host: host.clone(), rule: *rule, instance: instance.clone() };
                saved.push(Saved { key: place.key(), state: (**state).clone() });
            }
        }
    }
    saved.sort_by(|a, b| a.key.cmp(&b.key));
    let text = serde_json::to_string(&saved).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn second(at: i64) -> f64 {
    (at - BASE_MS) as f64 / 1000.0
}

fn short(ticket: &crate::TicketKey) -> String {
    let host = ticket.host.as_ref().map_or("*", |host| host.as_str());
    let instance = &ticket.instance;
    let (rule, begun) = (ticket.rule_id, second(ticket.begun_at));
    if host == "web-1" && instance.is_empty() {
        format!("{rule}@{begun}")
    } else {
        format!("{rule}/{host}{instance}@{begun}")
    }
}

/// One line for each effect but those of states.
pub fn line(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Save(_) | Effect::Forget(_) | Effect::Change { what: Change::Value(_), .. } => {
            return None;
        }
        Effect::Open(draft) => {
            let flags = [
                (draft.is_late, " late"),
                (draft.is_silenced, " silenced"),
                (draft.is_flapping, " flapping"),
            ];
            let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
            format!("{} open {}{flags}", second(draft.opened_at), short(&draft.key))
        }
        Effect::Change { ticket, at, what: Change::Directories { directories, .. } } => {
            let paths: Vec<&str> = directories.iter().map(|found| found.path.as_str()).collect();
            format!("{} directories {} {}", second(*at), paths.join(","), short(ticket))
        }
        Effect::Change { ticket, at, what } => {
            format!("{} {what:?} {}", second(*at), short(ticket)).to_lowercase()
        }
        Effect::Resolve { ticket, at, how } => {
            let how = match how {
                Resolution::Superseded { by } => format!("superseded by {}", short(by)),
                how => format!("{how:?}").to_lowercase(),
            };
            format!("{} resolve {} {how}", second(*at), short(ticket))
        }
        Effect::Page(page) => {
            let channels = match page.channels.as_slice() {
                [] => String::new(),
                channels => format!(" {channels:?}"),
            };
            let kind = page.kind.as_str();
            format!("{} page {kind} {}{channels}", second(page.at), short(&page.ticket))
        }
        Effect::Refused { what, id, reason } => format!("refused {what:?} {id} {reason}"),
    })
}
