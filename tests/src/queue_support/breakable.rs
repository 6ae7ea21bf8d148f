//! A TCP proxy before Redis that a test can break.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct Breakable {
    port: u16,
    today: Arc<Mutex<Today>>,
    end: CancellationToken,
}

/// What can be done to the connections there are, and not to those to come.
#[derive(Debug, Clone, Default)]
struct Today {
    /// Commands still reach the server; its answers do not come back.
    mute: CancellationToken,
    /// They are closed.
    cut: CancellationToken,
}

impl Breakable {
    /// Listens before the server at `target`.
    pub async fn before(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (today, end) = (
            Arc::new(Mutex::new(Today::default())),
            CancellationToken::new(),
        );
        let (tasks, days, ended) = (TaskTracker::new(), Arc::clone(&today), end.clone());
        tasks.clone().spawn(async move {
            while let Some(Ok((client, _))) = ended.run_until_cancelled(listener.accept()).await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
                    continue;
                };
                let Today { mute, cut } = days.lock().unwrap().clone();
                let (asks, answers) = client.into_split();
                let (replies, orders) = server.into_split();
                tasks.spawn(pump(asks, orders, CancellationToken::new(), cut.clone()));
                tasks.spawn(pump(replies, answers, mute, cut));
            }
        });
        Self { port, today, end }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on no answer comes back over the connections there are, and none of them is closed.
    pub fn mute(&self) {
        let mut today = self.today.lock().unwrap();
        std::mem::take(&mut today.mute).cancel();
    }

    /// Closes the connections there are.
    pub fn cut(&self) {
        let mut today = self.today.lock().unwrap();
        std::mem::take(&mut today.cut).cancel();
    }
}

impl Drop for Breakable {
    fn drop(&mut self) {
        self.end.cancel();
        self.cut();
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mute: CancellationToken,
    cut: CancellationToken,
) {
    let copying = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if mute.is_cancelled() {
                std::future::pending::<()>().await;
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    let _ = cut.run_until_cancelled(copying).await;
}
