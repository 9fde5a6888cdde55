//! Where programs are: the nats-server, the PostgreSQL installation, the services' binaries.
//! Nothing is downloaded here; the `muster` script brings what is missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::logic::version::{POSTGRES_MIN, Version};
use crate::nats;

/// Where the `muster` script keeps programs it brought: outside the state directory and the
/// repository, so that neither a fresh clone nor a fresh state fetches them again.
pub fn tools_dir() -> Option<PathBuf> {
    env_path("MUSTER_TOOLS_DIR")
        .or_else(|| env_path("XDG_CACHE_HOME").map(|dir| dir.join("muster/tools")))
        .or_else(|| env_path("HOME").map(|dir| dir.join(".cache/muster/tools")))
}

/// A path from the environment; an empty one is as good as none.
fn env_path(key: &str) -> Option<PathBuf> {
    env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The nats-server: `MUSTER_NATS_SERVER`, else the one the script brought, else one in `PATH`.
pub fn nats_server() -> Result<PathBuf> {
    if let Some(program) = env_path("MUSTER_NATS_SERVER") {
        return Ok(program);
    }
    let brought = tools_dir().map(|dir| dir.join("nats-server"));
    let candidates = brought.into_iter().chain(in_path("nats-server"));
    candidates.into_iter().find(|program| nats::is_new_enough(program)).context(
        "no nats-server 2.11 or newer was found: `./muster up` brings one, \
         or set MUSTER_NATS_SERVER",
    )
}

/// A directory with `postgres` and `initdb`, and what version they are.
#[derive(Clone, Debug)]
pub struct PostgresInstall {
    pub bin_dir: PathBuf,
    pub version: Version,
}

impl PostgresInstall {
    /// The given directory, else `MUSTER_PG_BIN`, else the newest of the system's packages, else
    /// `PATH`. `major` is the version a cluster was made with: only that one can open it.
    pub fn find(bin_dir: Option<&Path>, major: Option<u32>) -> Result<Self> {
        let given = bin_dir.map(Path::to_owned).or_else(|| env_path("MUSTER_PG_BIN"));
        let found = match given {
            Some(dir) => vec![Self::at(dir)?],
            None => Self::all(),
        };
        let fits = |install: &Self| {
            install.version >= POSTGRES_MIN && major.is_none_or(|m| m == install.version.major)
        };
        match found.into_iter().filter(fits).max_by_key(|install| install.version) {
            Some(install) => Ok(install),
            None => bail!("{}", Self::missing(major)),
        }
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }

    /// The version of the `TimescaleDB` that is installed with it, if one is.
    pub fn timescale(&self) -> Option<Version> {
        let output = Command::new(self.program("pg_config")).arg("--sharedir").output().ok()?;
        let share = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        let control = fs::read_to_string(share.join("extension/timescaledb.control")).ok()?;
        Version::of_control_file(&control)
    }

    fn all() -> Vec<Self> {
        let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let packaged = packaged.map(|entry| entry.path().join("bin"));
        // A link in `PATH` has none of the other programs beside it.
        let in_path = in_path("postgres").filter_map(|program| program.canonicalize().ok());
        let in_path = in_path.filter_map(|program| program.parent().map(Path::to_owned));
        packaged.chain(in_path).filter_map(|dir| Self::at(dir).ok()).collect()
    }

    fn at(bin_dir: PathBuf) -> Result<Self> {
        let program = bin_dir.join("postgres");
        let output = Command::new(&program).arg("--version").output();
        let output = output.with_context(|| format!("could not run {}", program.display()))?;
        let version = Version::find(&String::from_utf8_lossy(&output.stdout));
        let version = version.with_context(|| format!("{} told no version", program.display()))?;
        Ok(Self { bin_dir, version })
    }

    fn missing(major: Option<u32>) -> String {
        match major {
            Some(major) => format!(
                "the database was made by PostgreSQL {major}, and no PostgreSQL {major} was found: \
                 install it, or name its directory with --postgres-bin"
            ),
            None => "no PostgreSQL 15 or newer was found: `sudo apt-get install -y postgresql`, \
                     or name its directory with --postgres-bin"
                .to_owned(),
        }
    }
}

/// A service's binary: in `MUSTER_BIN_DIR`, else beside this program (tests run in `deps/` or
/// `examples/`, one level below the others).
pub fn service_binary(name: &str) -> Result<PathBuf> {
    let dir = bin_dir()?;
    let program = dir.join(name);
    if !program.is_file() {
        bail!(
            "{} is not built: run `cargo build --workspace --bins`, or set MUSTER_BIN_DIR",
            program.display()
        );
    }
    Ok(program)
}

fn bin_dir() -> Result<PathBuf> {
    if let Some(dir) = env_path("MUSTER_BIN_DIR") {
        return Ok(dir);
    }
    let program = env::current_exe().context("could not tell where this program is")?;
    let dir = program.parent().unwrap_or(Path::new("."));
    let nested = dir.file_name().is_some_and(|name| name == "deps" || name == "examples");
    Ok(if nested { dir.parent().unwrap_or(dir) } else { dir }.to_owned())
}

fn in_path(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path).collect();
    dirs.into_iter().map(move |dir| dir.join(name)).filter(|program| program.is_file())
}
