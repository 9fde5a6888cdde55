//! The key for secrets that are stored in the database: `MUSTER_SECRET_KEY`, or a file.
//!
//! It is 64 hexadecimal digits, the same for every process that stores or uses such secrets.
//! Whoever has the database and not the key cannot read them; whoever loses the key has to enter
//! them again. What is done with it is not decided here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Wins over the file.
pub const VARIABLE: &str = "MUSTER_SECRET_KEY";

const KEY_BYTES: usize = 32;

/// The key's digits; `None` where there is neither the variable nor a file.
pub fn read(file: Option<&Path>) -> Result<Option<String>> {
    // Empty is the same as not set: compose files cannot say it otherwise.
    if let Some(text) = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()) {
        return checked(&text, VARIABLE).map(Some);
    }
    let Some(path) = file else { return Ok(None) };
    match fs::read_to_string(path) {
        Ok(text) => checked(&text, &path.display().to_string()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The key of a process that an operator gave a file for it, or none.
pub fn of(file: Option<&Path>) -> Result<Option<String>> {
    match file {
        Some(file) => read_or_make(file).map(Some),
        None => read(None),
    }
}

/// The same as [`read`], and makes the file where there is neither. Of two processes that do so at once, both
/// get the key of the first.
pub fn read_or_make(file: &Path) -> Result<String> {
    if let Some(key) = read(Some(file))? {
        return Ok(key);
    }
    let draft = file.with_extension(format!("{}.new", std::process::id()));
    let made = write_draft(&draft).and_then(|()| match fs::hard_link(&draft, file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    // What matters is the file; a draft that stays is not looked at again.
    let _ = fs::remove_file(&draft);
    made.with_context(|| format!("cannot make {}", file.display()))?;
    read(Some(file))?.with_context(|| format!("{} is gone again", file.display()))
}

fn write_draft(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let halves = key.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits: String = halves.filter_map(|half| char::from_digit(half.into(), 16)).collect();
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(format!("{digits}\n").as_bytes())?;
    file.sync_all()
}

fn checked(text: &str, source: &str) -> Result<String> {
    let text = text.trim();
    let is_key = text.len() == 2 * KEY_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(is_key, "{source} is no key: it takes 64 hexadecimal digits (openssl rand -hex 32)");
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.key");
        assert_eq!(read(Some(&path)).unwrap(), None);
        let key = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn processes_that_make_a_key_at_once_agree_on_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.key");
        let first = read_or_make(&path).unwrap();
        write_draft(&path.with_extension("other.new")).unwrap();
        let late = fs::hard_link(path.with_extension("other.new"), &path);
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_or_make(&path).unwrap(), first);
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.key");
        for text in ["", "hush", &"g".repeat(64)] {
            fs::write(&path, text).unwrap();
            let said = format!("{:#}", read(Some(&path)).unwrap_err());
            assert!(said.contains("64 hexadecimal digits") && !said.contains("hush"), "{said}");
        }
    }
}
