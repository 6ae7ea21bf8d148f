//! Where the proxy listens that has a data folder open, and what changes its queue, in a file in that folder that this user alone can read:
//! only one process at a time can have its store open.

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use url::Url;

use crate::page_token::PageToken;

/// The file's name in the data folder.
const FILE_NAME: &str = "headroom.address";

/// A file that says where this process listens. It is removed when this is dropped; what a kill leaves behind is told by nobody answering
/// there.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
    /// The page's address.
    text: String,
}

impl Published {
    /// Says that this process, which has the folder open, listens at `address`, and that its queue is changed with this token, where that is
    /// for who can read the folder.
    pub(crate) fn in_folder(folder: &Path, address: SocketAddr, token: Option<&PageToken>) -> Self {
        let fragment = token.map_or_else(String::new, |token| format!("#token={token}"));
        let published = Self {
            path: folder.join(FILE_NAME),
            text: format!("http://{}/{fragment}", reachable(address)),
        };
        if let Err(error) = published.write() {
            let file = published.path.display();
            tracing::warn!(%file, %error, "`headroom-proxy wrap` and `queue` will not find this proxy by its data folder");
        }
        published
    }

    fn write(&self) -> io::Result<()> {
        // One that others can read may be there from an older version.
        let _ = fs::remove_file(&self.path);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)?.write_all(self.text.as_bytes())
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // Another process may have the folder by now.
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where the process said that it listens which has this folder open, or had it and was killed.
pub(crate) fn published_in(folder: &Path) -> Option<Url> {
    Some(published_with_token(folder)?.0)
}

/// The same, with the token with which its queue is changed.
pub(crate) fn published_with_token(folder: &Path) -> Option<(Url, Option<String>)> {
    let text = fs::read_to_string(folder.join(FILE_NAME)).ok()?;
    let mut url: Url = text.trim().parse().ok()?;
    let token = url.fragment().and_then(|it| it.strip_prefix("token="));
    let token = token.map(str::to_owned);
    url.set_fragment(None);
    Some((url, token))
}

/// An address by which this machine reaches who listens at `address`, which may be every address.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
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
        let token = PageToken::new();
        let publish = |address| Published::in_folder(folder.path(), address, Some(&token));
        let first = publish(([127, 0, 0, 1], 81).into());
        let second = publish(([0, 0, 0, 0], 82).into());
        drop(first);
        let found = published_in(folder.path()).unwrap();
        assert_eq!(found.as_str(), "http://127.0.0.1:82/");
        let (_, published) = published_with_token(folder.path()).unwrap();
        assert_eq!(published, Some(token.to_string()));
        drop(second);
        assert_eq!(published_in(folder.path()), None);
    }
}
