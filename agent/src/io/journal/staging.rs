//! Samples that are not yet in a frame, on disk from the moment they were taken.
//!
//! The file is named after the sequence number the frame will have: once the journal holds that
//! frame, the file is known to be done with, whenever the agent was killed in between.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use muster_schemas::Kind;
use muster_schemas::codec::{decode_own, encode};
use muster_schemas::telemetry::Sample;

use super::segment::{self, Record};

pub struct Staging {
    directory: PathBuf,
}

impl Staging {
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf() }
    }

    fn path(&self, frame_seq: i64) -> PathBuf {
        self.directory.join(format!("frame-{frame_seq}.samples"))
    }

    /// A kill of the process loses nothing of it. A power cut may cost the samples since the last
    /// frame: no disk has to be woken every few seconds for that.
    pub fn add(&self, frame_seq: i64, sample: &Sample) -> io::Result<()> {
        let record = Record {
            kind: Kind::Telemetry,
            seq: frame_seq,
            note: Vec::new(),
            payload: encode(sample),
        };
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(frame_seq))?;
        let length = file.metadata()?.len();
        let written = file.write_all(&record.encode());
        if written.is_err() {
            // A torn sample would hide those after it.
            file.set_len(length)?;
        }
        written
    }

    pub fn remove(&self, frame_seq: i64) -> io::Result<()> {
        match fs::remove_file(self.path(frame_seq)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub fn has_samples(&self) -> io::Result<bool> {
        Ok(!self.numbers()?.is_empty())
    }

    pub fn clear(&self) -> io::Result<()> {
        self.numbers()?.into_iter().try_for_each(|number| self.remove(number))
    }

    /// Gives what waits for one frame to another.
    pub fn rename(&self, frame_seq: i64, to: i64) -> io::Result<()> {
        match fs::rename(self.path(frame_seq), self.path(to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The samples that wait for frame `frame_seq`, which is `next_frame` from now on; files of
    /// other frames are removed. Where the journal lost the end of an epoch, files of later
    /// frames hold what is in no frame.
    pub fn recover(&self, frame_seq: i64, next_frame: i64) -> io::Result<Vec<Sample>> {
        let mut numbers = self.numbers()?;
        let is_new_epoch = frame_seq != next_frame;
        let waiting = numbers
            .iter()
            .copied()
            .find(|number| *number == frame_seq || is_new_epoch && *number > frame_seq);
        if let Some(number) = waiting.filter(|number| *number != next_frame) {
            self.rename(number, next_frame)?;
        }
        numbers.retain(|number| *number != next_frame && Some(*number) != waiting);
        for number in numbers {
            self.remove(number)?;
        }
        if waiting.is_some() {
            let file = fs::File::open(self.path(next_frame))?;
            return read_all(&mut BufReader::new(file));
        }
        self.remove(next_frame)?;
        Ok(Vec::new())
    }

    /// Of the frames that samples are staged for, in order.
    fn numbers(&self) -> io::Result<Vec<i64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix("frame-")?.strip_suffix(".samples"))
                .and_then(|number| number.parse::<i64>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// More is never staged for a frame: it is closed at 256 kB, and a sample is smaller than that.
/// What a longer file holds is not ours.
const STAGED_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn read_all(file: &mut impl io::Read) -> io::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut file = file.take(STAGED_BYTES_MAX);
    while let Some(record) = segment::read_record(&mut file)? {
        // What an older version wrote and this one cannot read is not worth a refusal to start.
        samples.extend(decode_own(&record.payload).ok());
    }
    Ok(samples)
}
