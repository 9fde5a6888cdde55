//! Who listens to what, and therefore which feeds must be open.
//!
//! One feed a topic whatever the number of listeners: opened for the first, closed after the last.
//! Listening twice to a topic is listening once.

use std::collections::{BTreeSet, HashMap};

use super::topic::Topic;

/// Topics one client may listen to: a dashboard needs three, a wall of screens some dozens.
pub const TOPICS_MAX: usize = 64;

pub type ClientId = u64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Open(Topic),
    Close(Topic),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("more than {TOPICS_MAX} topics on one connection")]
pub struct TooManyTopics;

#[derive(Debug, Default)]
pub struct Fanout {
    listeners: HashMap<Topic, BTreeSet<ClientId>>,
    topics: HashMap<ClientId, BTreeSet<Topic>>,
}

impl Fanout {
    pub fn listen(
        &mut self,
        client: ClientId,
        topic: &Topic,
    ) -> Result<Option<Effect>, TooManyTopics> {
        let own = self.topics.entry(client).or_default();
        if own.len() >= TOPICS_MAX && !own.contains(topic) {
            return Err(TooManyTopics);
        }
        own.insert(topic.clone());
        let listeners = self.listeners.entry(topic.clone()).or_default();
        let first = listeners.is_empty();
        listeners.insert(client);
        Ok(first.then(|| Effect::Open(topic.clone())))
    }

    pub fn stop_listening(&mut self, client: ClientId, topic: &Topic) -> Option<Effect> {
        if !self.topics.get_mut(&client)?.remove(topic) {
            return None;
        }
        let listeners = self.listeners.get_mut(topic)?;
        listeners.remove(&client);
        if !listeners.is_empty() {
            return None;
        }
        self.listeners.remove(topic);
        Some(Effect::Close(topic.clone()))
    }

    /// A client is gone, and with it all it listened to.
    pub fn leave(&mut self, client: ClientId) -> Vec<Effect> {
        let topics = self.topics.get(&client).cloned().unwrap_or_default();
        let effects =
            topics.iter().filter_map(|topic| self.stop_listening(client, topic)).collect();
        self.topics.remove(&client);
        effects
    }

    pub fn listeners(&self, topic: &Topic) -> impl Iterator<Item = ClientId> + '_ {
        self.listeners.get(topic).into_iter().flatten().copied()
    }

    pub fn open_feeds(&self) -> usize {
        self.listeners.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(n: u8) -> Topic {
        Topic::Telemetry(format!("web-{n}").parse().unwrap())
    }

    #[test]
    fn a_feed_opens_for_the_first_listener_and_closes_after_the_last() {
        let mut fanout = Fanout::default();
        assert_eq!(fanout.listen(1, &Topic::Hosts), Ok(Some(Effect::Open(Topic::Hosts))));
        assert_eq!(fanout.listen(1, &Topic::Hosts), Ok(None));
        assert_eq!(fanout.listen(2, &Topic::Hosts), Ok(None));
        assert_eq!(fanout.stop_listening(1, &Topic::Hosts), None);
        assert_eq!(fanout.stop_listening(1, &Topic::Hosts), None);
        assert_eq!(fanout.leave(2), [Effect::Close(Topic::Hosts)]);
        assert_eq!(fanout.open_feeds(), 0);
    }

    #[test]
    fn one_client_cannot_listen_to_everything() {
        let mut fanout = Fanout::default();
        for n in 0..TOPICS_MAX as u8 {
            fanout.listen(1, &host(n)).unwrap();
        }
        assert_eq!(fanout.listen(1, &Topic::Hosts), Err(TooManyTopics));
        assert_eq!(fanout.listen(1, &host(0)), Ok(None));
        assert!(fanout.listen(2, &Topic::Hosts).is_ok());
        assert_eq!(fanout.leave(1).len(), TOPICS_MAX);
    }

    proptest! {
        #[test]
        fn feeds_are_open_exactly_where_somebody_listens(
            steps in prop::collection::vec((0..4u64, 0..4u8, 0..3u8), 0..80),
        ) {
            let mut fanout = Fanout::default();
            let mut open = BTreeSet::new();
            let mut wanted = BTreeSet::new();
            for (client, topic, verb) in steps {
                let topic = host(topic);
                let effects: Vec<Effect> = match verb {
                    0 => {
                        wanted.insert((client, topic.clone()));
                        fanout.listen(client, &topic).unwrap().into_iter().collect()
                    }
                    1 => {
                        wanted.remove(&(client, topic.clone()));
                        fanout.stop_listening(client, &topic).into_iter().collect()
                    }
                    _ => {
                        wanted.retain(|(other, _)| *other != client);
                        fanout.leave(client)
                    }
                };
                for effect in effects {
                    match effect {
                        Effect::Open(topic) => prop_assert!(open.insert(topic)),
                        Effect::Close(topic) => prop_assert!(open.remove(&topic)),
                    }
                }
                let due: BTreeSet<Topic> = wanted.iter().map(|(_, topic)| topic.clone()).collect();
                prop_assert_eq!(&open, &due);
                prop_assert_eq!(fanout.open_feeds(), open.len());
            }
        }
    }
}
