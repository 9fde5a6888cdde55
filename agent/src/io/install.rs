//! `muster-agent install` and `uninstall`: this program, its unit, its user and its configuration,
//! for hosts without the package. Called by `main`.
//!
//! Each step may be done already: installing twice is an upgrade.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use muster_schemas::HostId;

/// The unit of the package, which has the program in another place.
const UNIT: &str = include_str!("../../packaging/muster-agent.service");
const UNIT_PROGRAM: &str = "/usr/bin/muster-agent";
const CONFIGURATION: &str = include_str!("../../packaging/agent.toml");

const USER: &str = "muster-agent";
const SERVICE: &str = "muster-agent.service";

const PROGRAM: &str = "/usr/local/bin/muster-agent";
const UNIT_PATH: &str = "/etc/systemd/system/muster-agent.service";
const CONFIGURATION_PATH: &str = "/etc/muster/agent.toml";
const CONFIGURATION_DIR: &str = "/etc/muster";
const STATE_DIR: &str = "/var/lib/muster-agent";
const DROP_INS: &str = "/etc/systemd/system/muster-agent.service.d";

#[derive(Debug, clap::Args)]
pub struct Install {
    /// Address of the bus, for a new configuration file.
    #[arg(long)]
    nats_url: Option<String>,
    /// The host id, for a new configuration file; the default is made of the hostname.
    #[arg(long)]
    host_id: Option<String>,
    /// Do not start it now.
    #[arg(long)]
    no_start: bool,
    /// Install below this directory, as for an image. Nothing is started.
    #[arg(long, default_value = "/")]
    root: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Uninstall {
    /// Remove the configuration, the journal and the user too.
    #[arg(long)]
    purge: bool,
    #[arg(long, default_value = "/")]
    root: PathBuf,
}

impl Install {
    pub fn run(&self) -> Result<()> {
        require_root()?;
        self.install()
    }

    fn install(&self) -> Result<()> {
        let root = &self.root;
        make_user(root)?;
        self.copy_program()?;
        let unit = UNIT.replace(UNIT_PROGRAM, PROGRAM);
        write(&below(root, UNIT_PATH), unit.as_bytes(), 0o644)?;
        let configuration = below(root, CONFIGURATION_PATH);
        if configuration.exists() {
            println!("kept {}", configuration.display());
        } else {
            write(&configuration, self.configuration()?.as_bytes(), 0o644)?;
        }
        if self.no_start || !is_running_system(root) {
            println!("installed; start it with: systemctl enable --now {SERVICE}");
            return Ok(());
        }
        run("systemctl", ["daemon-reload"])?;
        run("systemctl", ["enable", SERVICE])?;
        run("systemctl", ["restart", SERVICE])?;
        println!("running; see: systemctl status {SERVICE}");
        Ok(())
    }

    /// Beside its place and moved there: a running program cannot be written to.
    fn copy_program(&self) -> Result<()> {
        let own = std::env::current_exe().context("cannot find this program's own file")?;
        let place = below(&self.root, PROGRAM);
        if own == place {
            return Ok(());
        }
        let draft = place.with_extension("new");
        make_parent(&place)?;
        fs::copy(&own, &draft)
            .and_then(|_| fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)))
            .and_then(|()| fs::rename(&draft, &place))
            .with_context(|| format!("cannot install {}", place.display()))?;
        println!("installed {}", place.display());
        Ok(())
    }

    /// JSON's strings are TOML's too.
    fn configuration(&self) -> Result<String> {
        let mut text = CONFIGURATION.to_owned();
        if let Some(nats_url) = &self.nats_url {
            muster_runtime::config::check_nats_url(nats_url)
                .map_err(|problem| anyhow!("--nats-url: allowed: {}", problem.allowed))?;
            let default = CONFIGURATION
                .lines()
                .find(|line| line.starts_with("nats_url"))
                .context("the packaged configuration has no nats_url")?;
            let wanted = format!("nats_url = {}", serde_json::to_string(nats_url)?);
            text = text.replace(default, &wanted);
        }
        if let Some(host_id) = &self.host_id {
            let host_id: HostId = host_id.parse()?;
            let host_id = serde_json::to_string(host_id.as_str())?;
            text.push_str(&["\nhost_id = ", &host_id, "\n"].concat());
        }
        Ok(text)
    }
}

impl Uninstall {
    pub fn run(&self) -> Result<()> {
        require_root()?;
        self.uninstall()
    }

    fn uninstall(&self) -> Result<()> {
        let root = &self.root;
        let packaged = below(root, UNIT_PROGRAM);
        if self.purge && packaged.exists() {
            bail!("{} is from a package: apt-get purge muster-agent", packaged.display());
        }
        if is_running_system(root) && below(root, UNIT_PATH).exists() {
            run("systemctl", ["disable", "--now", SERVICE])?;
        }
        remove_file(&below(root, UNIT_PATH))?;
        remove_file(&below(root, PROGRAM))?;
        if is_running_system(root) {
            run("systemctl", ["daemon-reload"])?;
        }
        if !self.purge {
            println!("kept {CONFIGURATION_PATH} and {STATE_DIR}; --purge removes them");
            return Ok(());
        }
        for directory in [CONFIGURATION_DIR, STATE_DIR, DROP_INS] {
            remove_directory(&below(root, directory))?;
        }
        if has_user(root)? {
            run("userdel", root_arguments(root).iter().map(String::as_str).chain([USER]))?;
        }
        Ok(())
    }
}

fn require_root() -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "this needs root: try again with sudo");
    Ok(())
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Whether systemd runs here and this is not an image.
fn is_running_system(root: &Path) -> bool {
    root == Path::new("/") && Path::new("/run/systemd/system").is_dir()
}

fn root_arguments(root: &Path) -> Vec<String> {
    if root == Path::new("/") {
        return Vec::new();
    }
    vec!["--root".into(), root.to_string_lossy().into_owned()]
}

fn has_user(root: &Path) -> Result<bool> {
    let passwd = below(root, "/etc/passwd");
    let text =
        fs::read_to_string(&passwd).with_context(|| format!("cannot read {}", passwd.display()))?;
    Ok(text.lines().any(|line| line.split(':').next() == Some(USER)))
}

fn make_user(root: &Path) -> Result<()> {
    if has_user(root)? {
        return Ok(());
    }
    let root = root_arguments(root);
    let arguments = [
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        USER,
    ];
    run("useradd", root.iter().map(String::as_str).chain(arguments))
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    if parent.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(parent)
        // Whatever the umask: the agent's user must get in.
        .and_then(|()| fs::set_permissions(parent, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot create {}", parent.display()))
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    make_parent(path)?;
    fs::write(path, content)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => println!("removed {}", path.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
    }
    Ok(())
}

fn remove_directory(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => println!("removed {}", path.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
    }
    Ok(())
}

fn run(program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    if status.success() {
        return Ok(());
    }
    bail!("{program} failed with {status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_unit_and_configuration_are_as_the_program_expects_them() {
        assert!(UNIT.contains(&format!("ExecStart={UNIT_PROGRAM}\n")));
        assert!(UNIT.contains(&format!("User={USER}\n")));
        let install = Install {
            nats_url: Some("nats://bus.example:4222".into()),
            host_id: Some("web-3".into()),
            no_start: true,
            root: "/".into(),
        };
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("agent.toml");
        fs::write(&path, install.configuration().unwrap()).unwrap();
        let config: crate::config::Config =
            muster_runtime::config::load_from(Some(&path), []).unwrap();
        assert_eq!(config.nats_url, "nats://bus.example:4222");
        assert_eq!(config.host_id, "web-3");
    }

    /// Every file below a directory, by its path from there.
    fn files_below(root: &Path) -> Vec<String> {
        let mut left = vec![root.to_path_buf()];
        let mut files = Vec::new();
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    files.push(format!("/{}", path.strip_prefix(root).unwrap().display()));
                }
            }
        }
        files.sort();
        files
    }

    /// An image whose users are those given.
    fn image(users: &str) -> tempfile::TempDir {
        let image = tempfile::tempdir().unwrap();
        fs::create_dir(image.path().join("etc")).unwrap();
        fs::write(image.path().join("etc/passwd"), users).unwrap();
        image
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn an_image_gets_a_hardened_unit_and_what_was_written_is_removed_again() {
        let image = image("root:x:0:0::/:/bin/sh\nmuster-agent:x:990:990::/nonexistent:/\n");
        let root = image.path();
        let install = Install {
            nats_url: Some("nats://bus.example:4222".into()),
            host_id: None,
            no_start: false,
            root: root.into(),
        };
        install.install().unwrap();
        let written = ["/etc/muster/agent.toml", "/etc/passwd", UNIT_PATH, PROGRAM];
        assert_eq!(files_below(root), written);
        let unit = fs::read_to_string(below(root, UNIT_PATH)).unwrap();
        for line in [
            "ExecStart=/usr/local/bin/muster-agent",
            "User=muster-agent",
            "Group=muster-agent",
            "SupplementaryGroups=adm systemd-journal",
            "StateDirectory=muster-agent",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "CapabilityBoundingSet=",
        ] {
            assert!(unit.lines().any(|said| said == line), "{line} is missing:\n{unit}");
        }
        assert_eq!((mode(&below(root, PROGRAM)), mode(&below(root, UNIT_PATH))), (0o755, 0o644));
        let configuration = below(root, CONFIGURATION_PATH);
        fs::write(&configuration, "nats_url = \"nats://other:4222\"\n").unwrap();
        install.install().unwrap();
        let kept = fs::read_to_string(&configuration).unwrap();
        assert!(kept.contains("other"), "an upgrade keeps the configuration");

        let uninstall = |purge| Uninstall { purge, root: root.into() }.uninstall();
        uninstall(false).unwrap();
        assert_eq!(files_below(root), ["/etc/muster/agent.toml", "/etc/passwd"]);
        fs::create_dir_all(below(root, STATE_DIR).join("logs")).unwrap();
        // As it is once the user is gone, too: that takes the image's own `userdel`.
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        uninstall(true).unwrap();
        assert_eq!(files_below(root), ["/etc/passwd"]);
        assert!(!below(root, STATE_DIR).exists());
    }

    #[test]
    fn a_package_is_not_purged_beside_its_manager() {
        let image = image("root:x:0:0::/:/bin/sh\n");
        let packaged = below(image.path(), UNIT_PROGRAM);
        make_parent(&packaged).unwrap();
        fs::write(&packaged, "").unwrap();
        let purge = Uninstall { purge: true, root: image.path().into() };
        let said = purge.uninstall().unwrap_err().to_string();
        assert!(said.ends_with("is from a package: apt-get purge muster-agent"), "{said}");
        assert!(packaged.exists());
    }

    #[test]
    fn a_bad_address_is_named_before_anything_is_written() {
        let install = Install {
            nats_url: Some("http://bus".into()),
            host_id: None,
            no_start: true,
            root: "/".into(),
        };
        let said = install.configuration().unwrap_err().to_string();
        assert!(said.starts_with("--nats-url: allowed: nats://host:port"), "{said}");
    }
}
