//! One file of the journal: a header, then records, each with its length and checksum.
//!
//! A file that was cut anywhere (power, full disk, kill) is read up to its last whole record.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use muster_schemas::Channel;

use super::CHANNELS;

const MAGIC: [u8; 8] = *b"MUSTERJ1";

/// Magic, epoch, the next sequence number of each channel, checksum.
pub const HEADER_BYTES: u64 = 8 + 8 + 8 * CHANNELS as u64 + 4;

/// Length, checksum, channel, sequence number.
const RECORD_HEADER_BYTES: usize = 4 + 4 + 1 + 8;

/// A longer record is damage: no message is larger (`codec::MESSAGE_BYTES_MAX`).
const PAYLOAD_BYTES_MAX: usize = muster_schemas::codec::MESSAGE_BYTES_MAX;

/// What a segment continues from, so that the older ones may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub epoch: i64,
    pub next_seq: [i64; CHANNELS],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub channel: Channel,
    pub seq: i64,
    pub payload: Vec<u8>,
}

impl Record {
    /// What it takes on disk.
    pub fn bytes(&self) -> u64 {
        (RECORD_HEADER_BYTES + self.payload.len()) as u64
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.payload.len() + RECORD_HEADER_BYTES);
        body.push(self.channel.index());
        body.extend_from_slice(&self.seq.to_le_bytes());
        body.extend_from_slice(&self.payload);
        let mut bytes = Vec::with_capacity(body.len() + 8);
        bytes.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.append(&mut body);
        bytes
    }
}

pub fn create(path: &Path, header: Header, durable: bool) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&header.epoch.to_le_bytes());
    for seq in header.next_seq {
        bytes.extend_from_slice(&seq.to_le_bytes());
    }
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(&bytes)?;
    if durable {
        file.sync_all()?;
        let directory = path.parent().unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Appends at `offset`, the end of the last whole record. Where that fails, the file ends at
/// `offset` as before: a record is there and counted, or neither.
pub fn append(path: &Path, offset: u64, record: &Record, durable: bool) -> io::Result<u64> {
    if record.payload.len() > PAYLOAD_BYTES_MAX {
        let reason = format!("a message of {} bytes", record.payload.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let mut file = OpenOptions::new().write(true).open(path)?;
    let written = write_at(&mut file, offset, &record.encode(), durable);
    if written.is_err() {
        file.set_len(offset)?;
    }
    written.map(|()| offset + record.bytes())
}

fn write_at(file: &mut File, offset: u64, bytes: &[u8], durable: bool) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    if durable { file.sync_data() } else { Ok(()) }
}

/// `None` where the header is missing or damaged.
pub fn read_header(file: &mut impl Read) -> io::Result<Option<Header>> {
    let mut bytes = [0; HEADER_BYTES as usize];
    if !fill(file, &mut bytes)? || bytes[..8] != MAGIC {
        return Ok(None);
    }
    let (content, checksum) = bytes.split_at(bytes.len() - 4);
    if crc32fast::hash(content).to_le_bytes() != checksum {
        return Ok(None);
    }
    let number = |index: usize| {
        let start = 8 + 8 * index;
        i64::from_le_bytes(content[start..start + 8].try_into().expect("eight bytes"))
    };
    Ok(Some(Header { epoch: number(0), next_seq: std::array::from_fn(|c| number(c + 1)) }))
}

/// The next record, or `None` at the end or where the rest is damaged.
pub fn read_record(file: &mut impl Read) -> io::Result<Option<Record>> {
    let mut head = [0; 8];
    if !fill(file, &mut head)? {
        return Ok(None);
    }
    let length = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Ok(None);
    }
    let mut body = vec![0; length + RECORD_HEADER_BYTES - 8];
    if !fill(file, &mut body)? || crc32fast::hash(&body).to_le_bytes() != head[4..] {
        return Ok(None);
    }
    let Some(channel) = Channel::from_index(body[0]) else { return Ok(None) };
    let seq = i64::from_le_bytes(body[1..9].try_into().expect("eight bytes"));
    Ok(Some(Record { channel, seq, payload: body.split_off(9) }))
}

/// Opens for reading at `offset`.
pub fn reader(path: &Path, offset: u64) -> io::Result<BufReader<File>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(BufReader::new(file))
}

/// Fills the buffer; `false` where the file ends before.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
