//! What an operator can set: `MUSTER_GATEWAY_<KEY>` or `/etc/muster/gateway.toml`.

use std::path::PathBuf;

use muster_runtime::config::{Problem, check_listen, check_nats_url, number, within};
use muster_runtime::database;
use serde::{Deserialize, Serialize};

/// A shorter first password is guessed sooner than it is changed.
const PASSWORD_CHARS_MIN: usize = 8;

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Dashboard, REST, WebSocket, health and metrics.
    pub listen: String,
    pub nats_url: String,
    pub nats_credentials: Option<PathBuf>,
    pub postgres_url: String,
    #[serde(deserialize_with = "number")]
    pub postgres_connections: usize,
    /// Where the database's data are, if that is on this machine: how much room is left there is
    /// told then. The database itself cannot say.
    pub database_directory: Option<PathBuf>,
    /// Made at the first start, when there is no user yet.
    pub admin_username: String,
    /// Of that first administrator; without it a random one is made and printed once.
    pub admin_password: Option<String>,
    /// Where the key of stored secrets is, unless `MUSTER_SECRET_KEY` is set; made where it is
    /// not there. The same for gateways and alert workers.
    pub secret_key_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:3000".into(),
            nats_url: "nats://127.0.0.1:4222".into(),
            nats_credentials: None,
            postgres_url: "postgres://muster@127.0.0.1:5432/muster".into(),
            // Queries take milliseconds: ten serve some thousand requests a second.
            postgres_connections: 10,
            database_directory: None,
            admin_username: "admin".into(),
            admin_password: None,
            secret_key_file: None,
        }
    }
}

impl muster_runtime::Config for Config {
    const SERVICE: &'static str = "gateway";

    fn check(&self) -> Result<(), Problem> {
        check_nats_url(&self.nats_url)?;
        check_listen(&self.listen)?;
        database::check_url(&self.postgres_url)?;
        if self.admin_username.trim().is_empty() {
            return Err(Problem::new("admin_username", "a name"));
        }
        let length = self.admin_password.as_ref().map(|password| password.chars().count());
        if length.is_some_and(|length| length < PASSWORD_CHARS_MIN) {
            let allowed = format!("at least {PASSWORD_CHARS_MIN} characters");
            return Err(Problem::new("admin_password", allowed));
        }
        within("postgres_connections", self.postgres_connections, 1..=200)
    }
}
