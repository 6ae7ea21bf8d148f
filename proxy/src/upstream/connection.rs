//! One HTTP/1.1 connection to a provider. It has no task of its own: the task that sends a request or reads a response drives it. So a
//! request is handled in one task, and a request that is cancelled closes its connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::rt::{Read, Write};

use super::ignore_write_errors::{IgnoreWriteErrors, WritesFailed};
use super::request_body::RequestBody;
use super::settings;

/// What reads and writes on the connection when it is polled.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// The connection.
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    /// `None` once it has ended.
    driver: Option<Driver>,
    writes_failed: WritesFailed,
}

/// Why a connection gave no response.
#[derive(Debug)]
pub(super) struct SendFailed {
    pub(super) error: hyper::Error,
    /// The request, where no byte of it was written.
    pub(super) unsent: Option<Box<Request<RequestBody>>>,
}

impl Connection {
    /// Speaks HTTP/1.1 on a stream.
    pub(super) async fn new<S>(stream: S) -> hyper::Result<Self>
    where
        S: Read + Write + Unpin + Send + 'static,
    {
        let mut builder = Builder::new();
        builder.max_buf_size(settings::READ_BUFFER);
        let writes_failed = WritesFailed::default();
        let stream = IgnoreWriteErrors::new(stream, writes_failed.clone());
        let (sender, driver) = builder.handshake(stream).await?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(driver.with_upgrades())),
            writes_failed,
        })
    }

    /// Sends a request and waits for the head of the response. A provider may respond before it has read the request.
    ///
    /// # Errors
    /// When there is no response; the connection is of no more use then.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendFailed> {
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let response = std::future::poll_fn(|context| {
            drive(driver, context);
            response.as_mut().poll(context)
        });
        response.await.map_err(|mut failed| SendFailed {
            unsent: failed.take_message().map(Box::new),
            error: failed.into_error(),
        })
    }

    /// Reads and writes what can be read and written now.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.driver, context);
    }

    /// Whether the next request may be sent on it: the last one and its response have come to their ends, nothing follows, and the
    /// provider has not closed it.
    pub(super) fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready() && !self.writes_failed.get()
    }

    /// Hands its stream over to whoever waits for the upgrade, after a response that switches protocols.
    pub(super) fn release(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    /// Takes the stream, which is an `S`, of a connection whose response made it a tunnel, and what has been read of it.
    ///
    /// # Errors
    /// When the connection broke.
    pub(super) async fn into_tunnel<S>(
        mut self,
        response: Response<Incoming>,
    ) -> hyper::Result<Option<(S, Bytes)>>
    where
        S: Read + Write + Unpin + Send + 'static,
    {
        let upgrade = hyper::upgrade::on(response);
        self.release();
        let parts = upgrade.await?.downcast::<IgnoreWriteErrors<S>>().ok();
        Ok(parts.map(|parts| (parts.io.into_inner(), parts.read_buf)))
    }
}

fn drive(driver: &mut Option<Driver>, context: &mut Context<'_>) {
    if let Some(running) = driver
        && let Poll::Ready(ended) = running.as_mut().poll(context)
    {
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection to a provider ended early");
        }
        *driver = None;
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::splice::Rope;
    use crate::upstream::request::request;
    use axum::body::Body;
    use futures_util::FutureExt as _;
    use http::uri::PathAndQuery;
    use http::{HeaderMap, HeaderValue, Method};
    use http_body_util::BodyExt as _;
    use hyper::rt::ReadBufCursor;
    use hyper_util::rt::TokioIo;
    use std::io::{self, IoSlice};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::net::{TcpListener, TcpStream};

    /// Far more than any of these takes.
    const HANG: Duration = Duration::from_secs(20);

    fn post(body: RequestBody) -> Request<RequestBody> {
        let (host, target) = (
            HeaderValue::from_static("h"),
            PathAndQuery::from_static("/v1/x"),
        );
        request((Method::POST, target), &host, HeaderMap::new(), body)
    }

    /// Status and body of the response over a connection.
    async fn ask<S>(stream: S, body: RequestBody) -> Result<(u16, Vec<u8>), String>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let mut connection = Connection::new(TokioIo::new(stream)).await.unwrap();
        let response = connection.send(post(body)).await;
        let response =
            response.map_err(|failed| format!("{:#}", anyhow::Error::from(failed.error)))?;
        let status = response.status().as_u16();
        let mut body = std::pin::pin!(response.into_body().collect());
        let body = std::future::poll_fn(|context| {
            connection.drive(context);
            body.as_mut().poll(context)
        });
        let body = body.await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes().to_vec()))
    }

    /// What a provider gets of a request up to the end of `mark`, which it responds to then.
    async fn arrived(mut far: DuplexStream, mark: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(mark) {
            bytes.push(far.read_u8().await.unwrap());
        }
        far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .unwrap();
        bytes
    }

    #[tokio::test]
    async fn a_body_goes_out_as_its_head_says() {
        let pieces = ["hel", "", "lo!"];
        let stream = || futures_util::stream::iter(pieces.map(Ok::<_, io::Error>));
        let endless = || RequestBody::Streamed(Body::from_stream(stream()));
        let known = || RequestBody::Streamed(Body::from("hello!"));
        let spans = [(0..0, Bytes::from_static(b"hel"))];
        let rope = Rope::splice(&Bytes::from_static(b"lo!"), spans);
        for (body, framing, bytes) in [
            (RequestBody::Whole(rope), "content-length: 6", "hello!"),
            (known(), "content-length: 6", "hello!"),
            (
                endless(),
                "transfer-encoding: chunked",
                "3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n",
            ),
        ] {
            let (near, far) = duplex(16);
            let both = async { tokio::join!(ask(near, body), arrived(far, bytes.as_bytes())) };
            let (response, got) = tokio::time::timeout(HANG, both).await.expect("it hangs");
            let wanted = format!("POST /v1/x HTTP/1.1\r\n{framing}\r\nhost: h\r\n\r\n{bytes}");
            let mut lines: Vec<_> = wanted.split("\r\n").collect();
            lines[1..3].sort_unstable();
            let got = String::from_utf8_lossy(&got);
            let mut got: Vec<_> = got.split("\r\n").collect();
            got[1..3].sort_unstable();
            assert_eq!(got, lines);
            assert_eq!(response, Ok((204, Vec::new())));
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_breaks_its_request_off() {
        let pieces = [Ok("hello"), Err(io::Error::other("gone"))];
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let (near, mut far) = duplex(1 << 10);
        let why = ask(near, RequestBody::Streamed(body)).await.unwrap_err();
        assert!(why.ends_with("gone"), "{why}");
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).await.unwrap();
        assert!(!bytes.ends_with(b"0\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_response_is_read_from_a_provider_that_takes_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let large = Bytes::from(vec![b'x'; 8 << 20]);
        for _ in 0..20 {
            let refusing = async {
                let (mut far, _) = listener.accept().await.unwrap();
                far.read_u8().await.unwrap();
                let response = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno";
                far.write_all(response).await.unwrap();
                // Closed with the request unread, it resets the connection.
            };
            let asking = async {
                let near = TcpStream::connect(addr).await.unwrap();
                ask(near, RequestBody::Whole(Rope::from(large.clone()))).await
            };
            let both = async { tokio::join!(asking, refusing) };
            let (response, ()) = tokio::time::timeout(HANG, both).await.expect("it hangs");
            assert_eq!(response, Ok((413, b"no".to_vec())));
        }
    }

    #[tokio::test]
    async fn a_request_of_which_nothing_was_written_is_given_back_whole() {
        let (near, far) = duplex(1 << 10);
        let mut connection = Connection::new(TokioIo::new(near)).await.unwrap();
        drop(far);
        let body = RequestBody::Whole(Rope::from(Bytes::from_static(b"hello")));
        let failed = connection.send(post(body)).await.unwrap_err();
        let unsent = failed.unsent.expect("the request");
        let body = unsent.into_body();
        assert!(matches!(body, RequestBody::Whole(rope) if rope.len() == 5));
    }

    /// A stream that takes all that it is given and notes how much each call gave; nothing is ever read of it.
    #[derive(Debug, Clone, Default)]
    struct Calls(Arc<Mutex<Vec<usize>>>);

    impl Read for Calls {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl Write for Calls {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(context, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let given = slices.iter().map(|slice| slice.len()).sum();
            self.0.lock().unwrap().push(given);
            Poll::Ready(Ok(given))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn one_system_call_writes_a_head_and_many_slices() {
        let calls = Calls::default();
        let mut connection = Connection::new(calls.clone()).await.unwrap();
        let body = Bytes::from(vec![b'x'; 1 << 20]);
        let form = Bytes::from_static(b"form");
        let spans = (0..25).map(|at| (at * 1000..at * 1000 + 500, form.clone()));
        let rope = Rope::splice(&body, spans);
        assert_eq!(rope.slices().count(), 50);
        let length = rope.len();
        let sending = connection.send(post(RequestBody::Whole(rope)));
        assert!(sending.now_or_never().is_none(), "a response");
        let calls = calls.0.lock().unwrap();
        assert!(calls.len() == 1 && calls[0] > length, "{calls:?}");
    }
}
