//! A place in the journal from which records are read in the order of their writing.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use tracing::warn;

use super::segment::{self, HEADER_BYTES, Head, RECORD_HEADER_BYTES, Record};
use super::{Position, Segment, Ticket, file_name, salvage};

#[derive(Default)]
pub struct Cursor {
    position: Position,
    reader: Option<BufReader<File>>,
}

/// What a cursor found in one go.
pub enum Found {
    Record(Ticket, Record),
    /// Others so far; there is more to read.
    Others,
    End,
}

impl Cursor {
    pub fn at(position: Position) -> Self {
        Self { position, reader: None }
    }

    pub fn position(&self) -> Position {
        self.position
    }

    pub fn move_to(&mut self, position: Position) {
        if self.position != position {
            *self = Self::at(position);
        }
    }

    /// The next record that begins before `until`.
    pub fn next(
        &mut self,
        directory: &Path,
        segments: &VecDeque<Segment>,
        until: Position,
    ) -> io::Result<Option<(Ticket, Record)>> {
        while let Some(segment) = self.settle(segments, until) {
            let start = self.position;
            if self.is_gone(directory) {
                self.skip_gone(directory, segment);
                continue;
            }
            let Some(record) = segment::read_record(self.reader(directory)?)? else {
                self.skip_damage(directory, segment)?;
                continue;
            };
            self.position.offset += record.bytes();
            let ticket = Ticket {
                kind: record.kind,
                epoch: segment.epoch,
                seq: record.seq,
                start,
                end: self.position,
            };
            return Ok(Some((ticket, record)));
        }
        Ok(None)
    }

    /// The next record whose head is `wanted`, among `records_max`. The others are passed by
    /// unread.
    pub fn next_where(
        &mut self,
        wanted: impl Fn(&Head) -> bool,
        directory: &Path,
        segments: &VecDeque<Segment>,
        records_max: usize,
    ) -> io::Result<Found> {
        for _ in 0..records_max {
            let Some(segment) = self.settle(segments, Position::MAX) else {
                return Ok(Found::End);
            };
            if self.is_gone(directory) {
                self.skip_gone(directory, segment);
                continue;
            }
            let reader = self.reader(directory)?;
            let mut skipped = None;
            match segment::read_head(reader)? {
                Some((head, _)) if wanted(&head) => {
                    reader.seek_relative(-(RECORD_HEADER_BYTES as i64))?;
                }
                Some((head, _)) => {
                    reader.seek_relative(head.length as i64)?;
                    skipped = Some(head.record_bytes());
                }
                None => self.reader = None,
            }
            // A head alone has no checksum: a damaged one must not lead past the end.
            if let Some(bytes) =
                skipped.filter(|bytes| self.position.offset + bytes <= segment.bytes)
            {
                self.position.offset += bytes;
                continue;
            }
            if skipped.is_some() {
                self.reader = None;
            }
            let Some((ticket, record)) = self.next(directory, segments, Position::MAX)? else {
                return Ok(Found::End);
            };
            if wanted(&record.head()) {
                return Ok(Found::Record(ticket, record));
            }
        }
        Ok(Found::Others)
    }

    /// Moves to where a record should begin; `None` where none does before `until`.
    fn settle<'a>(
        &mut self,
        segments: &'a VecDeque<Segment>,
        until: Position,
    ) -> Option<&'a Segment> {
        loop {
            let at = segments.partition_point(|s| s.index < self.position.segment);
            let current = segments.get(at)?;
            if current.index > self.position.segment || self.position.offset < HEADER_BYTES {
                self.move_to(Position { segment: current.index, offset: HEADER_BYTES });
            }
            if self.position < until && self.position.offset < current.bytes {
                return Some(current);
            }
            // No file stays open behind the end.
            self.reader = None;
            if self.position >= until || at + 1 == segments.len() {
                return None;
            }
            self.position = Position { segment: current.index + 1, offset: 0 };
        }
    }

    fn reader(&mut self, directory: &Path) -> io::Result<&mut BufReader<File>> {
        match &mut self.reader {
            Some(reader) => Ok(reader),
            none => {
                let path = directory.join(file_name(self.position.segment));
                Ok(none.insert(segment::reader(&path, self.position.offset)?))
            }
        }
    }

    /// Whether somebody has removed the segment to read. Without its directory it may come back.
    fn is_gone(&self, directory: &Path) -> bool {
        let path = || directory.join(file_name(self.position.segment));
        self.reader.is_none() && directory.is_dir() && !path().exists()
    }

    fn skip_gone(&mut self, directory: &Path, segment: &Segment) {
        let path = directory.join(file_name(segment.index));
        warn!("{} is gone: what was in it counts as lost", path.display());
        self.position.offset = segment.bytes;
    }

    fn skip_damage(&mut self, directory: &Path, segment: &Segment) -> io::Result<()> {
        self.reader = None;
        let path = directory.join(file_name(segment.index));
        let (from, until) = (self.position.offset, segment.bytes);
        let next = salvage::next_whole(&path, from, until)?;
        let offset = next.unwrap_or(until);
        // Equal where the reader had read ahead what has been overwritten since.
        if offset != from {
            warn!("{}: bytes {from} to {offset} are damaged and skipped", path.display());
        }
        self.position.offset = offset;
        Ok(())
    }
}
