//! Whose program listens on a port of this machine: a client's key goes to whoever is found there.

use std::fs;
use std::ops::RangeInclusive;

use url::Url;

/// The listening sockets of this machine, as Linux tells them to everyone.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// The state of a socket that listens.
const LISTENS: &str = "0A";

/// The users that systemd gives to services, `DynamicUser=` ones too (systemd's UIDS-GIDS document): who may start a service is root.
const OF_SERVICES: RangeInclusive<u32> = 61_184..=65_519;

/// Whether a program of another user than this one listens at the port of this base URL. Root and its services are no others. False where the
/// system does not tell.
pub(crate) fn is_of_another_user(base: &Url) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let mut tables = TABLES.iter().filter_map(|it| fs::read_to_string(it).ok());
    let others = |table: String| {
        table.lines().filter_map(listener).any(|(port, user)| {
            let is_trusted = user == own || user == 0 || OF_SERVICES.contains(&user);
            Some(port) == base.port_or_known_default() && !is_trusted
        })
    };
    tables.any(others)
}

/// The port and the user of a line of a table, where that socket listens: its words are a number, the local address, the remote one, the
/// state, three more, and the user.
fn listener(line: &str) -> Option<(u16, u32)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, port) = words.get(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let user = words.get(7)?.parse().ok()?;
    (*words.get(3)? == LISTENS).then_some((port, user))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_line_tells_port_and_user() {
        let line = "   1: 0100007F:2253 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 61829 1 0000000000000000 100 0 0 10 0";
        assert_eq!(listener(line), Some((8787, 65534)));
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(
            listener("  sl  local_address rem_address   st tx_queue"),
            None
        );
    }

    #[test]
    fn a_listener_of_our_own_is_no_other_s() {
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", own.local_addr().unwrap());
        assert!(!is_of_another_user(&url.parse().unwrap()));
    }
}
