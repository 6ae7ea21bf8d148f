//! The page that the proxy serves.

use crate::process::Process;

/// The token that a proxy printed when it started, with which the page may change the queue.
///
/// # Panics
/// When it printed none.
#[must_use]
pub fn token(proxy: &Process) -> String {
    let printed = proxy.printed();
    let (_, token) = printed
        .split_once("/#token=")
        .expect("the proxy prints the page's address");
    token.chars().take_while(char::is_ascii_hexdigit).collect()
}
