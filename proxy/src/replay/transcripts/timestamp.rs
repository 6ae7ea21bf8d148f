//! Times as transcripts write them.

const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970 of a time such as `2026-02-05T10:18:47.378Z`: RFC 3339 in UTC, as JavaScript's `toISOString` and Codex write it.
/// `None` for anything else, and before 1970.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':')?;
    let is_time = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_time || year > 9999 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut digits = fraction.bytes().chain([b'0'; 3]);
    let mut millisecond = 0;
    for _ in 0..3 {
        let digit = digits.next().filter(u8::is_ascii_digit)?;
        millisecond = millisecond * 10 + u64::from(digit - b'0');
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(days(year, month, day)? * DAY_MS + seconds * 1000 + millisecond)
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// Days from the first of 1970 to a date of the Gregorian calendar. Years begin with March here, so that a leap day is a year's last.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    /// Days from March of the year 0 to 1970.
    const BEFORE: u64 = 719_468;
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1).checked_sub(BEFORE)
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
