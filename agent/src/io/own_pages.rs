//! Lets go of the pages of this program that are mapped although it no longer runs them.
//!
//! Reading the configuration, connecting and the first inventory run code that an agent then never
//! runs again, and the kernel maps the neighbours of what is run along with it: together more than
//! what the agent has in use. They are the file's pages, so that nothing is lost by letting go;
//! what is still run comes back with its next call, from the kernel's cache. Who calls this decides
//! how often.

use std::ffi::c_void;
use std::fs;
use std::io::{Error, Result};
use std::ptr::NonNull;

use nix::sys::mman::{MmapAdvise, madvise};

const MAPS: &str = "/proc/self/maps";

/// Of the program and its libraries; answers how many bytes are mapped of them, in use or not.
pub fn let_go_of_code() -> Result<usize> {
    let mut bytes = 0;
    for (from, length) in fs::read_to_string(MAPS)?.lines().filter_map(code) {
        let Some(start) = NonNull::new(from as *mut c_void) else { continue };
        // SAFETY: the range is a private mapping of a file that can be run and not written, so
        // each of its pages is as in the file, and is read from there again when it is next used.
        #[allow(unsafe_code, reason = "there is no safe way to name one's own pages")]
        unsafe { madvise(start, length, MmapAdvise::MADV_DONTNEED) }.map_err(Error::from)?;
        bytes += length;
    }
    Ok(bytes)
}

/// Where a line of the kernel's list tells of code from a file, and how long it is.
fn code(line: &str) -> Option<(usize, usize)> {
    let mut columns = line.split_ascii_whitespace();
    let (range, rights) = (columns.next()?, columns.next()?);
    let path = columns.nth(3)?;
    if rights != "r-xp" || !path.starts_with('/') {
        return None;
    }
    let (from, to) = range.split_once('-')?;
    let from = usize::from_str_radix(from, 16).ok()?;
    let length = usize::from_str_radix(to, 16).ok()?.checked_sub(from)?;
    Some((from, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_can_be_run_and_not_written_and_comes_from_a_file() {
        for (line, expected) in [
            ("55d0a000-55d0c000 r-xp 00001000 fe:00 42  /usr/bin/muster-agent", Some(0x2000)),
            ("55d0a000-55d0c000 r--p 00001000 fe:00 42  /usr/bin/muster-agent", None),
            ("55d0a000-55d0c000 rwxp 00001000 fe:00 42  /usr/bin/muster-agent", None),
            ("7ffe9000-7ffea000 r-xp 00000000 00:00 0   [vdso]", None),
            ("7ffe9000-7ffea000 r-xp 00000000 00:00 0", None),
            ("", None),
        ] {
            assert_eq!(code(line).map(|(_, length)| length), expected, "{line}");
        }
    }

    #[test]
    fn a_program_goes_on_after_it_let_go_of_its_code() {
        for _ in 0..3 {
            assert!(let_go_of_code().unwrap() > 100_000);
        }
    }
}
