//! The data directory of the private PostgreSQL: where it is, who owns it, how it is made, and
//! whether anybody still uses it. Starting the server on it is the parent module's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{PostgresOptions, USER, owner};
use crate::child::{Launch, RunAs};
use crate::install::PostgresInstall;
use crate::{files, proc_fs, secret};

/// `initdb` takes about a second, and a minute on a machine that is busy building.
const INITDB_TIMEOUT: Duration = Duration::from_secs(180);

/// What must be known to open the data again; kept in the state directory.
#[derive(Serialize, Deserialize)]
struct Access {
    username: String,
    password: String,
    data_dir: PathBuf,
}

pub(super) struct Cluster {
    pub(super) install: PostgresInstall,
    pub(super) data_dir: PathBuf,
    pub(super) owner: Option<RunAs>,
    pub(super) password: String,
    pub(super) notes: Vec<String>,
}

impl Cluster {
    /// Opens the cluster of a state directory, or makes it.
    pub(super) async fn open(state: &Path, options: &PostgresOptions) -> Result<Self> {
        let owner = owner::unprivileged()?;
        let home = owner::home(state, owner)?;
        let mut notes = Vec::new();
        if !home.starts_with(state) {
            notes.push(format!(
                "the database is in {}, because its user may not enter {}",
                home.display(),
                state.display()
            ));
        }
        let data_dir = home.join("data");
        let access = files::read_json::<Access>(&state.join("postgres.json"))?;
        let known = access.filter(|access| access.data_dir == data_dir);
        let major = major_of(&data_dir);
        let (install, password) = match (known, major) {
            (Some(access), Some(major)) => {
                (PostgresInstall::find(options.bin_dir.as_deref(), Some(major))?, access.password)
            }
            (_, major) => {
                if major.is_some() {
                    notes.push(set_aside(&home)?);
                }
                let install = PostgresInstall::find(options.bin_dir.as_deref(), None)?;
                let password = make(state, &home, &install, owner, options.durable).await?;
                (install, password)
            }
        };
        Ok(Self { install, data_dir, owner, password, notes })
    }

    /// Whether a process still works in the data directory: PostgreSQL's processes all stand in it.
    pub(super) fn is_in_use(&self) -> bool {
        !proc_fs::pids_standing_in(&self.data_dir).is_empty()
    }

    /// After a reboot the pid in the lock file may belong to a stranger, and PostgreSQL would
    /// refuse to start for as long as that lives. Removed only when nobody stands in the data.
    pub(super) fn remove_stale_lock(&self) {
        if !self.is_in_use() {
            // If this fails, PostgreSQL says why it cannot start.
            let _ = files::remove(&self.data_dir.join("postmaster.pid"));
        }
    }
}

fn major_of(data_dir: &Path) -> Option<u32> {
    fs::read_to_string(data_dir.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The password that opens this data was removed with the state directory, and with it the
/// administrator's: start anew, but destroy nothing. One such copy is kept.
fn set_aside(home: &Path) -> Result<String> {
    let old = home.join("data.old");
    match fs::remove_dir_all(&old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("could not remove {}", old.display()));
        }
        _ => {}
    }
    fs::rename(home.join("data"), &old)
        .with_context(|| format!("could not set {} aside", home.display()))?;
    Ok(format!("an older database without its password was set aside as {}", old.display()))
}

/// Makes the cluster beside its place and moves it there, so that one cut short is never used.
async fn make(
    state: &Path,
    home: &Path,
    install: &PostgresInstall,
    owner: Option<RunAs>,
    durable: bool,
) -> Result<String> {
    let draft = home.join("data.new");
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    let password = secret::password();
    let password_file = home.join("password.new");
    files::write_private(&password_file, password.as_bytes())?;
    owner::give(&password_file, owner)?;
    let launch = initdb(state, &draft, &password_file, install, owner, durable);
    let made = launch.run(INITDB_TIMEOUT).await;
    files::remove(&password_file)?;
    made?;
    let data_dir = home.join("data");
    let access =
        Access { username: USER.into(), password: password.clone(), data_dir: data_dir.clone() };
    files::write_json(&state.join("postgres.json"), &access)?;
    fs::rename(&draft, &data_dir).context("could not put the new database in its place")?;
    Ok(password)
}

fn initdb(
    state: &Path,
    data_dir: &Path,
    password_file: &Path,
    install: &PostgresInstall,
    owner: Option<RunAs>,
    durable: bool,
) -> Launch {
    let mut launch =
        Launch::new("initdb", install.program("initdb"), state.join("logs/postgres.log"))
            .arg("--pgdata")
            .arg(data_dir)
            .arg("--pwfile")
            .arg(password_file)
            .env("LC_ALL", "C");
    let username = format!("--username={USER}");
    let options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"];
    for option in options.into_iter().chain([username.as_str(), "--no-instructions"]) {
        launch = launch.arg(option);
    }
    if !durable {
        launch = launch.arg("--no-sync");
    }
    launch.dir = data_dir.parent().map(Path::to_owned);
    launch.run_as = owner;
    launch
}
