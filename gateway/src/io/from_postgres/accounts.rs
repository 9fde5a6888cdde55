//! Users, the secrets all gateways share, and refresh tokens.

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use tokio_postgres::Row;

use super::connection;

/// Two tabs that wake at once, or a page reloaded in the middle of a renewal, send the same token
/// twice within moments. That is no theft.
const REUSE_SECONDS: f64 = 10.0;

/// How long a browser stays signed in without being used.
const REFRESH_DAYS: i32 = 30;

pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) role: String,
}

/// What presenting a refresh token leads to.
pub(crate) enum Rotation {
    Renewed(User),
    /// It was used before: somebody else has it, so nobody of its family stays signed in.
    Stolen,
    Unknown,
}

/// The secret of this name, made of `candidate` if there is none: all gateways get the same.
pub(crate) async fn shared_secret(pool: &Pool, name: &str, candidate: &[u8]) -> Result<Vec<u8>> {
    let client = connection(pool).await?;
    let make = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    client.execute(make, &[&name, &candidate]).await.context("cannot keep a secret")?;
    let read = "SELECT value FROM secrets WHERE name = $1";
    let row = client.query_one(read, &[&name]).await.context("cannot read a secret")?;
    Ok(row.get(0))
}

/// Makes the first user, unless there is one; answers whether it did. Gateways that start at once
/// wait for one another.
pub(crate) async fn make_first_user(
    pool: &Pool,
    username: &str,
    password_hash: &str,
) -> Result<bool> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let lock = "SELECT pg_advisory_xact_lock(hashtext('muster.first_user'))";
    transaction.execute(lock, &[]).await.context("cannot lock the users")?;
    let make = "
        INSERT INTO users (username, password_hash, role)
        SELECT $1, $2, 'admin'
        WHERE NOT EXISTS (SELECT FROM users)";
    let made = transaction
        .execute(make, &[&username, &password_hash])
        .await
        .context("cannot make the administrator")?;
    transaction.commit().await?;
    Ok(made == 1)
}

pub(crate) async fn has_users(pool: &Pool) -> Result<bool> {
    let client = connection(pool).await?;
    let sql = "SELECT EXISTS (SELECT FROM users)";
    Ok(client.query_one(sql, &[]).await.context("cannot read the users")?.get(0))
}

/// The user and the hash of their password.
pub(crate) async fn user_by_name(pool: &Pool, username: &str) -> Result<Option<(User, String)>> {
    let client = connection(pool).await?;
    let sql = "SELECT id, username, role, password_hash FROM users WHERE username = $1";
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_opt(&statement, &[&username]).await.context("cannot read a user")?;
    Ok(row.map(|row| (read_user(&row), row.get(3))))
}

/// Begins a family of refresh tokens; what has expired is swept on the way.
pub(crate) async fn begin_session(pool: &Pool, user: &User, token_hash: &[u8]) -> Result<()> {
    let client = connection(pool).await?;
    let sweep = "DELETE FROM refresh_tokens WHERE expires_at < now()";
    client.execute(sweep, &[]).await.context("cannot sweep expired sessions")?;
    let sql = "
        INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
        VALUES ($1, gen_random_uuid(), $2, now() + make_interval(days => $3))";
    let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
        &[&token_hash, &user.id, &REFRESH_DAYS];
    client.execute(sql, values).await.context("cannot begin a session")?;
    Ok(())
}

/// Trades a refresh token for its successor.
pub(crate) async fn rotate(pool: &Pool, old_hash: &[u8], new_hash: &[u8]) -> Result<Rotation> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let find = "
        SELECT users.id, users.username, users.role, token.family::text,
               coalesce(token.used_at < now() - make_interval(secs => $2), false)
        FROM refresh_tokens AS token
        JOIN users ON users.id = token.user_id
        WHERE token.token_hash = $1 AND token.expires_at > now()
        FOR UPDATE OF token";
    let found = transaction
        .query_opt(find, &[&old_hash, &REUSE_SECONDS])
        .await
        .context("cannot read a session")?;
    let Some(row) = found else { return Ok(Rotation::Unknown) };
    let family: String = row.get(3);
    let outcome = if row.get(4) {
        end_family(&transaction, &family).await?;
        Rotation::Stolen
    } else {
        succeed(&transaction, old_hash, new_hash).await?;
        Rotation::Renewed(read_user(&row))
    };
    transaction.commit().await.context("cannot commit a session")?;
    Ok(outcome)
}

async fn succeed(transaction: &Transaction<'_>, old_hash: &[u8], new_hash: &[u8]) -> Result<()> {
    let sql = "
        WITH used AS (
            UPDATE refresh_tokens SET used_at = coalesce(used_at, now()) WHERE token_hash = $1
            RETURNING family, user_id
        )
        INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
        SELECT $2, family, user_id, now() + make_interval(days => $3) FROM used";
    let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
        &[&old_hash, &new_hash, &REFRESH_DAYS];
    transaction.execute(sql, values).await.context("cannot renew a session")?;
    Ok(())
}

async fn end_family(transaction: &Transaction<'_>, family: &str) -> Result<()> {
    let sql = "DELETE FROM refresh_tokens WHERE family = $1::text::uuid";
    transaction.execute(sql, &[&family]).await.context("cannot end a family of sessions")?;
    Ok(())
}

/// Ends the whole family of a token; a token nobody knows ends nothing.
pub(crate) async fn end_session(pool: &Pool, token_hash: &[u8]) -> Result<()> {
    let client = connection(pool).await?;
    let sql = "
        DELETE FROM refresh_tokens
        WHERE family = (SELECT family FROM refresh_tokens WHERE token_hash = $1)";
    client.execute(sql, &[&token_hash]).await.context("cannot end a session")?;
    Ok(())
}

fn read_user(row: &Row) -> User {
    User { id: row.get(0), username: row.get(1), role: row.get(2) }
}
