//! A WebSocket through the hop: bytes as they come, and the client's text messages kept.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, header};
use tokio::select;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{Recorded, Shared, failed};
use crate::raw::frames::masked;
use crate::raw::handshake::Agreed;
use crate::raw::{Message, Socket};

/// The connection to the proxy on which a WebSocket was agreed.
#[derive(Debug)]
pub(super) struct Line {
    proxy: Socket,
    /// What the handshake was passed on with as `x-test-id`. Each message is named by this and its number.
    id: String,
    target: String,
}

impl Line {
    /// Passes a handshake on, and the proxy's answer back. An answer that does not agree comes back without its body.
    pub(super) async fn agree(
        mut request: Request<Incoming>,
        shared: &Shared,
        agreed: &Agreed<Self>,
    ) -> Response<Full<Bytes>> {
        let number = shared.websockets.fetch_add(1, Ordering::Relaxed);
        let id = format!("websocket/{number}");
        let mut proxy = Socket::connect(&shared.to).await;
        proxy.write(head(&request, &shared.to, &id)).await;
        let Some(answer) = proxy.head().await else {
            return failed();
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let target = format!("{} {}", request.method(), request.uri());
            agreed.note(&mut request, Self { proxy, id, target });
        }
        response(&answer)
    }

    /// Joins both connections until one of them ends.
    pub(super) async fn join(mut self, mut client: Socket, shared: &Shared) {
        let mut messages = 0..;
        loop {
            let written = select! {
                frame = client.try_frame() => {
                    let Ok((header, payload)) = frame else { return };
                    if header.opcode == OpCode::Data(Data::Text) {
                        let number = messages.next().unwrap_or_default();
                        self.record(number, &payload, shared);
                    }
                    let frame = masked(header.opcode, payload, header.is_final);
                    self.proxy.try_write(frame).await
                }
                piece = self.proxy.piece() => match piece {
                    Ok(piece) if !piece.is_empty() => client.try_write(piece).await,
                    _ => return,
                }
            };
            if written.is_err() {
                return;
            }
        }
    }

    fn record(&self, number: usize, message: &[u8], shared: &Shared) {
        shared.recorded.lock().expect("no panic").push(Recorded {
            id: format!("{}/{number}", self.id),
            target: self.target.clone(),
            body: Bytes::copy_from_slice(message),
            decision: String::new(),
            status: StatusCode::SWITCHING_PROTOCOLS.as_u16(),
        });
    }
}

/// The head of a client's handshake for the proxy at `to`.
fn head(request: &Request<Incoming>, to: &str, id: &str) -> String {
    let mut head = format!("GET {} HTTP/1.1\r\nhost: {to}\r\n", request.uri());
    for (name, value) in request.headers() {
        if name != header::HOST {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
        }
    }
    head + &format!("x-test-id: {id}\r\n\r\n")
}

fn response(answer: &Message) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(answer.status());
    for (name, value) in &answer.headers {
        if !["content-length", "transfer-encoding"].contains(&name.as_str()) {
            response = response.header(name, value.as_slice());
        }
    }
    response.body(Full::default()).expect("a response")
}
