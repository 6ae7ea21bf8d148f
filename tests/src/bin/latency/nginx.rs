//! nginx as a reverse proxy: one worker, warm connections, and request buffering on, because it must hold a request as our
//! proxy must.

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use headroom_tests::ports::free_port;
use headroom_tests::wait;
use tempfile::TempDir;

/// A running nginx. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one before `provider`, through `wrapper`; `None` where nginx is not installed.
    pub(crate) async fn start(provider: &str, wrapper: &[&str]) -> anyhow::Result<Option<Self>> {
        let installed = Command::new("nginx")
            .arg("-v")
            .stderr(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let (folder, port) = (TempDir::new()?, free_port());
        let path = folder.path().join("nginx.conf");
        fs::write(
            &path,
            configuration(port, provider, &folder.path().display().to_string()),
        )?;
        let words: Vec<&str> = wrapper.iter().copied().chain(["nginx"]).collect();
        let child = Command::new(words[0])
            .args(&words[1..])
            .arg("-c")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx does not start")?;
        let nginx = Self {
            child,
            port,
            _folder: folder,
        };
        let connect = || async { tokio::net::TcpStream::connect(nginx.addr()).await.ok() };
        wait::within(wait::DEADLINE, connect)
            .await
            .context("nginx does not listen")?;
        Ok(Some(nginx))
    }

    /// Address and port where it listens.
    pub(crate) fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(port: u16, provider: &str, folder: &str) -> String {
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log /dev/null;
events {{ worker_connections 8192; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_max_body_size 64m; client_body_buffer_size 4m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;
  upstream provider {{ server {provider}; keepalive 2048; keepalive_requests 1000000000; keepalive_timeout 600s; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_request_buffering on; proxy_buffering off; proxy_read_timeout 600s;
    }}
  }}
}}
"
    )
}
