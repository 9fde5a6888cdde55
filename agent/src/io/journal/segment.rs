//! One file of the journal: a header, then records, each with its length and checksum.
//!
//! A file that was cut anywhere (power, full disk, kill) is read up to its last whole record.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use muster_schemas::Kind;
use muster_schemas::ids::is_sequence_number;

use super::CHANNELS;

const MAGIC: [u8; 8] = *b"MUSTERJ1";

/// Magic, epoch, the next sequence number of each channel, checksum.
pub const HEADER_BYTES: u64 = 8 + 8 + 8 * CHANNELS as u64 + 4;

/// Length, checksum, kind, sequence number.
pub const RECORD_HEADER_BYTES: usize = 4 + 4 + 1 + 8;

/// Of a record's header, what its checksum covers: the kind and the sequence number.
const CHECKED_HEADER_BYTES: usize = 1 + 8;

/// The largest message: no stream takes a larger one (`codec::MESSAGE_BYTES_MAX`).
const PAYLOAD_BYTES_MAX: usize = muster_schemas::codec::MESSAGE_BYTES_MAX;

/// The largest local note: 256 bytes about each of the 1,000 lines of a frame.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;

/// A longer record is damage.
pub const LENGTH_MAX: usize = PAYLOAD_BYTES_MAX + NOTE_BYTES_MAX + NOTE_LENGTH_BYTES;

/// In the kind's byte: the length of a note and the note stand before the message.
const WITH_NOTE: u8 = 0x80;

const NOTE_LENGTH_BYTES: usize = 4;

/// What a segment continues from, so that the older ones may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub epoch: i64,
    pub next_seq: [i64; CHANNELS],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub kind: Kind,
    pub seq: i64,
    /// Stays on this host. Under one checksum with the message: both are there, or neither.
    pub note: Vec<u8>,
    pub payload: Vec<u8>,
}

/// A record as its first bytes describe it, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Of what follows the head.
    pub length: usize,
    pub kind: Kind,
    pub seq: i64,
    pub has_note: bool,
}

impl Head {
    pub fn parse(bytes: &[u8; RECORD_HEADER_BYTES]) -> Option<Self> {
        let length = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
        let has_note = bytes[8] & WITH_NOTE != 0;
        let kind = Kind::from_index(bytes[8] & !WITH_NOTE)?;
        let seq = i64::from_le_bytes(bytes[9..].try_into().expect("eight bytes"));
        let plausible = length <= LENGTH_MAX && is_sequence_number(seq);
        plausible.then_some(Self { length, kind, seq, has_note })
    }

    /// What the record takes on disk.
    pub fn record_bytes(&self) -> u64 {
        (RECORD_HEADER_BYTES + self.length) as u64
    }
}

impl Record {
    /// What it takes on disk.
    pub fn bytes(&self) -> u64 {
        (RECORD_HEADER_BYTES + self.length()) as u64
    }

    pub fn head(&self) -> Head {
        let has_note = !self.note.is_empty();
        Head { length: self.length(), kind: self.kind, seq: self.seq, has_note }
    }

    fn length(&self) -> usize {
        let note = if self.note.is_empty() { 0 } else { NOTE_LENGTH_BYTES + self.note.len() };
        note + self.payload.len()
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORD_HEADER_BYTES + self.length());
        bytes.extend_from_slice(&(self.length() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let with_note = if self.note.is_empty() { 0 } else { WITH_NOTE };
        bytes.push(self.kind.index() | with_note);
        bytes.extend_from_slice(&self.seq.to_le_bytes());
        if !self.note.is_empty() {
            bytes.extend_from_slice(&(self.note.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&self.note);
        }
        bytes.extend_from_slice(&self.payload);
        let checksum = crc32fast::hash(&bytes[8..]).to_le_bytes();
        bytes[4..8].copy_from_slice(&checksum);
        bytes
    }

    /// Why it cannot be written, if it cannot.
    fn refusal(&self) -> Option<String> {
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            return Some(format!("a message of {} bytes", self.payload.len()));
        }
        let note = self.note.len();
        (note > NOTE_BYTES_MAX).then(|| format!("a note of {note} bytes with a message"))
    }
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        for seq in self.next_seq {
            bytes.extend_from_slice(&seq.to_le_bytes());
        }
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

/// Writes a damaged header anew, in place.
pub fn repair_header(path: &Path, header: Header) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(&header.encode())?;
    file.sync_data()
}

/// Ends the file at `offset`: what is torn behind it must not be read as damage later.
pub fn cut(path: &Path, offset: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(offset)?;
    file.sync_data()
}

pub fn create(path: &Path, header: Header, durable: bool) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(&header.encode())?;
    if durable {
        file.sync_all()?;
        sync_directory(path)?;
    }
    Ok(())
}

/// Makes sure that the name of a file in it is on disk.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Appends at `offset`, the end of the last whole record. Where that fails, the file ends at
/// `offset` as before: a record is there and counted, or neither.
pub fn append(path: &Path, offset: u64, record: &Record, durable: bool) -> io::Result<u64> {
    if let Some(reason) = record.refusal() {
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
    let header = Header { epoch: number(0), next_seq: std::array::from_fn(|c| number(c + 1)) };
    let plausible = header.epoch >= 0 && header.next_seq.into_iter().all(is_sequence_number);
    Ok(plausible.then_some(header))
}

/// The next record, or `None` at the end or where it is damaged.
pub fn read_record(file: &mut impl Read) -> io::Result<Option<Record>> {
    let Some((head, bytes)) = read_head(file)? else { return Ok(None) };
    // Grows with what is there: a damaged length must not take a megabyte for nothing.
    let mut content = Vec::with_capacity(head.length.min(CONTENT_BYTES_AT_ONCE));
    file.take(head.length as u64).read_to_end(&mut content)?;
    Ok(assemble(head, &bytes, content))
}

/// Most messages are smaller.
const CONTENT_BYTES_AT_ONCE: usize = 16 * 1024;

/// The head of the next record; what follows it is left to the caller.
pub fn read_head(file: &mut impl Read) -> io::Result<Option<(Head, [u8; RECORD_HEADER_BYTES])>> {
    let mut bytes = [0; RECORD_HEADER_BYTES];
    if !fill(file, &mut bytes)? {
        return Ok(None);
    }
    Ok(Head::parse(&bytes).map(|head| (head, bytes)))
}

fn assemble(
    head: Head,
    head_bytes: &[u8; RECORD_HEADER_BYTES],
    mut content: Vec<u8>,
) -> Option<Record> {
    if content.len() != head.length || !is_whole(&head, head_bytes, &content) {
        return None;
    }
    let mut note = Vec::new();
    if head.has_note {
        note = note_of(&content)?.to_vec();
        content.drain(..NOTE_LENGTH_BYTES + note.len());
    }
    Some(Record { kind: head.kind, seq: head.seq, note, payload: content })
}

/// The note at the beginning of a content that has one.
fn note_of(content: &[u8]) -> Option<&[u8]> {
    let (length, rest) = content.split_first_chunk::<NOTE_LENGTH_BYTES>()?;
    rest.get(..u32::from_le_bytes(*length) as usize)
}

/// Whether the checksum in the head is that of head and content, and the content can be read.
pub fn is_whole(head: &Head, bytes: &[u8; RECORD_HEADER_BYTES], content: &[u8]) -> bool {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes[RECORD_HEADER_BYTES - CHECKED_HEADER_BYTES..]);
    checksum.update(content);
    let is_same = checksum.finalize().to_le_bytes() == bytes[4..8];
    is_same && (!head.has_note || note_of(content).is_some())
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
