//! Where the proxy listens that has a data folder open, in a file in that folder: only one process at a time can have its store open.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use url::Url;

/// The file's name in the data folder.
const FILE_NAME: &str = "headroom.address";

/// A file that says where this process listens. It is removed when this is dropped; what a kill leaves behind is told by nobody answering
/// there.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
    url: String,
}

impl Published {
    /// Says that this process, which has the folder open, listens at `address`.
    pub(crate) fn in_folder(folder: &Path, address: SocketAddr) -> Self {
        let published = Self {
            path: folder.join(FILE_NAME),
            url: format!("http://{}", reachable(address)),
        };
        if let Err(error) = fs::write(&published.path, &published.url) {
            let file = published.path.display();
            tracing::warn!(%file, %error, "`headroom-proxy wrap` will not find this proxy by its data folder");
        }
        published
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // Another process may have the folder by now.
        if fs::read_to_string(&self.path).is_ok_and(|url| url == self.url) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where the process said that it listens which has this folder open, or had it and was killed.
pub(crate) fn published_in(folder: &Path) -> Option<Url> {
    let text = fs::read_to_string(folder.join(FILE_NAME)).ok()?;
    text.trim().parse().ok()
}

/// An address by which this machine reaches who listens at `address`, which may be every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_to_publish_is_found_and_the_others_leave_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(published_in(folder.path()), None);
        let first = Published::in_folder(folder.path(), ([127, 0, 0, 1], 81).into());
        let second = Published::in_folder(folder.path(), ([0, 0, 0, 0], 82).into());
        drop(first);
        let found = published_in(folder.path()).unwrap();
        assert_eq!(found.as_str(), "http://127.0.0.1:82/");
        drop(second);
        assert_eq!(published_in(folder.path()), None);
    }
}
