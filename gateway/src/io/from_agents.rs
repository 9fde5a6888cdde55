//! `agents.<host>.<verb>`: what agents ask of the centre. Any gateway answers, one of them each
//! time. The host is the one the subject names: the broker lets nobody else publish there.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::connection::State;
use async_nats::{Client, Message};
use deadpool_postgres::Pool;
use futures::StreamExt;
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::HostId;
use muster_schemas::codec::{decode, encode};
use muster_schemas::configuration::{ConfigurationAnswer, ConfigurationRequest};
use muster_schemas::control::Reply;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::from_postgres::inventory::online_hosts;
use super::from_postgres::{central, rules_agents, settings};
use super::to_agents::ask_all_to_reload;

const QUEUE_GROUP: &str = "gateway";

/// Answers under way: half of the database connections a gateway has, so that a fleet that starts
/// at once leaves some to browsers.
const AT_ONCE: usize = 5;

/// A pause before subscribing again, where the bus has ended the subscription.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(1);

/// How often to see whether rules or labels have changed. Settings are told by whoever takes them;
/// rules are also made at the first start, and labels come from the hosts themselves.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Until told to stop.
pub(crate) async fn answer_agents(bus: Client, pool: Pool, stop: CancellationToken) {
    let listening = async {
        loop {
            if let Err(error) = listen(&bus, &pool).await {
                warn!("agents cannot ask for their settings: {error:#}");
            }
            sleep(SUBSCRIBE_AGAIN).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

/// Has agents ask again when what they judge by has changed. Every gateway does; an agent that has
/// it already is answered in a word. Until told to stop.
pub(crate) async fn tell_agents(bus: Client, pool: Pool, stop: CancellationToken) {
    let looking = async {
        let mut told = Told::default();
        loop {
            if let Err(error) = tell_changes(&bus, &pool, &mut told).await {
                debug!("agents are not told of changes for now: {error:#}");
            }
            sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

#[derive(Default)]
struct Told {
    /// Of the rules. Whoever begins does not know what agents were told before.
    version: i64,
    /// Hosts with new labels that are not told yet. Nobody else knows of them: the database no
    /// longer says so.
    waiting: BTreeSet<HostId>,
}

async fn tell_changes(bus: &Client, pool: &Pool, told: &mut Told) -> Result<()> {
    told.waiting.extend(rules_agents::settle_labels(pool).await?);
    let version = rules_agents::rules_version(pool).await?;
    if told.version < version {
        told.waiting.extend(online_hosts(pool).await?);
    }
    told.version = version;
    // While the bus is away nobody can be told; later they can.
    if !told.waiting.is_empty() && bus.connection_state() == State::Connected {
        let hosts = std::mem::take(&mut told.waiting);
        ask_all_to_reload(bus.clone(), hosts.into_iter().collect()).await;
    }
    Ok(())
}

async fn listen(bus: &Client, pool: &Pool) -> Result<()> {
    let requests = bus
        .queue_subscribe(subjects::AGENTS_ALL, QUEUE_GROUP.into())
        .await
        .context("cannot subscribe to the requests of agents")?;
    requests.for_each_concurrent(AT_ONCE, |request| answer(bus, pool, request)).await;
    Ok(())
}

async fn answer(bus: &Client, pool: &Pool, request: Message) {
    let Some(inbox) = request.reply.clone() else { return };
    let payload = match read(&request) {
        Ok((host, asked)) => match configuration(pool, &host, &asked).await {
            Ok(answer) => encode(&Reply::with(&answer)),
            // No answer is a sign to ask again; another gateway may have a database.
            Err(error) => return warn!(host.id = %host, "an agent gets no settings: {error:#}"),
        },
        Err(reason) => {
            debug!(subject = %request.subject, "refused the request of an agent: {reason:#}");
            encode(&Reply::refused(format!("{reason:#}")))
        }
    };
    if let Err(error) = bus.publish_with_headers(inbox, headers::msgpack(), payload.into()).await {
        debug!(subject = %request.subject, %error, "could not answer an agent");
    }
}

fn read(request: &Message) -> Result<(HostId, ConfigurationRequest)> {
    let (host, verb) = subjects::parse_request(&request.subject)?;
    anyhow::ensure!(verb == "config", "{verb:?} is unknown, allowed: config");
    let content_type = headers::content_type(request.headers.as_ref())?;
    let asked = decode(content_type, &request.payload).context("it cannot be decoded")?;
    Ok((host, asked))
}

async fn configuration(
    pool: &Pool,
    host: &HostId,
    asked: &ConfigurationRequest,
) -> Result<ConfigurationAnswer> {
    let highest = settings::highest(pool, host, asked.epoch).await?;
    let configuration = central::newer_than(pool, host, asked.have_version).await?;
    Ok(ConfigurationAnswer { at: now_ms(), highest, configuration })
}
