//! Whether a command's output goes into a file.

/// Where output goes that nobody reads.
const NOWHERE: &str = "/dev/null";

/// Whether what a command prints goes into a file, and not only what it says of errors: it has a `>` outside quotes, no `2` as a word of its
/// own before it, and another target than `/dev/null`.
pub(super) fn is_redirected(command: &str) -> bool {
    let mut quote = None;
    let mut chars = command.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            // The next character stands for itself.
            (None | Some('"'), '\\') => _ = chars.next(),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '>') if is_of_output(&command[..at], &command[at..]) => return true,
            _ => {}
        }
    }
    false
}

/// Whether the `>` that one part of a command ends before and the other begins with is of what it prints, and into a file.
fn is_of_output(before: &str, from: &str) -> bool {
    // Of `>>` the first one counts.
    if before.ends_with('>') {
        return false;
    }
    let number = before.strip_suffix('2');
    let is_of_errors = number.is_some_and(|rest| rest.is_empty() || rest.ends_with([' ', '\t']));
    let target = from.trim_start_matches('>').trim_start();
    !is_of_errors && !target.starts_with(NOWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_many_signs_are_looked_at_once() {
        assert!(!is_redirected(&format!("cat a 2{}", ">".repeat(1 << 20))));
    }

    #[test]
    fn output_that_goes_into_a_file_is_told_from_other_signs() {
        for command in [
            "cat a > b",
            "cat a >>b",
            "cat > b << 'E'",
            "cat a 1>b",
            "cat a2>b",
            "cat a 2>/dev/null >b",
            "echo \"it's\" > b",
            "> b",
        ] {
            assert!(is_redirected(command), "{command}");
        }
        for command in [
            "cat a",
            "cat a 2>b",
            "cat a 2>>b",
            "cat a 2>&1",
            "cat a > /dev/null",
            "awk '$3 > 5' a",
            "echo \"a > b\"",
            "echo \"a \\\" > b\"",
            "echo a \\> b",
        ] {
            assert!(!is_redirected(command), "{command}");
        }
    }
}
