//! How much room is left where the database keeps its data, if that is on this machine. Whether the
//! configured directory is the database's is the operator's word. The page of sizes asks, and the
//! start, to say when there will be no answer.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use tokio::task::spawn_blocking;
use tracing::debug;

/// What the database may still write; `None` where that cannot be told.
pub(crate) async fn free_bytes(directory: Option<PathBuf>) -> Option<i64> {
    let directory = directory?;
    // A disk that is slow must not hold up other requests.
    let asked = spawn_blocking(move || (free_in(&directory), directory)).await;
    match asked.ok()? {
        (Ok(bytes), _) => Some(bytes),
        (Err(error), directory) => {
            debug!(%error, "cannot tell how much room is left in {}", directory.display());
            None
        }
    }
}

/// Without what the file system reserves for root, as which the database does not run. The
/// directory itself may be closed to us; those above it may not.
pub(crate) fn free_in(directory: &Path) -> io::Result<i64> {
    let sizes = statvfs(directory)?;
    let bytes = sizes.blocks_available().saturating_mul(sizes.fragment_size());
    Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_told_of_directories_that_are_there_and_not_of_others() {
        let here = std::env::temp_dir();
        assert!(free_bytes(Some(here.clone())).await > Some(0));
        assert_eq!(free_bytes(Some(here.join("nothing/is/here"))).await, None);
        assert_eq!(free_bytes(None).await, None);
    }
}
