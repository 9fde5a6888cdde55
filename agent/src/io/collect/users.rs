//! Names of the owners of processes, from the host's own `/etc/passwd`.
//!
//! Users of a directory service (LDAP) are not in it and keep their numbers: asking for them may
//! take as long as the network does.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::host::Host;

/// How often is looked whether the file has changed.
const LOOK_PERIOD_MS: i64 = 60_000;

pub struct Users {
    path: PathBuf,
    names: HashMap<u32, String>,
    changed_at: Option<SystemTime>,
    due_ms: i64,
}

impl Users {
    pub fn new(host: &Host) -> Self {
        Self {
            path: host.path("/etc/passwd"),
            names: HashMap::new(),
            changed_at: None,
            due_ms: i64::MIN,
        }
    }

    /// The name, or the number of who has none.
    pub fn name(&mut self, uid: u32, now_ms: i64) -> String {
        if now_ms >= self.due_ms {
            self.due_ms = now_ms + LOOK_PERIOD_MS;
            self.refresh();
        }
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    fn refresh(&mut self) {
        let changed_at = fs::metadata(&self.path).and_then(|file| file.modified()).ok();
        if changed_at == self.changed_at {
            return;
        }
        self.changed_at = changed_at;
        let text = fs::read(&self.path).unwrap_or_default();
        self.names = String::from_utf8_lossy(&text).lines().filter_map(parse_user).collect();
    }
}

/// `name:x:uid:...`
fn parse_user(line: &str) -> Option<(u32, String)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_file() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("etc")).unwrap();
        let path = directory.path().join("etc/passwd");
        fs::write(&path, "root:x:0:0:root:/root:/bin/sh\nbad line\n").unwrap();
        let mut users = Users::new(&Host::new(directory.path()));
        assert_eq!(users.name(0, 0), "root");
        assert_eq!(users.name(1000, 0), "1000");
        fs::write(&path, "root:x:0:0::/:/bin/sh\nada:x:1000:1000::/:/bin/sh\n").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(9);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(users.name(1000, 1000), "1000");
        assert_eq!(users.name(1000, LOOK_PERIOD_MS), "ada");
    }
}
