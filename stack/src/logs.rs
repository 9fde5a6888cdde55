//! Log files of the parts: opened for append, kept under a size, and read back when something
//! goes wrong. Deliberately without a format: each part writes what it likes. Called wherever a
//! child is started, and by the supervisor once a minute.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A log may grow to this before it is set aside as `<name>.log.1`: some days of a chatty part,
/// and two such files of each part still fit a small disk.
pub const LOG_BYTES_MAX: u64 = 16 << 20;

/// How much of a log's end is searched for its last lines.
const TAIL_BYTES: u64 = 64 << 10;

/// Opens a log for append, setting the old one aside when it has grown too large.
pub fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    bound(path)?;
    OpenOptions::new().create(true).append(true).open(path)
}

/// Copies a log that is too large to `.1` and empties it. It is emptied in place and not renamed
/// because a running child holds it open; the child appends, so it goes on at the new end.
pub fn bound(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > LOG_BYTES_MAX => {
            fs::copy(path, older(path))?;
            OpenOptions::new().write(true).open(path)?.set_len(0)
        }
        _ => Ok(()),
    }
}

/// The last lines of a log, for an error message. A log that cannot be read has no lines.
pub fn tail(path: &Path, lines: usize) -> Vec<String> {
    let text = read_end(path).unwrap_or_default();
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].iter().map(ToString::to_string).collect()
}

fn read_end(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_log_that_grew_too_large_is_set_aside_while_its_writer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part.log");
        let mut writer = open(&path).unwrap();
        writer.write_all(&vec![b'x'; LOG_BYTES_MAX as usize + 1]).unwrap();
        bound(&path).unwrap();
        writer.write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        assert_eq!(fs::metadata(older(&path)).unwrap().len(), LOG_BYTES_MAX + 1);
    }

    #[test]
    fn the_tail_is_the_last_lines_and_a_missing_log_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part.log");
        fs::write(&path, "one\ntwo\n\nthree\n").unwrap();
        assert_eq!(tail(&path, 2), ["two", "three"]);
        assert!(tail(&dir.path().join("none.log"), 2).is_empty());
    }
}
