//! Channels: where notifications go, how they fare, and their secrets, which are sealed when they
//! come here and opened by nobody but those who send. One that was deleted is known to its
//! notifications alone.

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_alerts::channel::{Definition, SealKey, Secrets};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::connection;
use super::written::{Unwritten, Written, take_turns, wake_alerting};
use crate::logic::alerts::bad;

/// What one alert worker can look after at once.
pub(crate) const CHANNELS_MAX: i64 = 250;

/// Rules whose names are told: a sentence that somebody reads.
const NAMES_MAX: usize = 10;

/// What a channel is read as; see [`read_channel`].
const CHANNELS: &str = "
    SELECT channels.id, channels.name, channels.kind,
           channels.definition || jsonb_build_object('kind', channels.kind),
           channels.is_default, channels.enabled,
           (extract(epoch FROM channels.updated_at) * 1000)::bigint, channels.updated_by,
           channels.version, coalesce(day.sent, 0), coalesce(day.dead, 0),
           coalesce(waiting.count, 0), trouble.error
    FROM channels
    LEFT JOIN (
        SELECT channel_id, count(*) FILTER (WHERE state = 'sent') AS sent,
               count(*) FILTER (WHERE state = 'dead') AS dead
        FROM notifications
        WHERE created_at > now() - interval '1 day'
        GROUP BY channel_id
    ) AS day ON day.channel_id = channels.id
    LEFT JOIN (
        SELECT channel_id, count(*) FROM notifications WHERE state = 'pending' GROUP BY channel_id
    ) AS waiting ON waiting.channel_id = channels.id
    LEFT JOIN LATERAL (
        SELECT error FROM notifications
        WHERE channel_id = channels.id AND error IS NOT NULL
        ORDER BY id DESC
        LIMIT 1
    ) AS trouble ON true
    WHERE channels.deleted_at IS NULL";

const CHANNEL: &str = "channel";

pub(crate) struct ChannelRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Without secrets.
    pub(crate) definition: Value,
    pub(crate) is_default: bool,
    pub(crate) enabled: bool,
    pub(crate) updated_at: i64,
    pub(crate) updated_by: Option<String>,
    pub(crate) version: i64,
    pub(crate) sent_24h: i64,
    pub(crate) dead_24h: i64,
    pub(crate) waiting: i64,
    pub(crate) last_error: Option<String>,
}

/// As somebody wants a channel to be.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_default: bool,
    pub(crate) enabled: bool,
    pub(crate) definition: Definition,
}

/// Seals with a nonce of its own each time; `None` where there is no key.
pub(crate) type Seal<'a> = &'a (dyn Fn(&Secrets) -> Option<Vec<u8>> + Sync);

pub(crate) async fn all(pool: &Pool) -> Result<Vec<ChannelRow>> {
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&format!("{CHANNELS} ORDER BY channels.id")).await?;
    let rows = client.query(&statement, &[]).await.context("cannot read the channels")?;
    Ok(rows.iter().map(read_channel).collect())
}

pub(crate) async fn one(pool: &Pool, id: i64) -> Result<Option<ChannelRow>> {
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&format!("{CHANNELS} AND channels.id = $1")).await?;
    let row = client.query_opt(&statement, &[&id]).await.context("cannot read a channel")?;
    Ok(row.as_ref().map(read_channel))
}

fn read_channel(row: &Row) -> ChannelRow {
    ChannelRow {
        id: row.get(0),
        name: row.get(1),
        kind: row.get(2),
        definition: row.get(3),
        is_default: row.get(4),
        enabled: row.get(5),
        updated_at: row.get(6),
        updated_by: row.get(7),
        version: row.get(8),
        sent_24h: row.get(9),
        dead_24h: row.get(10),
        waiting: row.get(11),
        last_error: row.get(12),
    }
}

pub(crate) async fn add(
    pool: &Pool,
    mut wanted: Wanted<'_>,
    seal: Seal<'_>,
    by: &str,
) -> Written<i64> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    take_turns(&transaction, "channels").await?;
    let sql = "SELECT count(*) FROM channels WHERE deleted_at IS NULL";
    let count: i64 = transaction.query_one(sql, &[]).await.context("cannot count channels")?.get(0);
    if count >= CHANNELS_MAX {
        let reason = format!("there are {CHANNELS_MAX} channels already, and no more are served");
        return Ok(Err(Unwritten::Conflict(reason)));
    }
    if let Err(unwritten) = check_name(&transaction, wanted.name, 0).await? {
        return Ok(Err(unwritten));
    }
    let secrets = match wanted.definition.replace(None) {
        Ok(secrets) => secrets,
        Err(rejection) => return Ok(Err(Unwritten::Bad(rejection.into()))),
    };
    let sealed = match sealed(&secrets, seal) {
        Ok(sealed) => sealed,
        Err(unwritten) => return Ok(Err(unwritten)),
    };
    let sql = "
        INSERT INTO channels (name, kind, definition, secrets, is_default, enabled, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        RETURNING id";
    let Wanted { name, is_default, enabled, definition } = wanted;
    let (kind, shown) = (definition.kind.as_str(), Json(definition.to_value()));
    let added = transaction
        .query_one(sql, &[&name, &kind, &shown, &sealed, &is_default, &enabled, &by])
        .await
        .context("cannot add a channel")?;
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot add a channel")?;
    Ok(Ok(added.get(0)))
}

/// Refused where it is not of this version any more. Secrets that are said to be stored stay.
pub(crate) async fn replace(
    pool: &Pool,
    id: i64,
    version: i64,
    mut wanted: Wanted<'_>,
    key: Option<&SealKey>,
    seal: Seal<'_>,
    by: &str,
) -> Written<()> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    take_turns(&transaction, "channels").await?;
    let sql = "
        SELECT version, definition || jsonb_build_object('kind', kind), secrets, enabled
        FROM channels WHERE id = $1 AND deleted_at IS NULL
        FOR NO KEY UPDATE";
    let row = transaction.query_opt(sql, &[&id]).await.context("cannot read a channel")?;
    let Some(row) = row else { return Ok(Err(Unwritten::NotThere(CHANNEL))) };
    if row.get::<_, i64>(0) != version {
        return Ok(Err(Unwritten::Stale(CHANNEL)));
    }
    if let Err(unwritten) = check_name(&transaction, wanted.name, id).await? {
        return Ok(Err(unwritten));
    }
    // Whoever named it before this was so can still change the rest of it.
    if row.get(3)
        && !wanted.enabled
        && let Err(unwritten) = check_unnamed(&transaction, id).await?
    {
        return Ok(Err(unwritten));
    }
    let replaced = replaced(&mut wanted.definition, &row.get(1), row.get(2), key, seal);
    let sealed = match replaced {
        Ok(sealed) => sealed,
        Err(unwritten) => return Ok(Err(unwritten)),
    };
    let sql = "
        UPDATE channels
        SET version = version + 1, name = $2, kind = $3, definition = $4, secrets = $5,
            is_default = $6, enabled = $7, updated_at = now(), updated_by = $8
        WHERE id = $1";
    let Wanted { name, is_default, enabled, definition } = wanted;
    let (kind, shown) = (definition.kind.as_str(), Json(definition.to_value()));
    transaction
        .execute(sql, &[&id, &name, &kind, &shown, &sealed, &is_default, &enabled, &by])
        .await
        .context("cannot change a channel")?;
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot change a channel")?;
    Ok(Ok(()))
}

/// What is to be kept beside the new definition.
fn replaced(
    definition: &mut Definition,
    old: &Value,
    old_sealed: Option<&[u8]>,
    key: Option<&SealKey>,
    seal: Seal<'_>,
) -> Result<Option<Vec<u8>>, Unwritten> {
    // What cannot be opened or read is as if it were not there: the secrets have to be given again.
    let opened = match (old_sealed, key) {
        (Some(sealed), Some(key)) => key.open(sealed).ok(),
        _ => Some(Secrets::default()),
    };
    let old = Definition::parse(old).ok();
    let before = old.as_ref().zip(opened.as_ref());
    let secrets =
        definition.replace(before).map_err(|rejection| Unwritten::Bad(rejection.into()))?;
    sealed(&secrets, seal)
}

fn sealed(secrets: &Secrets, seal: Seal<'_>) -> Result<Option<Vec<u8>>, Unwritten> {
    if secrets.is_empty() {
        return Ok(None);
    }
    let without_key = || {
        let reason = "this gateway has no key to seal secrets with (secret_key_file or \
                      MUSTER_SECRET_KEY): name a variable of the alert workers' environment \
                      instead, {\"env\": \"NAME\"}";
        let field = secrets.fields().next().unwrap_or("definition");
        Unwritten::Bad(bad(field, reason))
    };
    seal(secrets).map(Some).ok_or_else(without_key)
}

async fn check_name(transaction: &Transaction<'_>, name: &str, own: i64) -> Written<()> {
    let sql = "SELECT FROM channels WHERE name = $1 AND id <> $2 AND deleted_at IS NULL";
    let taken = transaction.query_opt(sql, &[&name, &own]).await;
    if taken.context("cannot read the channels")?.is_none() {
        return Ok(Ok(()));
    }
    Ok(Err(bad("name", "there is a channel of this name already").into()))
}

/// A rule that names a channel which sends nothing would tell nobody.
async fn check_unnamed(transaction: &Transaction<'_>, id: i64) -> Written<()> {
    let sql = "
        SELECT definition ->> 'name' FROM rules
        WHERE deleted_at IS NULL AND (
            definition -> 'channels' @> to_jsonb($1::bigint)
            OR jsonb_path_exists(
                definition, '$.escalation[*].channels[*] ? (@ == $id)',
                jsonb_build_object('id', $1::bigint)
            )
        )
        ORDER BY id
        LIMIT $2";
    let limit = NAMES_MAX as i64 + 1;
    let rows = transaction.query(sql, &[&id, &limit]).await.context("cannot read the rules")?;
    let mut names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(Ok(()));
    }
    if names.len() > NAMES_MAX {
        names[NAMES_MAX] = "and others";
    }
    Ok(Err(Unwritten::Conflict(format!("rules name this channel: {}", names.join(", ")))))
}

/// What it was told stays, and nothing else of it: neither its address nor its secrets. One that a
/// rule names is not deleted.
pub(crate) async fn remove(pool: &Pool, id: i64, by: &str) -> Written<()> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let lock = "SELECT FROM channels WHERE id = $1 AND deleted_at IS NULL FOR UPDATE";
    if transaction.query_opt(lock, &[&id]).await.context("cannot read a channel")?.is_none() {
        return Ok(Err(Unwritten::NotThere(CHANNEL)));
    }
    if let Err(unwritten) = check_unnamed(&transaction, id).await? {
        return Ok(Err(unwritten));
    }
    let sql = "
        UPDATE channels
        SET version = version + 1, definition = '{}', secrets = NULL, is_default = false,
            enabled = false, deleted_at = now(), updated_at = now(), updated_by = $2
        WHERE id = $1";
    transaction.execute(sql, &[&id, &by]).await.context("cannot delete a channel")?;
    give_up(&transaction, id).await?;
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot delete a channel")?;
    Ok(Ok(()))
}

/// What waits for it is sent no more. What is being sent just now is left to whoever does that: it
/// may get through, and where it does not, workers give it up.
async fn give_up(transaction: &Transaction<'_>, id: i64) -> Result<()> {
    let sql = "
        UPDATE notifications
        SET state = 'dead', claimed_by = NULL, claimed_until = NULL,
            error = concat_ws(': ', 'its channel was deleted', error)
        WHERE id IN (
            SELECT id FROM notifications
            WHERE channel_id = $1 AND state = 'pending'
              AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
            FOR UPDATE SKIP LOCKED
        )";
    transaction.execute(sql, &[&id]).await.context("cannot give up what waits for a channel")?;
    Ok(())
}
