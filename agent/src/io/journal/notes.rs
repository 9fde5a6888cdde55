//! Notes beside log messages: where the lines of a message end in the files they came from. They
//! are never sent. Being in the record of the message they are about, both survive a kill, or
//! neither. A message that is numbered anew leaves its note behind, with the record it was written
//! in: a note has one number, and epochs only grow, so that numbers tell which of two is newer.

use std::io;

use tracing::debug;

use super::cursor::{Cursor, Found};
use super::segment::Head;
use super::{Journal, Position};

impl Journal {
    /// The notes of messages that are still on disk, acknowledged or not, oldest first, each with
    /// the epoch and number of its message. Read once, at the start.
    pub fn log_notes(&self) -> io::Result<Vec<(i64, i64, Vec<u8>)>> {
        let mut cursor = Cursor::at(Position::default());
        let mut notes = Vec::new();
        let wanted = |head: &Head| head.has_note;
        while let Found::Record(ticket, record) =
            cursor.next_where(wanted, &self.directory, &self.segments, usize::MAX)?
        {
            notes.push((ticket.epoch, ticket.seq, record.note));
        }
        Ok(notes)
    }

    /// Notes up to that of number `seq` of `epoch` are kept elsewhere now, those of epochs before
    /// among them: their segments may go.
    pub fn checkpointed_logs(&mut self, epoch: i64, seq: i64) {
        for segment in &mut self.segments {
            let is_kept = (segment.epoch, segment.last_note) <= (epoch, Some(seq));
            if is_kept && segment.last_note.take().is_some() {
                debug!(segment = segment.index, "the notes of a segment are kept elsewhere");
            }
        }
    }
}
