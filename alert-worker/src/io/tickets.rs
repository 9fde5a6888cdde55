//! Tickets, their history, the events that tell of them, and whom to page: one statement for each,
//! however many tickets a decision is about.
//!
//! A ticket is opened once: one whose key is there already stays as it is. What comes late is not
//! opened where another ticket of the same rule, host and instance, which has recovered, tells of
//! that time already.

use anyhow::{Context, Result};
use deadpool_postgres::Transaction;
use muster_alerts::Priority;
use muster_alerts::engine::{PageRequest, TicketDraft};
use muster_runtime::time::system_time;
use muster_schemas::events::FLEET;
use tokio_postgres::types::{Json, ToSql};

use crate::logic::writes::{Entry, Patch, Told, Writes};

/// Writes all but the states, in the order in which it makes sense.
pub(crate) async fn write(transaction: &Transaction<'_>, writes: &Writes) -> Result<()> {
    open(transaction, &writes.open).await?;
    patch(transaction, writes).await?;
    note(transaction, &writes.history).await?;
    tell(transaction, &writes.told).await?;
    page(transaction, &writes.pages).await
}

async fn open(transaction: &Transaction<'_>, drafts: &[TicketDraft]) -> Result<()> {
    if drafts.is_empty() {
        return Ok(());
    }
    let sql = "
        INSERT INTO alerts (key, rule_id, rule_version, host_id, instance, metric, priority, status,
            title, description, recommendation, value, threshold, begun_at, opened_at, is_late,
            is_silenced, is_flapping, context)
        SELECT key, rule_id, rule_version, host_id, instance, metric, priority, 'open',
            title, description, recommendation, value, threshold,
            to_timestamp(begun_at / 1000.0), to_timestamp(opened_at / 1000.0), is_late,
            is_silenced, is_flapping, context
        FROM jsonb_to_recordset($1) AS new (key text, rule_id bigint, rule_version bigint,
            host_id text, instance text, metric text, priority text, title text, description text,
            recommendation text, value double precision, threshold double precision,
            begun_at bigint, opened_at bigint, is_late boolean, is_past boolean,
            is_silenced boolean, is_flapping boolean, context jsonb)
        WHERE NOT (new.is_late AND NOT new.is_past AND EXISTS (
            SELECT FROM alerts AS told
            WHERE told.rule_id = new.rule_id AND told.host_id IS NOT DISTINCT FROM new.host_id
                AND told.instance = new.instance AND told.resolution = 'recovered'
                AND told.begun_at <= to_timestamp(new.begun_at / 1000.0)
                AND told.resolved_at >= to_timestamp(new.begun_at / 1000.0)
        ))
        ON CONFLICT (key) DO NOTHING";
    let rows: Vec<serde_json::Value> = drafts.iter().map(row).collect();
    run(transaction, sql, &[&Json(rows)])
        .await
        .with_context(|| format!("cannot open {} tickets", drafts.len()))
}

fn row(draft: &TicketDraft) -> serde_json::Value {
    serde_json::json!({
        "key": draft.key,
        "rule_id": draft.key.rule_id,
        "rule_version": draft.rule_version,
        "host_id": draft.key.host,
        "instance": draft.key.instance,
        "metric": draft.metric,
        "priority": draft.priority,
        "title": draft.title,
        "description": draft.description,
        "recommendation": draft.recommendation,
        "value": draft.value,
        "threshold": draft.threshold,
        "begun_at": draft.begun_at,
        "opened_at": draft.opened_at,
        "is_late": draft.is_late,
        "is_past": draft.is_past,
        "is_silenced": draft.is_silenced,
        "is_flapping": draft.is_flapping,
        "context": draft.context,
    })
}

/// Locks in the order of ids, as whoever gathers pages does. What a person has resolved stays
/// resolved by that person, when it was.
const PATCH: &str = "
    WITH patch AS (
        SELECT *, to_timestamp(resolved_ms / 1000.0) AS resolved_at
        FROM unnest($1::text[], $2::text[], $3::double precision[], $4::boolean[],
                $5::boolean[], $6::boolean[], $7::boolean[], $8::bigint[], $9::text[],
                $10::text[], $11::text[], $12::text[])
            AS patch (key, priority, value, is_flapping, is_silenced, is_late, is_reopened,
                resolved_ms, how, superseded_by, description, context)
    ), found AS (
        SELECT stored.id, patch.*,
            patch.how IS NOT NULL AND (is_reopened OR stored.status <> 'resolved') AS ends,
            patch.how IS NULL AND patch.is_reopened AS begins
        FROM patch JOIN alerts AS stored ON stored.key = patch.key
        ORDER BY stored.id
        FOR NO KEY UPDATE OF stored
    )
    UPDATE alerts AS stored
    SET priority = coalesce(found.priority, stored.priority),
        value = coalesce(found.value, stored.value),
        description = coalesce(found.description, stored.description),
        context = CASE WHEN found.context IS NULL THEN stored.context
            ELSE stored.context || found.context::jsonb END,
        is_flapping = coalesce(found.is_flapping, stored.is_flapping),
        is_silenced = coalesce(found.is_silenced, stored.is_silenced),
        is_late = coalesce(found.is_late, stored.is_late),
        status = CASE
            WHEN ends THEN 'resolved'
            WHEN begins AND stored.acknowledged_at IS NOT NULL THEN 'acknowledged'
            WHEN begins THEN 'open'
            ELSE stored.status
        END,
        resolved_at = CASE WHEN ends THEN found.resolved_at
            WHEN begins THEN NULL ELSE stored.resolved_at END,
        resolution = CASE WHEN ends THEN found.how
            WHEN begins THEN NULL ELSE stored.resolution END,
        superseded_by = CASE WHEN ends THEN found.superseded_by
            WHEN begins THEN NULL ELSE stored.superseded_by END
    FROM found
    WHERE stored.id = found.id";

async fn patch(transaction: &Transaction<'_>, writes: &Writes) -> Result<()> {
    if writes.patches.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = writes.patches.keys().map(ToString::to_string).collect();
    let patches: Vec<&Patch> = writes.patches.values().collect();
    let priorities: Vec<Option<&str>> =
        patches.iter().map(|patch| patch.priority.map(Priority::as_str)).collect();
    let values: Vec<Option<f64>> = patches.iter().map(|patch| patch.value).collect();
    let flag = |of: fn(&Patch) -> Option<bool>| patches.iter().map(|p| of(p)).collect::<Vec<_>>();
    let flapping = flag(|patch| patch.is_flapping);
    let silenced = flag(|patch| patch.is_silenced);
    let late = flag(|patch| patch.is_late);
    let reopened = flag(|patch| Some(patch.is_reopened));
    let resolved = || patches.iter().map(|patch| patch.resolved.as_ref());
    let at: Vec<Option<i64>> = resolved().map(|resolved| resolved.map(|r| r.at)).collect();
    let how: Vec<Option<&str>> = resolved().map(|resolved| resolved.map(|r| r.how)).collect();
    let by: Vec<Option<String>> =
        resolved().map(|r| Some(r?.superseded_by.as_ref()?.to_string())).collect();
    let descriptions: Vec<Option<&str>> =
        patches.iter().map(|patch| patch.description.as_deref()).collect();
    let contexts: Vec<Option<String>> =
        patches.iter().map(|patch| Some(patch.context.as_ref()?.to_string())).collect();
    let columns: [&(dyn ToSql + Sync); 12] = [
        &keys,
        &priorities,
        &values,
        &flapping,
        &silenced,
        &late,
        &reopened,
        &at,
        &how,
        &by,
        &descriptions,
        &contexts,
    ];
    run(transaction, PATCH, &columns)
        .await
        .with_context(|| format!("cannot change {} tickets", keys.len()))
}

async fn note(transaction: &Transaction<'_>, history: &[Entry]) -> Result<()> {
    if history.is_empty() {
        return Ok(());
    }
    // A ticket that was there already had been opened before.
    let sql = "
        INSERT INTO alert_history (alert_id, at, kind, detail)
        SELECT alerts.id, entry.at, entry.kind, entry.detail::jsonb
        FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[])
            WITH ORDINALITY AS entry (key, at, kind, detail, number)
        JOIN alerts ON alerts.key = entry.key
        WHERE entry.kind <> 'opened' OR NOT EXISTS (
            SELECT FROM alert_history AS before
            WHERE before.alert_id = alerts.id AND before.kind = 'opened'
        )
        ORDER BY entry.number";
    let keys: Vec<String> = history.iter().map(|entry| entry.ticket.to_string()).collect();
    let times: Vec<_> = history.iter().map(|entry| system_time(entry.at)).collect();
    let kinds: Vec<&str> = history.iter().map(|entry| entry.kind).collect();
    let details: Vec<String> = history.iter().map(|entry| entry.detail.to_string()).collect();
    run(transaction, sql, &[&keys, &times, &kinds, &details])
        .await
        .context("cannot write the history of tickets")
}

async fn tell(transaction: &Transaction<'_>, told: &[Told]) -> Result<()> {
    if told.is_empty() {
        return Ok(());
    }
    let sql = "
        INSERT INTO events (host_id, at, kind, detail)
        SELECT coalesce(alerts.host_id, $4), told.at, told.kind, jsonb_build_object(
            'id', alerts.id, 'key', alerts.key, 'title', alerts.title,
            'priority', alerts.priority, 'status', alerts.status)
        FROM unnest($1::text[], $2::timestamptz[], $3::text[])
            WITH ORDINALITY AS told (key, at, kind, number)
        JOIN alerts ON alerts.key = told.key
        ORDER BY told.number";
    let keys: Vec<String> = told.iter().map(|told| told.ticket.to_string()).collect();
    let times: Vec<_> = told.iter().map(|told| system_time(told.at)).collect();
    let kinds: Vec<&str> = told.iter().map(|told| told.kind).collect();
    run(transaction, sql, &[&keys, &times, &kinds, &FLEET])
        .await
        .context("cannot write the events of tickets")
}

async fn page(transaction: &Transaction<'_>, pages: &[PageRequest]) -> Result<()> {
    if pages.is_empty() {
        return Ok(());
    }
    let sql = "
        INSERT INTO pages (key, alert_key, rule_id, kind, channels, request)
        SELECT key, alert_key, rule_id, request ->> 'kind',
            ARRAY(SELECT jsonb_array_elements_text(request -> 'channels')::bigint), request
        FROM jsonb_to_recordset($1)
            AS page (key text, alert_key text, rule_id bigint, request jsonb)
        ON CONFLICT (key) DO NOTHING";
    let row = |page: &PageRequest| {
        serde_json::json!({
            "key": page.key(), "alert_key": page.ticket, "rule_id": page.ticket.rule_id,
            "request": page,
        })
    };
    let rows: Vec<serde_json::Value> = pages.iter().map(row).collect();
    run(transaction, sql, &[&Json(rows)])
        .await
        .with_context(|| format!("cannot write {} pages", pages.len()))
}

async fn run(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<()> {
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, parameters).await?;
    Ok(())
}
