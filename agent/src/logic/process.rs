//! One process in `/proc`: its line of figures, what it read and wrote, its command line.

use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::ProcessStates;

use crate::logic::scan::{number, number_after, words};

/// The kernel's unit of processor time in `/proc`, 10 ms, the same on every architecture we build
/// for (`USER_HZ`).
pub const TICK_MS: u64 = 10;

/// The flag of kernel threads in the ninth field, `PF_KTHREAD` in the kernel's `sched.h`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// The longest command line that travels, in bytes: enough to tell two of one program apart. What
/// Java is started with can be ten times as long.
pub const COMMAND_BYTES_MAX: usize = 512;

/// What `/proc/<pid>/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat<'a> {
    pub name: &'a [u8],
    pub state: u8,
    pub kernel_thread: bool,
    /// User and system time since its start.
    pub ticks: u64,
    /// Ticks between boot and its start: with the pid, what identifies it.
    pub started: u64,
    pub resident_pages: u64,
}

/// The name stands in parentheses and may hold blanks and parentheses itself.
pub fn parse_stat(text: &[u8]) -> Option<Stat<'_>> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let name = text.get(open + 1..close)?;
    let mut words = words(&text[close + 1..]);
    let state = *words.next()?.first()?;
    let mut field = |skip: usize| words.nth(skip).map(|word| number(word).unwrap_or(0));
    let flags = field(5)?;
    let ticks = field(4)?.saturating_add(field(0)?);
    let started = field(6)?;
    let resident_pages = field(1)?;
    let kernel_thread = flags & KERNEL_THREAD != 0;
    Some(Stat { name, state, kernel_thread, ticks, started, resident_pages })
}

/// Bytes read from and written to storage, from `/proc/<pid>/io`.
pub fn parse_io(text: &[u8]) -> Option<(u64, u64)> {
    Some((number_after(text, "read_bytes")?, number_after(text, "write_bytes")?))
}

/// Counts a process by the letter of its state, as `ps` prints it.
pub fn count_state(state: u8, states: &mut ProcessStates) {
    let place = match state {
        b'R' => &mut states.running,
        b'S' => &mut states.sleeping,
        b'D' => &mut states.blocked,
        b'T' | b't' => &mut states.stopped,
        b'Z' => &mut states.zombie,
        b'I' => &mut states.idle,
        _ => return,
    };
    *place += 1;
}

/// 100 is one core; 0 for what went backwards.
pub fn cpu_percent(before_ticks: u64, after_ticks: u64, elapsed_ms: i64) -> f32 {
    if elapsed_ms <= 0 {
        return 0.0;
    }
    let spent_ms = after_ticks.saturating_sub(before_ticks).saturating_mul(TICK_MS);
    round_fraction(spent_ms as f64 * 100.0 / elapsed_ms as f64)
}

/// The arguments in a `/proc/<pid>/cmdline`, which ends each with a NUL.
pub fn arguments(cmdline: &[u8]) -> Vec<String> {
    let text = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// A command line as it travels: one line, not too long. Control characters would break the
/// terminals of those who copy it.
pub fn shorten_command(mut command: String) -> String {
    if command.chars().any(char::is_control) {
        command = command.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    let trimmed = command.trim_end().len();
    command.truncate(trimmed);
    if command.len() > COMMAND_BYTES_MAX {
        let mut end = COMMAND_BYTES_MAX - '…'.len_utf8();
        while !command.is_char_boundary(end) {
            end -= 1;
        }
        command.truncate(end);
        command.push('…');
    }
    command
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = b"42 (a) (b c) S 1 42 42 0 -1 4194560 10 20 30 40 7 5 60 70 20 0 1 0 900 1000000 394 18446744073709551615 9";
        let stat = parse_stat(line).unwrap();
        let expected = Stat {
            name: b"a) (b c",
            state: b'S',
            kernel_thread: false,
            ticks: 12,
            started: 900,
            resident_pages: 394,
        };
        assert_eq!(stat, expected);
    }

    #[test]
    fn kernel_threads_are_told_by_their_flag() {
        let line = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 1 0 0 20 0 1 0 3 0 0 18446744073709551615";
        assert!(parse_stat(line).unwrap().kernel_thread);
        assert_eq!(parse_stat(b"2 (kthreadd) S 0"), None);
        assert_eq!(parse_stat(b""), None);
        assert_eq!(parse_stat(b")("), None);
    }

    #[test]
    fn storage_is_told_apart_from_the_cache() {
        let text = b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\n";
        assert_eq!(parse_io(text), Some((4096, 8192)));
        assert_eq!(parse_io(b"rchar: 1\n"), None);
    }

    #[test]
    fn shares_are_of_one_core() {
        assert!((cpu_percent(100, 350, 5000) - 50.0).abs() < f32::EPSILON);
        assert!(cpu_percent(100, 50, 5000).abs() < f32::EPSILON);
        assert!(cpu_percent(0, 50, 0).abs() < f32::EPSILON);
    }

    #[test]
    fn commands_are_one_short_line() {
        assert_eq!(arguments(b"nginx\0-g\0daemon off;\0"), ["nginx", "-g", "daemon off;"]);
        assert_eq!(arguments(b""), Vec::<String>::new());
        assert_eq!(shorten_command("sh -c a\nb\n".into()), "sh -c a b");
        let long = shorten_command("ä".repeat(COMMAND_BYTES_MAX));
        assert!(long.len() <= COMMAND_BYTES_MAX && long.ends_with("ä…"), "{long}");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: Vec<u8>, ticks: u64, elapsed_ms: i64) {
            parse_stat(&text);
            parse_io(&text);
            prop_assert!(shorten_command(arguments(&text).join(" ")).len() <= COMMAND_BYTES_MAX);
            prop_assert!(cpu_percent(0, ticks, elapsed_ms).is_finite());
        }
    }
}
