//! How much of what hosts sent is here: of one, and of all.

use axum::Json as Answer;
use axum::extract::{Path, State};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use muster_runtime::time::system_time;
use muster_schemas::HostId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Query, page_size};
use super::hosts::known_host;
use super::metrics::read_time;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::fleet_ledger::{self, Backfilled, Lacking};
use crate::io::from_postgres::ledger::{self, Window};
use crate::logic::completeness::{ChannelLedger, Completeness, completeness, percent_of};

/// Enough for a screen and its scroll bar.
const LIMIT: i64 = 50;

/// Some 200 kB.
const LIMIT_MAX: i64 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WindowQuery {
    /// Only what was written since: milliseconds since the Unix epoch or RFC 3339. Which messages
    /// those are is estimated, to a few seconds where the host was up.
    from: Option<String>,
    /// As `from`, exclusive.
    to: Option<String>,
}

/// Which of a host's messages are here and which are missing, per channel.
#[utoipa::path(
    get, path = "/hosts/{id}/completeness", tag = "hosts",
    params(("id" = String, Path, description = "Host id"), WindowQuery),
    responses((status = 200, body = Completeness), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<WindowQuery>,
) -> Result<Answer<Completeness>, Problem> {
    let window = window(&query)?;
    let host = known_host(&gateway, &id).await?;
    let ledgers = ledger::ledgers(&gateway.pool, host.as_str(), window).await?;
    let backfilled = ledger::backfills(&gateway.pool, host.as_str(), window).await?;
    Ok(Answer(completeness(ledgers, backfilled)))
}

fn window(query: &WindowQuery) -> Result<Window, Problem> {
    let time = |field, text: &Option<String>| {
        text.as_deref().filter(|text| !text.is_empty()).map(|t| read_time(field, t)).transpose()
    };
    let (from, to) = (time("from", &query.from)?, time("to", &query.to)?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        let detail = format!("from is {from}, which is not before to, {to}");
        return Err(Problem::unprocessable(detail));
    }
    Ok(Window { from: from.map(system_time), to: to.map(system_time) })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FleetQuery {
    /// Hosts on a page: 1 to 1000, 50 if absent.
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct FleetCompleteness {
    /// Of all messages known to exist, rounded down to two decimals.
    percent: f64,
    gaps: Gaps,
    channels: Vec<FleetChannel>,
    /// What was stored late, after an outage or a gap, of the channels that had any.
    backfilled: Vec<FleetBackfill>,
    /// Hosts that lack something, those that lack most first.
    hosts: HostPage,
}

/// How many gaps there are, by what became of them.
#[derive(Serialize, ToSchema)]
struct Gaps {
    open: i64,
    repairing: i64,
    repaired: i64,
    lost: i64,
}

/// Messages of a channel, over all hosts.
#[derive(Serialize, ToSchema)]
struct FleetChannel {
    channel: String,
    percent: f64,
    stored: i64,
    dead: i64,
    /// What is lost included.
    missing: i64,
    repaired: i64,
    lost: i64,
}

/// Messages of a channel that came late, over all hosts.
#[derive(Serialize, ToSchema)]
struct FleetBackfill {
    channel: String,
    hosts: i64,
    /// Ranges of time; which they are, each host tells.
    ranges: i64,
    messages: i64,
    /// When the last of them was stored.
    latest_at: i64,
}

#[derive(Serialize, ToSchema)]
struct HostPage {
    items: Vec<LackingHost>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct LackingHost {
    id: String,
    percent: f64,
    /// Messages; what is lost included.
    missing: i64,
    repaired: i64,
    lost: i64,
    /// Gaps that may still be repaired.
    gaps_open: i64,
}

/// How much of all hosts' messages is here, and which hosts lack most.
#[utoipa::path(
    get, path = "/completeness", tag = "hosts", params(FleetQuery),
    responses((status = 200, body = FleetCompleteness), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn of_fleet(
    State(gateway): State<App>,
    Query(query): Query<FleetQuery>,
) -> Result<Answer<FleetCompleteness>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT_MAX)?;
    let after = query.cursor.filter(|cursor| !cursor.is_empty()).map(read_cursor).transpose()?;
    let after = after.as_ref().map(|(missing, host)| (*missing, host.as_str()));
    let channels = fleet_ledger::by_channel(&gateway.pool).await?;
    let backfilled = fleet_ledger::backfilled(&gateway.pool).await?;
    let gaps = fleet_ledger::gap_counts(&gateway.pool).await?;
    // One more than wanted tells whether there is another page.
    let mut worst = fleet_ledger::worst(&gateway.pool, after, limit + 1).await?;
    let more = worst.len() as i64 > limit;
    worst.truncate(limit as usize);
    let next = worst.last().filter(|_| more).map(write_cursor);
    Ok(Answer(FleetCompleteness {
        percent: percent_of(&channels),
        gaps: Gaps {
            open: gaps.open,
            repairing: gaps.repairing,
            repaired: gaps.repaired,
            lost: gaps.lost,
        },
        channels: channels.into_iter().map(FleetChannel::from).collect(),
        backfilled: backfilled.into_iter().map(FleetBackfill::from).collect(),
        hosts: HostPage { items: worst.into_iter().map(LackingHost::from).collect(), next },
    }))
}

fn write_cursor(last: &Lacking) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}:{}", last.ledger.missing, last.host))
}

fn read_cursor(cursor: String) -> Result<(i64, String), Problem> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|b| String::from_utf8(b).ok());
    let place = text.as_deref().and_then(|text| text.split_once(':'));
    place
        .and_then(|(missing, host)| Some((missing.parse().ok()?, host.parse::<HostId>().ok()?)))
        .map(|(missing, host)| (missing, host.into()))
        .ok_or_else(|| Problem::unprocessable("cursor is not one that a page before named"))
}

impl From<Backfilled> for FleetBackfill {
    fn from(late: Backfilled) -> Self {
        let Backfilled { channel, hosts, ranges, messages, latest_at } = late;
        Self { channel, hosts, ranges, messages, latest_at }
    }
}

impl From<ChannelLedger> for FleetChannel {
    fn from(ledger: ChannelLedger) -> Self {
        Self {
            percent: percent_of(std::slice::from_ref(&ledger)),
            channel: ledger.channel,
            stored: ledger.stored,
            dead: ledger.dead,
            missing: ledger.missing,
            repaired: ledger.repaired,
            lost: ledger.lost,
        }
    }
}

impl From<Lacking> for LackingHost {
    fn from(lacking: Lacking) -> Self {
        let Lacking { host, ledger, gaps_open } = lacking;
        Self {
            id: host,
            percent: percent_of(std::slice::from_ref(&ledger)),
            missing: ledger.missing,
            repaired: ledger.repaired,
            lost: ledger.lost,
            gaps_open,
        }
    }
}
