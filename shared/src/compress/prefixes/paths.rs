//! Finds paths and addresses in a line, and what they begin with.

use memchr::{memchr, memchr_iter};

/// What a beginning must have at least, in bytes.
const MIN_BYTES: usize = 10;

/// And at most.
const MAX_BYTES: usize = 256;

/// How many ends of a beginning are tried in a path.
const MAX_TRIES: usize = 6;

/// The paths and addresses in a line, each with the place where it begins.
pub(super) fn paths(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = line.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let slash = at + memchr(b'/', bytes.get(at..)?)?;
            let before = match scheme(&bytes[at..], slash - at) {
                0 => count_back(&bytes[at..slash], is_in_path),
                scheme => scheme,
            };
            let behind = bytes[slash..]
                .iter()
                .take_while(|b| is_in_path(**b))
                .count();
            let start = slash - before;
            at = slash + behind;
            if at - start > MIN_BYTES {
                return Some((start, &line[start..at]));
            }
        }
    })
}

/// Bytes of the scheme or drive, with its colon, before the slash at this place: `https:`, `C:`. 0 if there is none.
fn scheme(bytes: &[u8], slash: usize) -> usize {
    let Some(before) = bytes[..slash].strip_suffix(b":") else {
        return 0;
    };
    let letters = count_back(before, |byte| byte.is_ascii_alphabetic());
    let is_one = letters == 1 || letters > 1 && bytes.get(slash + 1) == Some(&b'/');
    if is_one { letters + 1 } else { 0 }
}

/// How many bytes at the end are like this.
fn count_back(bytes: &[u8], is_like_this: impl Fn(u8) -> bool) -> usize {
    let bytes = bytes.iter().rev();
    bytes.take_while(|byte| is_like_this(**byte)).count()
}

const fn is_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'/' | b'_' | b'-' | b'.' | b'@' | b'+' | b'~' | b'%')
}

/// The longest beginning of a path, if it has any.
pub(super) fn folder(path: &str) -> Option<&str> {
    ends(path).last().map(|end| &path[..end])
}

/// The parts of a path that end before a slash and are long enough to be said once, given the longest of them.
pub(super) fn beginnings(folder: &str) -> impl Iterator<Item = &str> {
    ends(folder).chain([folder.len()]).map(|end| &folder[..end])
}

/// Where the host of an address begins; 0 in a path, in which no colon stands but behind a drive.
fn host(path: &str) -> usize {
    let scheme = memchr(b':', path.as_bytes()).filter(|at| path[*at..].starts_with("://"));
    scheme.map_or(0, |at| at + "://".len())
}

/// The places of the slashes before which a beginning may end.
fn ends(path: &str) -> impl Iterator<Item = usize> {
    let host = host(path);
    let slashes = memchr_iter(b'/', &path.as_bytes()[host..]).map(move |at| host + at);
    slashes
        .filter(|at| (MIN_BYTES..=MAX_BYTES).contains(at))
        .take(MAX_TRIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_with_their_scheme_or_drive() {
        let found = |line: &str| -> Vec<String> {
            paths(line)
                .map(|(at, path)| format!("{at} {path}"))
                .collect()
        };
        assert_eq!(
            found("see https://a.example/b/c, or x"),
            ["4 https://a.example/b/c"]
        );
        assert_eq!(found("error:/usr/share/lib/a:12"), ["6 /usr/share/lib/a"]);
        assert_eq!(
            found("a C:/Users/dev/x é/usr/share/lib"),
            ["2 C:/Users/dev/x", "19 /usr/share/lib"]
        );
        assert_eq!(found("://:/ / //"), [""; 0]);
    }
}
