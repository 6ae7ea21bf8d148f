//! Whether a command's output goes into a file, and other signs that count outside quotes.

/// Where output goes that is no file: nobody reads it, or it is read as what the command says.
const NO_FILES: [&str; 5] = [
    "/dev/fd/",
    "/dev/null",
    "/dev/stderr",
    "/dev/stdout",
    "/dev/tty",
];

/// Whether what a command prints goes into a file, and not only what it says of errors: it has a `>` outside quotes, no `2` as a word of its
/// own before it, and a target that is a file.
pub(super) fn is_redirected(command: &str) -> bool {
    unquoted(command).any(|(at, c)| c == '>' && is_of_output(&command[..at], &command[at..]))
}

/// A script without the words that send one kind of output where the other one goes: `2>&1`, `>&2`.
pub(super) fn without_duplications(script: &str) -> String {
    let mut rest = script;
    let mut without = String::with_capacity(script.len());
    while let Some((before, behind)) = rest.split_once(">&") {
        let target = behind.trim_start_matches(' ');
        match target.strip_prefix(['1', '2']) {
            Some(next) if !next.starts_with(is_of_word) => {
                let word = before.strip_suffix(['1', '2']);
                let is_own = |word: &&str| !word.ends_with(is_of_word);
                without.push_str(word.filter(is_own).unwrap_or(before));
                rest = next;
            }
            _ => {
                without.push_str(before);
                without.push_str(">&");
                rest = behind;
            }
        }
    }
    without + rest
}

/// The commands of a script, and for each those that its output is piped into, as far as signs outside quotes tell.
pub(super) fn pipelines(script: &str) -> Vec<Vec<&str>> {
    let mut pipelines = vec![Vec::new()];
    let mut start = 0;
    let end = [(script.len(), '\n')];
    for (at, sign) in unquoted(script).chain(end) {
        if ['|', ';', '&', '\n'].contains(&sign) {
            if let Some(pipeline) = pipelines.last_mut() {
                pipeline.push(&script[start..at]);
            }
            if sign != '|' {
                pipelines.push(Vec::new());
            }
            start = at + 1;
        }
    }
    pipelines.pop();
    pipelines
}

/// The characters of a script outside quotes that do not stand for themselves, and where each is.
fn unquoted(script: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut quote = None;
    let mut chars = script.char_indices();
    std::iter::from_fn(move || {
        loop {
            let (at, c) = chars.next()?;
            match (quote, c) {
                // The next character stands for itself.
                (None | Some('"'), '\\') => _ = chars.next(),
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (None, _) => return Some((at, c)),
                _ => {}
            }
        }
    })
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
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
    let other_output = target.strip_prefix('&').map(str::trim_start);
    let is_file = !NO_FILES.iter().any(|it| target.starts_with(it))
        && !other_output.is_some_and(|it| it.starts_with(['1', '2']));
    !is_of_errors && is_file
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
            "cat a >&b",
        ] {
            assert!(is_redirected(command), "{command}");
        }
        for command in [
            "cat a",
            "cat a 2>b",
            "cat a 2>>b",
            "cat a 2>&1",
            "cat a > /dev/null",
            "cat a >&2",
            "cat a 1>& 2",
            "cat a > /dev/stderr",
            "awk '$3 > 5' a",
            "echo \"a > b\"",
            "echo \"a \\\" > b\"",
            "echo a \\> b",
        ] {
            assert!(!is_redirected(command), "{command}");
        }
    }

    #[test]
    fn outputs_that_go_where_the_other_goes_are_left_out() {
        for (script, without) in [
            ("make 2>&1 | tail", "make  | tail"),
            ("cat a >&2; make", "cat a ; make"),
            ("cat a 1>& 2", "cat a "),
            ("cat a2>&1", "cat a2"),
            ("cat a >&b >&10", "cat a >&b >&10"),
        ] {
            assert_eq!(without_duplications(script), without);
        }
    }

    #[test]
    fn commands_end_at_signs_outside_quotes() {
        let all = pipelines("a 'b;c' | d && e \"f|g\"; h\\;i");
        let expected: [&[&str]; 4] = [&["a 'b;c' ", " d "], &[""], &[" e \"f|g\""], &[" h\\;i"]];
        assert_eq!(all, expected);
    }
}
