//! Samples that are not yet in a frame, on disk from the moment they were taken.
//!
//! The file is named after the sequence number the frame will have: once the journal holds that
//! frame, the file is known to be done with, whenever the agent was killed in between.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use muster_schemas::Channel;
use muster_schemas::codec::{ContentType, decode, encode};
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
        let record =
            Record { channel: Channel::Telemetry, seq: frame_seq, payload: encode(sample) };
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

    /// The samples that wait for frame `frame_seq`; files of other frames are removed.
    pub fn recover(&self, frame_seq: i64) -> io::Result<Vec<Sample>> {
        let wanted = self.path(frame_seq);
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let is_staging = path.extension().is_some_and(|extension| extension == "samples");
            if is_staging && path != wanted {
                fs::remove_file(path)?;
            }
        }
        match fs::File::open(wanted) {
            Ok(file) => read_all(&mut BufReader::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn read_all(file: &mut impl io::Read) -> io::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    while let Some(record) = segment::read_record(file)? {
        // What an older version wrote and this one cannot read is not worth a refusal to start.
        samples.extend(decode(ContentType::Msgpack, &record.payload).ok());
    }
    Ok(samples)
}
