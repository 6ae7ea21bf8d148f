//! The address where the settings have a proxy listen.

use std::io;

use url::Url;

use super::check::Check;
use crate::running::{About, shown};

const NAME: &str = "listener";

/// What it means that this proxy answers there, if one does, and that the address could be listened on or not.
pub(super) fn check(
    url: &Url,
    (proxy, is_of_another_user): (Option<&About>, bool),
    bound: Result<(), &io::Error>,
) -> Check {
    let url = shown(url);
    match (proxy, bound) {
        (Some(_), _) if is_of_another_user => Check::failed(
            NAME,
            format!(
                "what answers at {url} belongs to another user of this machine, who would get your keys"
            ),
            "set HEADROOM_PORT to another port",
        ),
        (Some(proxy), _) => {
            let detail = format!("headroom-proxy {} answers at {url}", proxy.version);
            Check::ok(NAME, detail)
        }
        (None, Ok(())) => {
            let detail = format!("{url} is free: no proxy runs there");
            Check::ok(NAME, detail)
        }
        (None, Err(error)) if error.kind() == io::ErrorKind::AddrInUse => Check::failed(
            NAME,
            format!("another program listens at {url}, or a proxy that does not answer"),
            "stop it, or set HEADROOM_PORT to another port",
        ),
        (None, Err(error)) => Check::failed(
            NAME,
            format!("a proxy can't listen at {url}: {error}"),
            "set HEADROOM_HOST to an address of this machine, and HEADROOM_PORT to a port that this user may have",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn an_address_is_ours_free_or_another_s() {
        let url: Url = "http://127.0.0.1:8787/".parse().unwrap();
        let proxy = About {
            version: "1.2.3".to_owned(),
            tier: "lossless".to_owned(),
            under_way: 0,
            anthropic: url.clone(),
            openai: url.clone(),
        };
        let in_use = io::Error::from(io::ErrorKind::AddrInUse);
        let foreign = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (proxy, bound, status, says) in [
            (Some(&proxy), Err(&in_use), Status::Ok, "1.2.3 answers"),
            (None, Ok(()), Status::Ok, "is free"),
            (None, Err(&in_use), Status::Failed, "another program"),
            (None, Err(&foreign), Status::Failed, "can't listen"),
        ] {
            let check = check(&url, (proxy, false), bound);
            assert_eq!(check.status, status, "{says}");
            assert!(check.detail.contains(says), "{}", check.detail);
        }
    }
}
