//! The pool of idle connections to one provider.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http::Uri;

use super::connection::Connection;
use super::connector::{Connector, connect};
use super::settings;
use super::tcp::BoxError;

/// The idle connections to one provider.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    /// Scheme and authority of the provider.
    origin: Uri,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) const fn new(connector: Connector, origin: Uri) -> Self {
        Self {
            connector,
            origin,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The connection that was used last among those that are still good.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let Idle {
                mut connection,
                since,
            } = self.idle().pop()?;
            if since.elapsed() < settings::IDLE_TIMEOUT && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Makes a new connection.
    pub(super) async fn connect(&self) -> Result<Connection, BoxError> {
        let stream = connect(&self.connector, &self.origin).await?;
        Ok(Connection::new(stream).await?)
    }

    /// Keeps a connection for the next request, unless it is at its end.
    pub(super) fn put(&self, mut connection: Connection) {
        if connection.is_ready() {
            let since = Instant::now();
            self.idle().push(Idle { connection, since });
        }
    }

    /// Closes what has been idle for too long and what the provider has closed.
    pub(super) fn sweep(&self) {
        self.idle().retain_mut(|idle| {
            idle.since.elapsed() < settings::IDLE_TIMEOUT && idle.connection.is_ready()
        });
    }

    /// Whether no connection is idle.
    pub(super) fn is_empty(&self) -> bool {
        self.idle().is_empty()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::splice::Rope;
    use crate::upstream::proxies::Proxies;
    use crate::upstream::request::request;
    use crate::upstream::{RequestBody, connector};
    use bytes::Bytes;
    use http::uri::PathAndQuery;
    use http::{HeaderMap, HeaderValue, Method};
    use http_body::Body as _;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    /// A pool, and where its connections lead.
    async fn stage() -> (Pool, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}/", listener.local_addr().unwrap());
        (
            Pool::new(
                connector::connector(Proxies::default()),
                origin.parse().unwrap(),
            ),
            listener,
        )
    }

    /// A connection and its other end.
    async fn connected((pool, listener): &(Pool, TcpListener)) -> (Connection, TcpStream) {
        let (near, far) = tokio::join!(pool.connect(), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    /// Sends a request over a connection and this response from its other end.
    async fn ask(connection: &mut Connection, far: &mut TcpStream, response: &str) {
        let host = HeaderValue::from_static("h");
        let body = RequestBody::Whole(Rope::from(Bytes::from_static(b"!")));
        let asked = (Method::POST, PathAndQuery::from_static("/"));
        let request = request(asked, &host, HeaderMap::new(), body);
        let responding = async {
            while far.read_u8().await.unwrap() != b'!' {}
            far.write_all(response.as_bytes()).await.unwrap();
        };
        let (received, ()) = tokio::join!(connection.send(request), responding);
        assert!(received.unwrap().body().is_end_stream());
    }

    #[tokio::test]
    async fn the_one_that_was_used_last_is_taken_first() {
        let stage = stage().await;
        let (first, mut first_far) = connected(&stage).await;
        let (second, mut second_far) = connected(&stage).await;
        stage.0.put(first);
        stage.0.put(second);
        for far in [&mut second_far, &mut first_far] {
            let mut taken = stage.0.take().unwrap();
            ask(&mut taken, far, "HTTP/1.1 204 No Content\r\n\r\n").await;
        }
        assert!(stage.0.take().is_none());
    }

    #[tokio::test]
    async fn a_connection_with_bytes_behind_the_response_is_not_kept() {
        let stage = stage().await;
        for (response, kept) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", 1),
            ("HTTP/1.1 204 No Content\r\n\r\nH", 0),
        ] {
            let (mut near, mut far) = connected(&stage).await;
            ask(&mut near, &mut far, response).await;
            stage.0.put(near);
            assert_eq!(stage.0.idle().len(), kept, "{response:?}");
            stage.0.idle().clear();
        }
    }

    #[tokio::test]
    async fn what_is_closed_or_speaks_unasked_is_swept() {
        let stage = stage().await;
        for closes in [true, false] {
            let (near, mut far) = connected(&stage).await;
            stage.0.put(near);
            stage.0.sweep();
            assert_eq!(stage.0.idle().len(), 1);
            if closes {
                drop(far);
            } else {
                far.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
                    .await
                    .unwrap();
            }
            let swept = async {
                while !stage.0.idle().is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    stage.0.sweep();
                }
            };
            let swept = tokio::time::timeout(Duration::from_secs(10), swept);
            swept.await.expect("it stays");
        }
    }
}
