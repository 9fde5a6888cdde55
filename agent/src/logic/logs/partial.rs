//! Lines that a container runtime has cut into pieces: CRI marks each but the last with `P`.
//!
//! The pieces of one stream are joined, whatever the other stream writes between them, so that a
//! level or a word is read even where it was cut. Bounded: of a joined line as much is kept as is
//! looked at. What is written on in another file after a rotation is a line of its own, and so is
//! what comes after a piece was given up: an end that does not come must not hold up what the
//! other stream says. Called by `scanner.rs`.

use super::reading;
use super::search::PIECE_BYTES;

/// A runtime's own limit for a log file is below this: what goes on for longer has no end.
const SPAN_BYTES_MAX: u64 = 64 << 20;

/// A runtime writes the pieces of a line within milliseconds. What has no end by then is text that
/// waits for nothing, such as a prompt, and what was found since waits for it.
const AGE_MS_MAX: u64 = 3_000;

/// A line of which pieces were seen, or all.
pub(super) struct Partial {
    /// Begins as the first piece does.
    pub text: Vec<u8>,
    pub cut_bytes: u64,
    pub start: u64,
    pub end: u64,
    begun_at: i64,
}

/// What a line is to a joined one.
pub(super) enum Joined {
    /// Nothing: it stands for itself.
    Not,
    Begun,
    Whole(Partial),
}

/// What is open of both streams.
#[derive(Default)]
pub(super) struct Partials {
    open: [Option<Partial>; 2],
}

impl Partials {
    /// Takes the line if it is a piece.
    pub(super) fn take(&mut self, line: &[u8], start: u64, end: u64, now_ms: i64) -> Joined {
        let Some(piece) = reading::cri(line) else { return Joined::Not };
        let open = &mut self.open[usize::from(piece.stream == b"stderr")];
        if open.is_none() && !piece.is_partial {
            return Joined::Not;
        }
        let text = match open {
            None => line,
            Some(_) => piece.message,
        };
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let partial = open.get_or_insert_with(|| Partial::new(start, now_ms));
        partial.append(text, end);
        if piece.is_partial {
            return Joined::Begun;
        }
        open.take().map_or(Joined::Not, Joined::Whole)
    }

    /// Where the first of what is open began.
    pub(super) fn start(&self) -> Option<u64> {
        self.open.iter().flatten().map(|partial| partial.start).min()
    }

    /// What is open stays as it is, the first one first.
    pub(super) fn give_up(&mut self) -> Vec<Partial> {
        self.give_up_where(|_| true)
    }

    /// What began too far before `end`.
    pub(super) fn give_up_long(&mut self, end: u64) -> Vec<Partial> {
        self.give_up_where(|partial| end.saturating_sub(partial.start) >= SPAN_BYTES_MAX)
    }

    /// What began too long ago. A clock that was set in between counts as a long time, too.
    pub(super) fn give_up_old(&mut self, now_ms: i64) -> Vec<Partial> {
        self.give_up_where(|partial| now_ms.abs_diff(partial.begun_at) >= AGE_MS_MAX)
    }

    fn give_up_where(&mut self, is_due: impl Fn(&Partial) -> bool) -> Vec<Partial> {
        let due = |open: &mut Option<Partial>| open.take_if(|partial| is_due(partial));
        let mut given: Vec<Partial> = self.open.iter_mut().filter_map(due).collect();
        given.sort_by_key(|partial| partial.start);
        given
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.iter().any(Option::is_some)
    }
}

impl Partial {
    fn new(start: u64, begun_at: i64) -> Self {
        Self { text: Vec::new(), cut_bytes: 0, start, end: start, begun_at }
    }

    fn append(&mut self, text: &[u8], end: u64) {
        let room = PIECE_BYTES - self.text.len();
        let (kept, cut) = text.split_at(text.len().min(room));
        self.text.extend_from_slice(kept);
        self.cut_bytes += cut.len() as u64;
        self.end = end;
    }
}
