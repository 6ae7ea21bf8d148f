//! WebSocket frames on a connection by hand.

use std::io::{self, Cursor};

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

use super::socket::{Socket, cut};

/// The mask of a test's frames.
const MASK: [u8; 4] = [7, 11, 13, 17];

/// A frame as a client sends it.
///
/// # Panics
/// Never: a vector takes all that is written.
#[must_use]
pub fn masked(opcode: OpCode, payload: impl AsRef<[u8]>, is_final: bool) -> Vec<u8> {
    frame(opcode, payload, is_final, Some(MASK))
}

/// A client's text message in one frame.
#[must_use]
pub fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    masked(OpCode::Data(Data::Text), payload, true)
}

/// A provider's text message in one frame.
#[must_use]
pub fn event(payload: impl AsRef<[u8]>) -> Vec<u8> {
    unmasked(OpCode::Data(Data::Text), payload)
}

/// A frame as a provider sends it.
#[must_use]
pub fn unmasked(opcode: OpCode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(opcode, payload, true, None)
}

/// A client's text message in as many frames as there are pieces, with a ping before each but the first.
#[must_use]
pub fn fragments(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let (mut all, mut pings) = (Vec::new(), Vec::new());
    for (at, piece) in pieces.iter().enumerate() {
        let opcode = if at == 0 { Data::Text } else { Data::Continue };
        if at > 0 {
            let ping = masked(OpCode::Control(Control::Ping), [1, 2], true);
            all.extend_from_slice(&ping);
            pings.extend(ping);
        }
        all.extend(masked(OpCode::Data(opcode), piece, at + 1 == pieces.len()));
    }
    (all, pings)
}

fn frame(
    opcode: OpCode,
    payload: impl AsRef<[u8]>,
    is_final: bool,
    mask: Option<[u8; 4]>,
) -> Vec<u8> {
    let header = FrameHeader {
        is_final,
        opcode,
        mask,
        ..FrameHeader::default()
    };
    let mut bytes = Vec::new();
    Frame::from_payload(header, payload.as_ref().to_vec().into())
        .format(&mut bytes)
        .expect("a vector takes all");
    bytes
}

impl Socket {
    /// The next frame of a client: its head, and its payload without the mask.
    ///
    /// # Panics
    /// When the connection ends before, or the frame is malformed or unmasked.
    pub async fn frame(&mut self) -> (FrameHeader, Vec<u8>) {
        self.try_frame().await.expect("the connection goes on")
    }

    /// The next frame of a client. May be given up and called again.
    ///
    /// # Errors
    /// When the connection ends before.
    ///
    /// # Panics
    /// When the frame is malformed or unmasked.
    pub async fn try_frame(&mut self) -> io::Result<(FrameHeader, Vec<u8>)> {
        loop {
            if let Some(frame) = take_frame(&mut self.held) {
                return Ok(frame);
            }
            if !self.more().await? {
                return Err(cut());
            }
        }
    }
}

/// Takes a client's frame from the beginning of what was read; `None` where not all of it has come.
fn take_frame(held: &mut Vec<u8>) -> Option<(FrameHeader, Vec<u8>)> {
    let mut cursor = Cursor::new(&*held);
    let (header, length) = FrameHeader::parse(&mut cursor).expect("a head")?;
    let head = usize::try_from(cursor.position()).expect("a position");
    let end = head + usize::try_from(length).expect("a length");
    if held.len() < end {
        return None;
    }
    let mut payload: Vec<u8> = held.drain(..end).skip(head).collect();
    let mask = header.mask.expect("a client's frame is masked");
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Some((header, payload))
}
