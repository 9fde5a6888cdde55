//! `agents.<host>.<verb>`: what agents ask of the centre. Any gateway answers, one of them each
//! time. The host is the one the subject names: the broker lets nobody else publish there.

use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::{Client, Message};
use deadpool_postgres::Pool;
use futures::StreamExt;
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::HostId;
use muster_schemas::codec::{decode, encode};
use muster_schemas::configuration::{
    CentralConfiguration, ConfigurationAnswer, ConfigurationRequest,
};
use muster_schemas::control::Reply;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::from_postgres::inventory::online_hosts;
use super::from_postgres::rules_agents::{self, HostConditions};
use super::from_postgres::settings;
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
        let mut told = None;
        loop {
            match tell_changes(&bus, &pool, told).await {
                Ok(version) => told = Some(version),
                Err(error) => debug!("agents are not told of changes for now: {error:#}"),
            }
            sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

/// Answers the version of the rules that agents were told of.
async fn tell_changes(bus: &Client, pool: &Pool, told: Option<i64>) -> Result<i64> {
    let relabelled = rules_agents::settle_labels(pool).await?;
    let version = rules_agents::rules_version(pool).await?;
    // Whoever begins does not know what agents were told before.
    let hosts = if told.unwrap_or(0) < version { online_hosts(pool).await? } else { relabelled };
    if !hosts.is_empty() {
        ask_all_to_reload(bus.clone(), hosts).await;
    }
    Ok(version)
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
    let (set_version, settings) = settings::of_host(pool, host).await?;
    let HostConditions { version, conditions } = rules_agents::of_host(pool, host).await?;
    // All draw from the same numbers.
    let version = version.max(set_version);
    let configuration = (version != asked.have_version).then_some(CentralConfiguration {
        version,
        settings,
        conditions,
    });
    Ok(ConfigurationAnswer { at: now_ms(), highest, configuration })
}
