//! The file `logs/positions` in the state directory: how far everything was read, for the next
//! start. Notes in the agent's journal carry what moved after it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::logic::follow::Checkpoint;

/// Tells our file from any other; the digit is the version of what follows.
const MAGIC: &[u8; 8] = b"muster-1";

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("logs").join("positions")
}

/// `None` at the very first start, and where the file cannot be used.
pub fn load(state_dir: &Path) -> Option<Checkpoint> {
    let path = path(state_dir);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warn!(%error, "cannot read {}: logs are followed as at a first start", path.display());
            return None;
        }
    };
    let checkpoint = parse(&bytes);
    if checkpoint.is_none() {
        warn!("{} is damaged: logs are followed as at a first start", path.display());
    }
    checkpoint
}

fn parse(bytes: &[u8]) -> Option<Checkpoint> {
    let (checksum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    let is_whole = crc32fast::hash(body) == u32::from_le_bytes(*checksum);
    is_whole.then(|| Checkpoint::decode(body)).flatten()
}

/// Durable when it returns: the journal may drop what the checkpoint includes.
pub fn store(state_dir: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    let path = path(state_dir);
    let directory = state_dir.join("logs");
    fs::create_dir_all(&directory)?;
    let temporary = path.with_extension("new");
    let body = checkpoint.encode();
    let mut file = File::create(&temporary)?;
    file.write_all(MAGIC)?;
    file.write_all(&crc32fast::hash(&body).to_le_bytes())?;
    file.write_all(&body)?;
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_checkpoint_reads_as_none() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(load(directory.path()), None);
        let checkpoint = Checkpoint { epoch: 3, seq: 4, ..Checkpoint::default() };
        store(directory.path(), &checkpoint).unwrap();
        assert_eq!(load(directory.path()), Some(checkpoint));
        let file = path(directory.path());
        let whole = fs::read(&file).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            fs::write(&file, damaged).unwrap();
            assert_eq!(load(directory.path()), None, "byte {index}");
            fs::write(&file, &whole[..index]).unwrap();
            assert_eq!(load(directory.path()), None, "cut at {index}");
        }
    }
}
