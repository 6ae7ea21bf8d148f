//! An HTTP proxy that makes tunnels, as companies put before the internet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What such a proxy does.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The ports of 127.0.0.1 where targets really are, by `host:port` as `CONNECT` names them. Others are refused with 403.
    pub targets: BTreeMap<String, u16>,
    /// What `Proxy-Authorization` has to be, or else 407.
    pub credentials: Option<String>,
}

/// The proxy. It ends when it is dropped, and its tunnels with it.
#[derive(Debug)]
pub struct ConnectProxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _accept: JoinSet<()>,
}

impl ConnectProxy {
    /// Starts one.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(policy: Policy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let asked = Arc::default();
        let mut accept = JoinSet::new();
        accept.spawn(serve(listener, Arc::new(policy), Arc::clone(&asked)));
        Self {
            port,
            asked,
            _accept: accept,
        }
    }

    /// One that makes tunnels to this target alone, which really is at `port` of 127.0.0.1.
    pub async fn to(target: &str, port: u16) -> Self {
        Self::start(Policy {
            targets: BTreeMap::from([(target.to_owned(), port)]),
            credentials: None,
        })
        .await
    }

    /// Host and port where it listens.
    #[must_use]
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The heads of what it was asked for so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

fn lock(asked: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, policy: Arc<Policy>, asked: Arc<Mutex<Vec<String>>>) {
    let mut tunnels = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        tunnels.spawn(tunnel(near, Arc::clone(&policy), Arc::clone(&asked)));
    }
}

/// Makes one tunnel, or refuses it; `None` where one side goes away.
async fn tunnel(
    mut near: TcpStream,
    policy: Arc<Policy>,
    asked: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(near.read_u8().await.ok()?));
    }
    lock(&asked).push(head.clone());
    let answer = match policy.port(&head) {
        Ok(port) => {
            let mut far = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            let made = b"HTTP/1.1 200 Connection established\r\n\r\n";
            near.write_all(made).await.ok()?;
            copy_bidirectional(&mut near, &mut far).await.ok()?;
            return Some(());
        }
        Err(status) => format!("HTTP/1.1 {status}\r\ncontent-length: 6\r\n\r\nno way"),
    };
    near.write_all(answer.as_bytes()).await.ok()
}

impl Policy {
    /// Where a tunnel leads that is asked for so, or the status of the refusal.
    fn port(&self, head: &str) -> Result<u16, &'static str> {
        let credentials = head
            .lines()
            .find_map(|line| line.strip_prefix("proxy-authorization: "));
        if credentials != self.credentials.as_deref() {
            return Err("407 Proxy Authentication Required");
        }
        let target = head
            .strip_prefix("CONNECT ")
            .and_then(|rest| rest.split(' ').next())
            .ok_or("405 Method Not Allowed")?;
        self.targets.get(target).copied().ok_or("403 Forbidden")
    }
}
