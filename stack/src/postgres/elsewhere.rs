//! A PostgreSQL that runs elsewhere and is not ours: tests make their databases in it, under names
//! that no other test has, and remove them at the end.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::{DATABASE, connect, prepare};
use crate::logic::postgres_url::with_database;
use crate::secret;

pub struct Elsewhere {
    url: String,
    version: String,
    /// What all names begin with.
    prefix: String,
    made: Mutex<Vec<String>>,
}

impl Elsewhere {
    pub(super) async fn open(url: &str) -> Result<Self> {
        let client =
            connect(url).await.with_context(|| format!("{} is of no use", super::TEST_URL))?;
        let version = client.query_one("SHOW server_version", &[]).await?.get(0);
        let unique: String =
            secret::password().chars().filter(char::is_ascii_alphanumeric).collect();
        let prefix = format!("muster_test_{}", unique.to_lowercase());
        let server = Self { url: url.to_owned(), version, prefix, made: Mutex::default() };
        server.create_database(DATABASE).await?;
        Ok(server)
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn database_url(&self, name: &str) -> String {
        with_database(&self.url, &self.name(name))
    }

    pub(super) async fn create_database(&self, name: &str) -> Result<String> {
        let theirs = self.name(name);
        let client = connect(&self.url).await?;
        let made = client.batch_execute(&format!("CREATE DATABASE {theirs}")).await;
        made.with_context(|| format!("could not make the database {theirs}"))?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(theirs);
        prepare(&self.database_url(name)).await?;
        Ok(self.database_url(name))
    }

    pub(super) async fn drop_database(&self, name: &str) -> Result<()> {
        remove(&self.url, &[self.name(name)]).await
    }

    /// At most 63 characters, of which the password takes 24 and a test's own name the rest.
    fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}

/// In a thread of its own: dropping cannot wait.
impl Drop for Elsewhere {
    fn drop(&mut self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let url = self.url.clone();
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(remove(&url, &made))
        });
        if !matches!(removing.join(), Ok(Ok(()))) {
            eprintln!("databases of a test were left on the server: {}_*", self.prefix);
        }
    }
}

async fn remove(url: &str, names: &[String]) -> Result<()> {
    let client = connect(url).await?;
    for name in names {
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let dropped = client.batch_execute(&statement).await;
        dropped.with_context(|| format!("could not drop the database {name}"))?;
    }
    Ok(())
}
