//! WebSocket frames on a connection by hand.

use std::io::Cursor;

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

use super::Socket;

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
    frame(OpCode::Data(Data::Text), payload, true, None)
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
        let mut head = Vec::new();
        let (header, length) = loop {
            head.extend(self.take(1).await);
            let parsed = FrameHeader::parse(&mut Cursor::new(&head)).expect("a head");
            if let Some(parsed) = parsed {
                break parsed;
            }
        };
        let mask = header.mask.expect("a client's frame is masked");
        let mut payload = self.take(usize::try_from(length).expect("a length")).await;
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        (header, payload)
    }
}
