//! Feeds: one subscription on the bus for each topic somebody listens to, decoded and written as
//! JSON once, handed to every browser's mailbox.

mod feeds;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_nats::Client;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::logic::fanout::{ClientId, Effect, Fanout, TooManyTopics};
use crate::logic::mailbox::{Mailbox, Shared};
use crate::logic::topic::Topic;

#[derive(Clone)]
pub(crate) struct Hub {
    bus: Client,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    fanout: Fanout,
    posts: HashMap<ClientId, Arc<Post>>,
    feeds: HashMap<Topic, Feed>,
    /// Why nothing comes of a topic, for those who begin to listen now.
    troubles: HashMap<Topic, Shared>,
    last_client: ClientId,
}

struct Feed {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// One browser's mailbox, and the bell that rings when something was put in.
#[derive(Default)]
struct Post {
    mailbox: Mutex<Mailbox>,
    bell: Notify,
}

impl Post {
    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().expect("nothing panics while it holds this lock")
    }
}

impl Hub {
    pub(crate) fn new(bus: Client) -> Self {
        Self { bus, state: Arc::default() }
    }

    pub(crate) fn join(&self) -> Listener {
        let post = Arc::new(Post::default());
        let mut state = self.lock();
        state.last_client += 1;
        let client = state.last_client;
        state.posts.insert(client, post.clone());
        metrics::gauge!("muster_gateway_websocket_clients").set(state.posts.len() as f64);
        Listener { client, hub: self.clone(), post }
    }

    /// Closes all feeds and waits until agents know that nobody looks any more.
    pub(crate) async fn close(&self) {
        let feeds: Vec<Feed> = self.lock().feeds.drain().map(|(_, feed)| feed).collect();
        for feed in &feeds {
            feed.stop.cancel();
        }
        for feed in feeds {
            // A feed that failed has nothing to tell any more.
            let _ = feed.task.await;
        }
        let _ = self.bus.flush().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    fn apply(&self, state: &mut State, effect: Effect) {
        match effect {
            Effect::Open(topic) => self.open(state, topic),
            Effect::Close(topic) => {
                state.troubles.remove(&topic);
                if let Some(feed) = state.feeds.get(&topic) {
                    feed.stop.cancel();
                }
            }
        }
        state.feeds.retain(|_, feed| !feed.task.is_finished());
        metrics::gauge!("muster_gateway_subscriptions").set(state.fanout.open_feeds() as f64);
    }

    /// Waits for a feed of the same topic that is just closing: its farewell to the agent must not
    /// end what the new one asks for.
    fn open(&self, state: &mut State, topic: Topic) {
        let previous = state.feeds.remove(&topic).map(|feed| feed.task);
        let stop = CancellationToken::new();
        let (hub, told) = (self.clone(), stop.clone());
        let of = topic.clone();
        let task = tokio::spawn(async move {
            if let Some(previous) = previous {
                let _ = previous.await;
            }
            feeds::run(hub, of, told).await;
        });
        state.feeds.insert(topic, Feed { stop, task });
    }

    /// Puts something into the mailbox of everybody who listens to a topic.
    fn deliver(&self, topic: &Topic, mut put: impl FnMut(&mut Mailbox)) {
        let state = self.lock();
        for client in state.fanout.listeners(topic) {
            if let Some(post) = state.posts.get(&client) {
                put(&mut post.mailbox());
                post.bell.notify_one();
            }
        }
    }

    /// Tells everybody who listens, now or later, why nothing comes; `None`: it does again.
    fn set_trouble(&self, topic: &Topic, reason: Option<&str>) {
        let Some(reason) = reason else {
            self.lock().troubles.remove(topic);
            return;
        };
        let frame = error_frame(Some(topic), reason);
        self.lock().troubles.insert(topic.clone(), frame.clone());
        self.deliver(topic, |mailbox| mailbox.put_error(topic.clone(), frame.clone()));
    }
}

/// One browser's side of the hub. Dropping it ends all it listened to.
pub(crate) struct Listener {
    client: ClientId,
    hub: Hub,
    post: Arc<Post>,
}

impl Listener {
    pub(crate) fn listen(&self, topic: &Topic) -> Result<(), TooManyTopics> {
        let mut state = self.hub.lock();
        if let Some(effect) = state.fanout.listen(self.client, topic)? {
            self.hub.apply(&mut state, effect);
        }
        if let Some(trouble) = state.troubles.get(topic) {
            self.post.mailbox().put_error(topic.clone(), trouble.clone());
            self.post.bell.notify_one();
        }
        Ok(())
    }

    pub(crate) fn stop_listening(&self, topic: &Topic) {
        let mut state = self.hub.lock();
        if let Some(effect) = state.fanout.stop_listening(self.client, topic) {
            self.hub.apply(&mut state, effect);
        }
        self.post.mailbox().forget(topic);
    }

    /// Returns once there may be something to take.
    pub(crate) async fn rung(&self) {
        self.post.bell.notified().await;
    }

    pub(crate) fn take(&self) -> Option<Shared> {
        self.post.mailbox().take()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        for effect in state.fanout.leave(self.client) {
            self.hub.apply(&mut state, effect);
        }
        state.posts.remove(&self.client);
        metrics::gauge!("muster_gateway_websocket_clients").set(state.posts.len() as f64);
    }
}

pub(crate) fn error_frame(topic: Option<&Topic>, reason: &str) -> Shared {
    let topic = topic.map(ToString::to_string);
    serde_json::json!({ "type": "error", "topic": topic, "reason": reason }).to_string().into()
}

pub(crate) fn data_frame(topic: &Topic, at: i64, data: &impl serde::Serialize) -> Shared {
    /// Written in this order, so that a person who reads along sees the topic first.
    #[derive(serde::Serialize)]
    struct Frame<'a, D> {
        r#type: &'static str,
        topic: String,
        at: i64,
        data: &'a D,
    }
    let frame = Frame { r#type: "data", topic: topic.to_string(), at, data };
    serde_json::to_string(&frame).expect("our own types are written into memory").into()
}
