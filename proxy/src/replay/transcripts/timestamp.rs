//! Times as transcripts write them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970 of a time such as `2026-02-05T10:18:47.378Z`: RFC 3339 in UTC, as JavaScript's `toISOString` and Codex write it.
/// `None` for anything else, and before 1970.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let utc = text.ends_with('Z').then_some(text)?;
    let time = OffsetDateTime::parse(utc, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:00.5Z", Some(500)),
            ("2000-02-29T12:00:00.000Z", Some(951_825_600_000)),
            ("2026-02-05T10:18:47.378Z", Some(1_770_286_727_378)),
            ("2026-02-05T10:18:47.378123Z", Some(1_770_286_727_378)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-13-05T10:18:47Z", None),
            ("2026-02-05T10:18:47.x78Z", None),
            ("2026-02-05T10:18:47", None),
            ("0000-01-01T00:00:00Z", None),
            ("99999999999999999999-01-01T00:00:00Z", None),
            ("18446744073709551615-01-01T00:00:00Z", None),
            ("TZ", None),
            ("", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
