//! Opens what a kill, a power cut or a damaged disk has left.
//!
//! A record that was cut short at the very end was never waited for, so never sent: it is cut off
//! and its number used again. Anything else that does not add up at the end of the newest epoch
//! (damage, a length that was longer before, an end that was acknowledged and is gone) means that
//! nobody knows which numbers the bus has seen: a new epoch begins. What is whole is kept and sent
//! under the epoch and number it always had. Damage further back costs what is damaged: the
//! segments after it vouch for the numbers.

use std::fs;
use std::io::{self, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use muster_schemas::{Envelope, codec};
use serde::de::IgnoredAny;
use tracing::{info, warn};

use super::cursor::Cursor;
use super::salvage::{self, Rest};
use super::segment::{self, HEADER_BYTES, Header, Record};
use super::{CHANNELS, Journal, Position, Segment, mark, not_writable, segment_indexes};

impl Journal {
    pub(super) fn recover(&mut self, now_ms: i64) -> Result<()> {
        self.drop_unfinished()?;
        // Whether it is known which numbers of the newest epoch were used.
        let mut is_certain = true;
        for index in segment_indexes(&self.directory)? {
            let path = self.path(index);
            is_certain = self
                .recover_segment(index, is_certain)
                .with_context(|| format!("cannot read {}", path.display()))?;
        }
        if self.segments.is_empty() {
            self.make_new(now_ms);
        } else {
            let is_certain = is_certain && !self.has_lost_its_end();
            self.reconcile_progress();
            self.staged_frame = self.next_seq[0];
            if !is_certain {
                self.begin_anew(now_ms).map_err(|error| not_writable(&self.directory, &error))?;
            }
        }
        self.main = Cursor::at(self.progress.position);
        self.candidates = Cursor::at(self.progress.candidates.max(self.progress.position));
        self.unsent = self.waiting;
        Ok(())
    }

    fn make_new(&mut self, now_ms: i64) {
        // Segments that are gone may have held numbers of the epoch of before.
        self.epoch = now_ms.max(self.progress.epoch + 1);
        self.staged_frame = self.progress.acked[0] + 1;
        self.reconcile_progress();
        info!(epoch = self.epoch, "made a new journal in {}", self.directory.display());
    }

    /// Answers whether the numbers in use are certain, as far as this segment tells.
    fn recover_segment(&mut self, index: u64, was_certain: bool) -> io::Result<bool> {
        let path = self.path(index);
        let header = segment::read_header(&mut segment::reader(&path, 0)?)?;
        let (header, mut is_certain) = match header {
            Some(header) => (header, true),
            None if salvage::rest(&path, HEADER_BYTES)? == Rest::Nothing => {
                // A segment is created before anything is in it.
                info!("removing {}: it has no whole header and no records", path.display());
                fs::remove_file(&path)?;
                return Ok(was_certain);
            }
            None => {
                let Some(header) = self.salvage_header(&path)? else {
                    warn!("removing {}: nothing in it can be read", path.display());
                    fs::remove_file(&path)?;
                    return Ok(false);
                };
                (header, false)
            }
        };
        self.begin_segment(index, header);
        is_certain &= self.read_segment(&path)?;
        let end = self.segments.back().map_or(0, |segment| segment.bytes);
        match salvage::rest(&path, end)? {
            Rest::Nothing => {}
            Rest::Torn => segment::cut(&path, end)?,
            Rest::Damage => {
                warn!("{} is damaged from byte {end} on", path.display());
                is_certain = false;
            }
        }
        Ok(is_certain)
    }

    fn begin_segment(&mut self, index: u64, header: Header) {
        if self.epoch != header.epoch || self.segments.is_empty() {
            self.next_seq = [1; CHANNELS];
        }
        self.epoch = header.epoch;
        for (next, of_header) in self.next_seq.iter_mut().zip(header.next_seq) {
            *next = of_header.max(*next);
        }
        self.segments.push_back(Segment::new(index, header));
    }

    /// Takes up all whole records; answers whether nothing between them was damaged.
    fn read_segment(&mut self, path: &Path) -> io::Result<bool> {
        let mut reader = segment::reader(path, HEADER_BYTES)?;
        let mut is_whole = true;
        loop {
            self.read_records(&mut reader)?;
            let end = self.segments.back().map_or(0, |segment| segment.bytes);
            let Some(next) = salvage::next_whole(path, end, u64::MAX)? else {
                return Ok(is_whole);
            };
            warn!("{}: bytes {end} to {next} are damaged", path.display());
            is_whole = false;
            reader = segment::reader(path, next)?;
            if let Some(segment) = self.segments.back_mut() {
                segment.bytes = next;
            }
        }
    }

    fn read_records(&mut self, reader: &mut BufReader<fs::File>) -> io::Result<()> {
        while let Some(record) = segment::read_record(reader)? {
            self.take_up(&record);
        }
        Ok(())
    }

    fn take_up(&mut self, record: &Record) {
        let Some(segment) = self.segments.back_mut() else { return };
        segment.bytes += record.bytes();
        if !record.note.is_empty() {
            segment.last_note = segment.last_note.max(Some(record.seq));
        }
        let end = segment.end();
        let next = &mut self.next_seq[usize::from(record.kind.channel().index())];
        *next = (record.seq + 1).max(*next);
        let is_acknowledged = end <= self.progress.position || self.is_on_island(end);
        self.waiting += i64::from(!is_acknowledged);
    }

    /// What a damaged header must have said, from the first whole message behind it; in its place.
    fn salvage_header(&self, path: &Path) -> io::Result<Option<Header>> {
        let Some(offset) = salvage::next_whole(path, HEADER_BYTES, u64::MAX)? else {
            return Ok(None);
        };
        let Some(record) = segment::read_record(&mut segment::reader(path, offset)?)? else {
            return Ok(None);
        };
        let read = codec::decode_own::<Envelope<IgnoredAny>>(&record.payload);
        let Ok(Envelope { epoch, .. }) = read else { return Ok(None) };
        let continues = epoch == self.epoch && !self.segments.is_empty();
        let next_seq = if continues { self.next_seq } else { [1; CHANNELS] };
        let header = Header { epoch, next_seq };
        warn!("the header of {} is damaged and was made again", path.display());
        segment::repair_header(path, header)?;
        Ok(Some(header))
    }

    /// Whether more was written than there is.
    fn has_lost_its_end(&self) -> bool {
        let end = self.segments.back().map_or(Position::default(), Segment::end);
        let is_ours = self.progress.epoch == self.epoch;
        let acked_too_far =
            is_ours && (0..CHANNELS).any(|c| self.progress.acked[c] >= self.next_seq[c]);
        let marked_too_far = mark::load(&self.directory)
            .is_some_and(|mark| mark.epoch == self.epoch && mark.position > end);
        end < self.progress.position || acked_too_far || marked_too_far
    }

    /// The numbers in it are of the newest epoch.
    fn reconcile_progress(&mut self) {
        if self.progress.epoch == self.epoch {
            return;
        }
        self.progress.epoch = self.epoch;
        self.progress.forget_dropped();
        // What is no longer here was acknowledged or dropped, once.
        let first = self.segments.iter().find(|segment| segment.epoch == self.epoch);
        self.progress.acked = first.map_or([0; CHANNELS], |s| s.first_seq.map(|seq| seq - 1));
    }

    fn begin_anew(&mut self, now_ms: i64) -> io::Result<()> {
        self.epoch = now_ms.max(self.epoch.max(self.progress.epoch) + 1);
        warn!(
            epoch = self.epoch,
            "the end of the journal is damaged or missing: a new epoch begins"
        );
        self.next_seq = [1; CHANNELS];
        self.start_segment()?;
        self.progress.epoch = self.epoch;
        self.progress.acked = [0; CHANNELS];
        self.progress.forget_dropped();
        self.store_progress()
    }
}
