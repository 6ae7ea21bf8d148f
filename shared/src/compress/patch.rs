//! What a patch in the input of a tool call puts into files, in the format of `apply_patch` (Codex's tool, and OpenAI's of that name).
//!
//! ```text
//! *** Update File: src/main.rs
//! @@ fn main() {
//!      let a = 1;
//! -    let b = 2;
//! +    let b = 3;
//! ```
//!
//! A line that is added or stays is in the file afterwards, without the sign before it.

const BEGIN: &str = "*** Begin Patch";

/// What stands before the path of a file.
const FILES: [&str; 2] = ["*** Add File: ", "*** Update File: "];

/// And before the path that it has afterwards.
const MOVED: &str = "*** Move to: ";

/// What a patch says of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PatchedFile<'a> {
    pub(super) path: &'a str,
    /// The lines behind the one that names the file, those that are in the file afterwards without their signs.
    pub(super) lines: Vec<&'a str>,
    /// Which of them are not in the file afterwards.
    pub(super) hidden: Vec<bool>,
}

/// The files of the patch that these lines are or hold; none where they do not.
pub(super) fn files<'a>(lines: &[&'a str]) -> Vec<PatchedFile<'a>> {
    let mut files: Vec<PatchedFile<'_>> = Vec::new();
    let patch = lines.iter().skip_while(|line| line.trim_end() != BEGIN);
    let mut is_in_file = false;
    for line in patch {
        let path = FILES.iter().find_map(|before| line.strip_prefix(before));
        if let Some(path) = path {
            files.push(PatchedFile {
                path: path.trim_end(),
                lines: Vec::new(),
                hidden: Vec::new(),
            });
            is_in_file = true;
        } else if let Some(path) = line.strip_prefix(MOVED)
            && let Some(file) = files.last_mut().filter(|_| is_in_file)
        {
            file.path = path.trim_end();
            file.lines.push(line);
            file.hidden.push(true);
        } else if line.starts_with("*** Delete File: ") || line.starts_with("*** End Patch") {
            is_in_file = false;
        } else if let Some(file) = files.last_mut().filter(|_| is_in_file) {
            let kept = line.strip_prefix(['+', ' ']);
            file.lines.push(kept.unwrap_or(line));
            file.hidden.push(kept.is_none());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: a/new.rs\n+one\n+\n+*** two\n*** Update File: b.rs\n*** Move to: c.rs\n@@ fn main() {\n stays\n-goes\n+comes\n*** End of File\n*** Delete File: d.rs\n*** End Patch\nEOF\n+x";

    #[test]
    fn lines_are_those_of_the_files_afterwards() {
        let lines: Vec<&str> = PATCH.lines().collect();
        let files = files(&lines);
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].path, "a/new.rs");
        assert_eq!(files[0].lines, ["one", "", "*** two"]);
        assert_eq!(files[0].hidden, [false; 3]);
        assert_eq!(files[1].path, "c.rs");
        let shown = files[1].lines.iter().zip(&files[1].hidden);
        let shown: Vec<&str> = shown
            .filter(|(_, hidden)| !**hidden)
            .map(|(line, _)| *line)
            .collect();
        assert_eq!(shown, ["stays", "comes"]);
        assert_eq!(files[1].lines.len(), 6);
    }

    #[test]
    fn other_texts_hold_no_files() {
        for text in [
            "",
            "*** Begin Patch",
            "*** Add File: a\n+x",
            "*** Begin Patch\n+x\n*** End Patch",
        ] {
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(files(&lines), [], "{text}");
        }
    }
}
