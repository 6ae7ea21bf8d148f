//! The lines of a file, and what format they are of.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Read as _, Take};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A larger file is not read: its messages are held in memory.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// So many lines may stand before the first one that tells the format.
const MAX_HEAD_LINES: usize = 200;

/// Why a line is skipped that is no JSON, or not of the form that its format has.
pub(super) const BROKEN: &str = "cut or broken lines";

/// Which client's format a transcript is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    ClaudeCode,
    Codex,
    Recorded,
}

/// How a file begins that is compressed with zstd, as Codex does with old rollouts.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The lines of a file, as long as it was when it was opened.
pub(super) struct Lines {
    reader: Take<Box<dyn BufRead>>,
    /// The file's size.
    bytes: u64,
    path: PathBuf,
    line: Vec<u8>,
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// When it can't be opened, is no regular file, or is too large.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        // Asked before it is opened: a pipe would block.
        let bytes = regular_bytes(&path.metadata().context("can't be read")?)?;
        Ok(Self {
            reader: reader(path)?.take(MAX_FILE_BYTES + 1),
            bytes,
            path: path.to_owned(),
            line: Vec::new(),
        })
    }

    /// How many bytes the file has.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file's name without its ending: what names a session that names itself nowhere.
    pub(super) fn stem(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        name.split('.').next().unwrap_or_default().to_owned()
    }

    /// The next line that is not empty, without what ends it.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<&[u8]>> {
        loop {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line);
            let read = read.context("can't be read")?;
            if self.reader.limit() == 0 {
                bail!("has more than {MAX_FILE_BYTES} bytes: more are not read");
            }
            if read == 0 {
                return Ok(None);
            }
            // Some editors begin a file with the mark of its encoding.
            let text = self.line.strip_prefix(b"\xef\xbb\xbf");
            let text = text.unwrap_or(&self.line).trim_ascii();
            if !text.is_empty() {
                let start = text.as_ptr() as usize - self.line.as_ptr() as usize;
                let range = start..start + text.len();
                return Ok(Some(&self.line[range]));
            }
        }
    }

    /// The format, which the first lines tell; the next line is the first again after it. `None` where they are of no format.
    ///
    /// # Errors
    /// When the file can't be read, is empty or binary.
    pub(super) fn format(&mut self) -> anyhow::Result<Option<Format>> {
        if self.bytes == 0 {
            bail!("is empty");
        }
        let mut format = None;
        for _ in 0..MAX_HEAD_LINES {
            let Some(line) = self.next()? else { break };
            if memchr::memchr(0, line).is_some() {
                bail!("is binary");
            }
            let head: Option<Head> = serde_json::from_slice(line).ok();
            format = head.and_then(|head| head.format());
            if format.is_some() {
                break;
            }
        }
        self.reader = reader(&self.path)?.take(MAX_FILE_BYTES + 1);
        Ok(format)
    }
}

/// The text of a file from its start, to the end that the file has at this moment.
fn reader(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let file = File::open(path).context("can't be opened")?;
    let bytes = regular_bytes(&file.metadata().context("can't be read")?)?;
    let mut reader = BufReader::with_capacity(1 << 16, file.take(bytes));
    if reader
        .fill_buf()
        .context("can't be read")?
        .starts_with(ZSTD)
    {
        let decoder = zstd::Decoder::with_buffer(reader).context("can't be read")?;
        return Ok(Box::new(BufReader::with_capacity(1 << 16, decoder)));
    }
    Ok(Box::new(reader))
}

/// The size of a file that can be read.
fn regular_bytes(metadata: &Metadata) -> anyhow::Result<u64> {
    let bytes = metadata.len();
    if metadata.is_dir() {
        bail!("is a folder");
    }
    if !metadata.is_file() {
        bail!("is no regular file");
    }
    if bytes > MAX_FILE_BYTES {
        bail!("has {bytes} bytes: more than {MAX_FILE_BYTES} are not read");
    }
    Ok(bytes)
}

/// What of a line tells its format.
#[derive(Deserialize)]
struct Head {
    k: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    payload: Option<IgnoredAny>,
    record_type: Option<IgnoredAny>,
    id: Option<IgnoredAny>,
    timestamp: Option<IgnoredAny>,
    instructions: Option<IgnoredAny>,
    git: Option<IgnoredAny>,
    #[serde(rename = "sessionId")]
    session_id: Option<IgnoredAny>,
    #[serde(rename = "parentUuid")]
    parent_uuid: Option<IgnoredAny>,
    uuid: Option<IgnoredAny>,
    message: Option<IgnoredAny>,
}

impl Head {
    fn format(&self) -> Option<Format> {
        if self.k.as_deref() == Some("meta") {
            return Some(Format::Recorded);
        }
        let kind = self.kind.as_deref();
        let is_claude_code = self.session_id.is_some()
            || self.uuid.is_some() && (self.parent_uuid.is_some() || self.message.is_some())
            || matches!(kind, Some("user" | "assistant")) && self.message.is_some();
        if is_claude_code {
            return Some(Format::ClaudeCode);
        }
        let is_rollout = kind.is_some() && self.payload.is_some();
        // The first line of rollouts of 2025 is what is `session_meta` in later ones; items and records of state follow it bare.
        let is_old_rollout = kind.is_none()
            && (self.record_type.is_some()
                || self.id.is_some()
                    && self.timestamp.is_some()
                    && (self.instructions.is_some() || self.git.is_some()));
        (is_rollout || is_old_rollout).then_some(Format::Codex)
    }
}
