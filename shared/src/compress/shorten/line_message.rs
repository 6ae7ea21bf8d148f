//! What a line of a command's output says, without who says it.

/// What a line says, without the name of the package or the job that says it: `pkg:lint: …`, `job` tab `step` tab `time …`.
pub(super) fn message(line: &str) -> &str {
    if let Some((name, rest)) = line.split_once(": ")
        && name.contains(':')
        && !name.contains(char::is_whitespace)
    {
        return rest;
    }
    let mut columns = line.splitn(3, '\t');
    if let (Some(_), Some(_), Some(rest)) = (columns.next(), columns.next(), columns.next())
        && rest.starts_with(|c: char| c.is_ascii_digit())
        && let Some((_, rest)) = rest.split_once(' ')
    {
        return rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_who_says_it_is_no_part_of_a_message() {
        assert_eq!(message("@a/b:test:   x: y"), "  x: y");
        assert_eq!(message("job\tstep\t2020-01-01T00:00:00Z   x"), "  x");
        assert_eq!(message("error: x"), "error: x");
    }
}
