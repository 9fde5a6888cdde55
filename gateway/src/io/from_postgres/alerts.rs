//! Tickets as lists and their own page show them. What people do to them is in `ticket_deeds`.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use deadpool_postgres::{Client, Pool};
use muster_runtime::time::system_time;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};
use utoipa::ToSchema;

use super::connection;
use super::events::Place;
use crate::logic::steps::Range;

/// Of a ticket that is open for months and was escalated, commented and changed all the time.
const HISTORY_MAX: i64 = 1_000;

/// Of one ticket; an escalation has a few.
const NOTIFICATIONS_MAX: i64 = 200;

/// Twice the hosts we are made for; some 60 bytes each.
const ALERTED_HOSTS_MAX: i64 = 20_000;

/// What lists show; see [`read_alert`]. The texts are left to the ticket's own page.
const COLUMNS: &str = "
    alerts.id, alerts.key, alerts.rule_id, coalesce(rules.definition ->> 'name', ''),
    alerts.rule_version, alerts.host_id, alerts.instance, alerts.metric, alerts.priority,
    alerts.status, alerts.title, alerts.value, alerts.threshold,
    (extract(epoch FROM alerts.begun_at) * 1000)::bigint,
    (extract(epoch FROM alerts.opened_at) * 1000)::bigint,
    (extract(epoch FROM alerts.acknowledged_at) * 1000)::bigint, alerts.acknowledged_by,
    (extract(epoch FROM alerts.resolved_at) * 1000)::bigint, alerts.resolution,
    alerts.is_late, alerts.is_silenced, alerts.is_flapping, alerts.superseded_by,
    (alerts.context ->> 'hosts_count')::bigint, alerts.opened_at";

#[derive(Serialize, ToSchema)]
pub(crate) struct Alert {
    pub(crate) id: i64,
    /// Of the episode: the same however often it is told.
    pub(crate) key: String,
    rule_id: i64,
    rule_name: String,
    rule_version: i64,
    /// Null for a group of hosts.
    pub(crate) host_id: Option<String>,
    /// Empty for a metric that a host has once.
    instance: String,
    pub(crate) metric: String,
    /// `low`, `medium`, `high` or `critical`.
    priority: String,
    /// `open`, `acknowledged` or `resolved`.
    status: String,
    title: String,
    /// Of a group: the share of its hosts, in percent.
    value: Option<f64>,
    threshold: Option<f64>,
    /// Milliseconds since the Unix epoch, as all times here.
    begun_at: i64,
    opened_at: i64,
    acknowledged_at: Option<i64>,
    acknowledged_by: Option<String>,
    resolved_at: Option<i64>,
    /// How it ended.
    resolution: Option<String>,
    /// It was told of after it was over.
    is_late: bool,
    is_silenced: bool,
    is_flapping: bool,
    /// The key of the ticket of a higher priority.
    superseded_by: Option<String>,
    /// Of a group: how many hosts it concerns.
    hosts_count: Option<i64>,
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) place: Place,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Details {
    description: String,
    recommendation: String,
    /// The largest processes, the fullest filesystem, the first hosts of a group.
    #[schema(value_type = Object)]
    context: Value,
    /// What happened to it, oldest first.
    history: Vec<Happened>,
    notifications: Vec<Told>,
}

#[derive(Serialize, ToSchema)]
struct Happened {
    id: i64,
    at: i64,
    kind: String,
    /// Null where nobody did it but the engine.
    by: Option<String>,
    #[schema(value_type = Object)]
    detail: Value,
}

#[derive(Serialize, ToSchema)]
struct Told {
    id: i64,
    channel_id: i64,
    channel: String,
    /// `opened`, `escalated`, `resolved`, ...
    kind: String,
    /// `pending`, `sent` or `dead`.
    state: String,
    attempts: i32,
    created_at: i64,
    sent_at: Option<i64>,
    next_attempt_at: Option<i64>,
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AlertedHost {
    host: String,
    /// Tickets that are not resolved.
    number: i64,
    /// `low`, `medium`, `high` or `critical`.
    worst: String,
}

/// Tickets that are not resolved; the priorities count both kinds.
#[derive(Serialize, ToSchema)]
pub(crate) struct Counts {
    open: i64,
    acknowledged: i64,
    critical: i64,
    high: i64,
    medium: i64,
    low: i64,
}

pub(crate) struct AlertFilter<'a> {
    pub(crate) statuses: &'a [&'static str],
    pub(crate) priorities: Vec<&'static str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) rule: Option<i64>,
    /// A part of the title, the host or the instance, whatever the case.
    pub(crate) text: Option<&'a str>,
    pub(crate) label: Option<(&'a str, Option<&'a str>)>,
    /// Of opening.
    pub(crate) range: Range,
    /// Tickets after this place, in the order of the answer.
    pub(crate) after: Option<Place>,
    pub(crate) limit: i64,
}

/// Newest first. Only what was asked for goes into the statement: it then has the plan that fits.
pub(crate) async fn alerts(pool: &Pool, filter: &AlertFilter<'_>) -> Result<Vec<Alert>> {
    let mut asked = Asked::default();
    if filter.statuses.len() < 3 {
        let active = !filter.statuses.contains(&"resolved");
        // Spelled out, so that the index of the inbox can be seen to serve.
        asked.conditions.extend(active.then(|| "alerts.status <> 'resolved'".to_owned()));
        asked.add("alerts.status = ANY(?)", filter.statuses.to_vec());
    }
    if filter.priorities.len() < 4 {
        asked.add("alerts.priority = ANY(?)", filter.priorities.clone());
    }
    asked.add("alerts.opened_at >= ?", system_time(filter.range.from));
    asked.add("alerts.opened_at < ?", system_time(filter.range.to));
    if let Some(host) = filter.host {
        asked.add("alerts.host_id = ?", host.to_owned());
    }
    if let Some(rule) = filter.rule {
        asked.add("alerts.rule_id = ?", rule);
    }
    if let Some(text) = filter.text {
        let within = "position(? IN lower(concat_ws(' ', title, host_id, instance))) > 0";
        asked.add(within, text.to_lowercase());
    }
    match filter.label {
        Some((key, Some(value))) => {
            let label = Value::Object([(key.to_owned(), value.into())].into_iter().collect());
            asked.add(&of_labelled("labels @> ?"), Json(label));
        }
        Some((key, None)) => asked.add(&of_labelled("jsonb_exists(labels, ?)"), key.to_owned()),
        None => {}
    }
    if let Some(after) = filter.after {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(after.at_us.unsigned_abs());
        let at = asked.value(at);
        let id = asked.value(after.id);
        asked.conditions.push(format!("(alerts.opened_at, alerts.id) < ({at}, {id})"));
    }
    let limit = asked.value(filter.limit);
    let sql = format!(
        "SELECT {COLUMNS} FROM alerts LEFT JOIN rules ON rules.id = alerts.rule_id
         WHERE {} ORDER BY alerts.opened_at DESC, alerts.id DESC LIMIT {limit}",
        asked.conditions.join(" AND ")
    );
    let client = connection(pool).await?;
    let values: Vec<&(dyn ToSql + Sync)> =
        asked.values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect();
    let rows = client.query(&sql, &values).await.context("cannot read tickets")?;
    Ok(rows.iter().map(read_alert).collect())
}

fn of_labelled(condition: &str) -> String {
    format!("alerts.host_id IN (SELECT id FROM hosts WHERE {condition})")
}

#[derive(Default)]
struct Asked {
    conditions: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Asked {
    fn add(&mut self, condition: &str, value: impl ToSql + Sync + Send + 'static) {
        let number = self.value(value);
        self.conditions.push(condition.replacen('?', &number, 1));
    }

    fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }
}

fn read_alert(row: &Row) -> Alert {
    let id = row.get(0);
    Alert {
        id,
        key: row.get(1),
        rule_id: row.get(2),
        rule_name: row.get(3),
        rule_version: row.get(4),
        host_id: row.get(5),
        instance: row.get(6),
        metric: row.get(7),
        priority: row.get(8),
        status: row.get(9),
        title: row.get(10),
        value: row.get(11),
        threshold: row.get(12),
        begun_at: row.get(13),
        opened_at: row.get(14),
        acknowledged_at: row.get(15),
        acknowledged_by: row.get(16),
        resolved_at: row.get(17),
        resolution: row.get(18),
        is_late: row.get(19),
        is_silenced: row.get(20),
        is_flapping: row.get(21),
        superseded_by: row.get(22),
        hosts_count: row.get(23),
        place: Place::of(row.get(24), id),
    }
}

pub(crate) async fn counts(pool: &Pool) -> Result<Counts> {
    let sql = "
        SELECT count(*) FILTER (WHERE status = 'open'),
               count(*) FILTER (WHERE status = 'acknowledged'),
               count(*) FILTER (WHERE priority = 'critical'),
               count(*) FILTER (WHERE priority = 'high'),
               count(*) FILTER (WHERE priority = 'medium'),
               count(*) FILTER (WHERE priority = 'low')
        FROM alerts
        WHERE status <> 'resolved'";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_one(&statement, &[]).await.context("cannot count tickets")?;
    Ok(Counts {
        open: row.get(0),
        acknowledged: row.get(1),
        critical: row.get(2),
        high: row.get(3),
        medium: row.get(4),
        low: row.get(5),
    })
}

pub(crate) async fn by_host(pool: &Pool) -> Result<Vec<AlertedHost>> {
    // Words of priorities have no order of their own.
    let sql = "
        SELECT host_id, number, (ARRAY['low', 'medium', 'high', 'critical'])[worst]
        FROM (
            SELECT host_id, count(*) AS number,
                   max(array_position(ARRAY['low', 'medium', 'high', 'critical'], priority))
                       AS worst
            FROM alerts
            WHERE status <> 'resolved' AND host_id IS NOT NULL
            GROUP BY host_id
            ORDER BY worst DESC, number DESC
            LIMIT $1
        ) AS worst
        ORDER BY host_id";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&ALERTED_HOSTS_MAX]).await;
    let read = |row: &Row| AlertedHost { host: row.get(0), number: row.get(1), worst: row.get(2) };
    Ok(rows.context("cannot read which hosts have tickets")?.iter().map(read).collect())
}

/// One ticket and all that is known of it.
pub(crate) async fn alert(pool: &Pool, id: i64) -> Result<Option<(Alert, Details)>> {
    let sql = format!(
        "SELECT {COLUMNS}, alerts.description, alerts.recommendation, alerts.context
         FROM alerts LEFT JOIN rules ON rules.id = alerts.rule_id
         WHERE alerts.id = $1"
    );
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let row = client.query_opt(&statement, &[&id]).await.context("cannot read a ticket")?;
    let Some(row) = row else { return Ok(None) };
    let details = Details {
        description: row.get(25),
        recommendation: row.get(26),
        context: row.get(27),
        history: history(&client, id).await?,
        notifications: notifications(&client, id).await?,
    };
    Ok(Some((read_alert(&row), details)))
}

/// The newest ones, in the order in which they happened.
async fn history(client: &Client, id: i64) -> Result<Vec<Happened>> {
    let sql = "
        SELECT id, (extract(epoch FROM at) * 1000)::bigint, kind, by, detail
        FROM (
            SELECT * FROM alert_history WHERE alert_id = $1 ORDER BY id DESC LIMIT $2
        ) AS newest
        ORDER BY id";
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&id, &HISTORY_MAX]).await;
    let happened = |row: &Row| Happened {
        id: row.get(0),
        at: row.get(1),
        kind: row.get(2),
        by: row.get(3),
        detail: row.get(4),
    };
    Ok(rows.context("cannot read what happened to a ticket")?.iter().map(happened).collect())
}

async fn notifications(client: &Client, id: i64) -> Result<Vec<Told>> {
    let sql = "
        SELECT told.id, told.channel_id, channels.name, told.kind, told.state, told.attempts,
               (extract(epoch FROM told.created_at) * 1000)::bigint,
               (extract(epoch FROM told.sent_at) * 1000)::bigint,
               CASE WHEN told.state = 'pending' THEN
                   (extract(epoch FROM told.next_attempt_at) * 1000)::bigint
               END,
               told.error
        FROM notifications AS told
        JOIN channels ON channels.id = told.channel_id
        WHERE told.alert_ids @> ARRAY[$1::bigint]
        ORDER BY told.id DESC
        LIMIT $2";
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&id, &NOTIFICATIONS_MAX]).await;
    let told = |row: &Row| Told {
        id: row.get(0),
        channel_id: row.get(1),
        channel: row.get(2),
        kind: row.get(3),
        state: row.get(4),
        attempts: row.get(5),
        created_at: row.get(6),
        sent_at: row.get(7),
        next_attempt_at: row.get(8),
        error: row.get(9),
    };
    Ok(rows.context("cannot read who was told of a ticket")?.iter().map(told).collect())
}
