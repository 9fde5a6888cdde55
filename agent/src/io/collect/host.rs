//! Where the host's files are, and how they are read again and again at little cost.
//!
//! In a container the host's root is mounted somewhere below the container's own: every path of the
//! host is asked for here, and none is spelled elsewhere. What the texts mean is for `logic/`.
//!
//! Used by all collectors.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::time::{ClockId, clock_gettime};

/// Longer texts are cut: the largest read here, `/proc/net/tcp` of 5,000 sockets, has 0.8 MB, and a
/// file that grows without end must not take the memory of the host it describes.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What most files of the kernel fit in, so that one call reads them whole.
const READ_BYTES: usize = 8 * 1024;

/// The type of optical drives in `/sys/block/*/device/type`, as the SCSI standard numbers them.
pub const OPTICAL: i64 = 5;

/// 128 bits in hexadecimal. Anything else is no id: `uninitialized`, or nothing.
const MACHINE_ID_LENGTH: usize = 32;

/// Paths of the host that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Whether the host's root is a mount in a container.
    pub fn is_mounted(&self) -> bool {
        self.root != Path::new("/")
    }

    /// An absolute path of the host, as seen from here.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A path or glob as an operator wrote it: the host's own, unless it is spelled from here.
    pub fn given(&self, path: &str) -> PathBuf {
        if Path::new(path).starts_with(&self.root) { path.into() } else { self.path(path) }
    }

    /// What tells this machine from others, whatever it is called; `None` where it is not known,
    /// such as in an image that is yet to be started.
    pub fn machine_id(&self) -> Option<String> {
        let id = read_line(&self.path("/etc/machine-id"))?;
        let is_id = id.len() == MACHINE_ID_LENGTH
            && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && id.bytes().any(|byte| byte != b'0');
        is_id.then_some(id)
    }

    pub fn proc(&self, path: &str) -> PathBuf {
        self.root.join("proc").join(path)
    }

    pub fn sys(&self, path: &str) -> PathBuf {
        self.root.join("sys").join(path)
    }

    /// A file of `/proc/net`: `/proc/net` itself would be the network of the container that this
    /// process is in, where there is one.
    pub fn net(&self, file: &str) -> PathBuf {
        let of_first = self.proc("1/net").join(file);
        if self.is_mounted() && of_first.exists() {
            return of_first;
        }
        self.proc("net").join(file)
    }
}

/// A text without its line end; `None` where there is none.
pub fn read_line(path: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).replace('\0', "");
    Some(text.trim().to_owned())
}

/// A file that holds one number.
pub fn read_number(path: &Path) -> Option<i64> {
    read_line(path)?.parse().ok()
}

/// The names in a directory, sorted; none where there is no directory.
pub fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A file of the kernel that is opened once and read anew from its start at every sample.
#[derive(Debug)]
pub struct Reread {
    path: PathBuf,
    file: Option<File>,
}

impl Reread {
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Reads a file that the kernel writes in one piece, however long it is.
    pub fn read_piece<'b>(&mut self, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        self.read(buffer, true)
    }

    /// Reads a file that the kernel hands out in several pieces, such as lists of devices.
    pub fn read_pieces<'b>(&mut self, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        self.read(buffer, false)
    }

    fn read<'b>(&mut self, buffer: &'b mut Vec<u8>, one_piece: bool) -> io::Result<&'b [u8]> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.path)?);
        }
        let file = self.file.as_ref().expect("it was opened above");
        let read = read_at_start(file, buffer, one_piece);
        if read.is_err() {
            // Opened again next time: the device or the mount may have been replaced.
            self.file = None;
        }
        read.map(|length| &buffer[..length])
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads from the start into a buffer that is used again, and answers how much there was.
pub fn read_at_start(file: &File, buffer: &mut Vec<u8>, one_piece: bool) -> io::Result<usize> {
    if buffer.len() < READ_BYTES {
        buffer.resize(READ_BYTES, 0);
    }
    let mut length = 0;
    loop {
        if length == buffer.len() {
            if length >= FILE_BYTES_MAX {
                return Ok(length);
            }
            buffer.resize(length * 2, 0);
        }
        match file.read_at(&mut buffer[length..], length as u64) {
            Ok(0) => return Ok(length),
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if one_piece && length < buffer.len() {
            return Ok(length);
        }
    }
}

/// Milliseconds since boot, by a clock that goes on while the machine is suspended.
pub fn boot_clock_ms() -> i64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock since 2.6.39");
    now.tv_sec() * 1000 + now.tv_nsec() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_anew_whatever_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stat");
        let mut file = Reread::new(path.clone());
        let mut buffer = Vec::new();
        assert_eq!(file.read_piece(&mut buffer).unwrap_err().kind(), ErrorKind::NotFound);
        for length in [3, READ_BYTES, READ_BYTES * 5 + 1, 0] {
            let text = vec![b'x'; length];
            fs::write(&path, &text).unwrap();
            assert_eq!(file.read_piece(&mut buffer).unwrap(), text);
            assert_eq!(file.read_pieces(&mut buffer).unwrap(), text);
        }
    }

    #[test]
    fn what_an_operator_names_is_the_hosts_own_however_it_is_spelled() {
        let host = Host::new(Path::new("/host"));
        for given in ["/var/log/*.log", "/host/var/log/*.log"] {
            assert_eq!(host.given(given), Path::new("/host/var/log/*.log"));
        }
        assert_eq!(host.given("/hosted/x"), Path::new("/host/hosted/x"));
        assert_eq!(Host::new(Path::new("/")).given("/var/log/x"), Path::new("/var/log/x"));
    }

    #[test]
    fn the_network_is_that_of_the_host_even_from_a_container() {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::new(directory.path());
        assert_eq!(host.net("dev"), directory.path().join("proc/net/dev"));
        fs::create_dir_all(directory.path().join("proc/1/net")).unwrap();
        fs::write(directory.path().join("proc/1/net/dev"), "").unwrap();
        assert_eq!(host.net("dev"), directory.path().join("proc/1/net/dev"));
        assert_eq!(Host::new(Path::new("/")).net("dev"), Path::new("/proc/net/dev"));
    }
}
