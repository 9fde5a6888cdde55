//! One GET over a connection of this host, bounded in time and size.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::logic::http_response::{body, is_whole};

/// How long an answer may take in all. What answers on the same host answers in milliseconds.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Longer answers are refused: the list of a thousand containers has about 1.5 MB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Asks for a path and answers the body. The connection has read and write timeouts of its own.
pub fn get(mut stream: impl Read + Write, host: &str, path: &str) -> Result<Vec<u8>, String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: muster-agent\r\n\
         Accept: text/plain, application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(|error| format!("cannot be asked: {error}"))?;
    let deadline = Instant::now() + TIMEOUT;
    let mut answer = Vec::new();
    let mut piece = [0; 16 * 1024];
    while !is_whole(&answer) {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(error.kind()) => return Err(too_slow()),
            Err(error) => return Err(format!("cannot be read: {error}")),
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"));
        }
        if Instant::now() >= deadline {
            return Err(too_slow());
        }
    }
    body(&answer)
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn too_slow() -> String {
    format!("no answer within {} s", TIMEOUT.as_secs())
}
