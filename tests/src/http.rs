//! HTTP calls with nothing added and nothing decoded: one over a connection of its own, or several over one of HTTP/2.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::wait;

/// A request to send.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// A request with this method, without a body.
    ///
    /// # Panics
    /// When the method is none.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.parse().expect("a method"),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self::new("POST", path)
            .header("content-type", "application/json")
            .body(body)
    }

    /// Adds a header; the same name may come several times.
    ///
    /// # Panics
    /// When name or value is none.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        let value: HeaderValue = value.parse().expect("a header's value");
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    fn request(&self, target: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = target.parse().expect("a target");
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Sends it and waits for the head of the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, addr: &str) -> Answer {
        wait::soon("an answer's head", self.try_send(addr))
            .await
            .expect("an answer")
    }

    /// Sends it and waits for the head of the answer.
    ///
    /// # Errors
    /// When nobody listens or the connection breaks.
    ///
    /// # Panics
    /// When the request can't be built.
    pub async fn try_send(&self, addr: &str) -> Result<Answer, Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let _ = connection.await;
        });
        let mut request = self.request(&self.path);
        if !self.headers.contains_key("host") {
            request
                .headers_mut()
                .insert("host", addr.parse().expect("a host"));
        }
        let response = sender.send_request(request).await?;
        Ok(Answer {
            response,
            _driver: driver,
        })
    }
}

/// A client's connection that speaks HTTP/2 from the first byte, for several calls at once. Dropping it closes it.
#[derive(Debug)]
pub struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    authority: String,
    _driver: JoinSet<()>,
}

impl Http2 {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens or HTTP/2 is not spoken there.
    pub async fn connect(addr: &str) -> Self {
        let stream = TcpStream::connect(addr).await.expect("somebody listens");
        stream.set_nodelay(true).expect("a socket");
        let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = shaken.expect("HTTP/2");
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let _ = connection.await;
        });
        Self {
            sender,
            authority: addr.to_owned(),
            _driver: driver,
        }
    }

    /// Sends a call and waits for the head of its answer. Dropping the future or the answer resets its stream alone.
    ///
    /// # Errors
    /// When the stream is reset or the connection breaks.
    pub async fn try_send(&self, call: &Call) -> Result<Answer, hyper::Error> {
        let request = call.request(&format!("http://{}{}", self.authority, call.path));
        let response = self.sender.clone().send_request(request).await?;
        Ok(Answer {
            response,
            _driver: JoinSet::new(),
        })
    }

    /// Sends a call and waits for the head of its answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, call: &Call) -> Answer {
        wait::soon("an answer's head", self.try_send(call))
            .await
            .expect("an answer")
    }
}

/// Whether a decision says that a job was pushed, or is on its way: which of them depends on how soon the provider answers.
#[must_use]
pub fn is_deferred(decision: &str) -> bool {
    matches!(decision, "deferring" | "deferred")
}

/// An answer whose body is still to be read. Dropping it closes the connection, or the stream where there are several on one.
#[derive(Debug)]
pub struct Answer {
    response: Response<Incoming>,
    _driver: JoinSet<()>,
}

impl Answer {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// A header's first value, or the empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or("(not text)"))
    }

    /// What the proxy says that it did: `x-headroom-decision`.
    #[must_use]
    pub fn decision(&self) -> String {
        self.header("x-headroom-decision").to_owned()
    }

    /// The next piece of the body as it arrives; `None` at its proper end.
    ///
    /// # Panics
    /// When the connection breaks or nothing comes.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        loop {
            let frame = wait::soon("a piece of the body", self.response.body_mut().frame()).await?;
            if let Ok(data) = frame.expect("the body goes on").into_data() {
                return Some(data);
            }
        }
    }

    /// The whole rest of the body, or why it ended early.
    ///
    /// # Errors
    /// When the connection breaks before the end.
    pub async fn try_bytes(self) -> Result<Bytes, hyper::Error> {
        let Self { response, _driver } = self;
        let body = wait::soon("the end of the body", response.into_body().collect()).await?;
        Ok(body.to_bytes())
    }

    /// The whole rest of the body.
    ///
    /// # Panics
    /// When the connection breaks before the end.
    pub async fn bytes(self) -> Bytes {
        self.try_bytes().await.expect("a whole body")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub async fn json(self) -> serde_json::Value {
        let bytes = self.bytes().await;
        let text = String::from_utf8_lossy(&bytes);
        match text.parse() {
            Ok(value) => value,
            Err(error) => panic!("{error} in {text}"),
        }
    }
}
