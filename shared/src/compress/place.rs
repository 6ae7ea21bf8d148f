//! Where a file is that a call reads, as a key that is the same only for the same file.

use super::command::{prints_one_file, split_cd};

/// What has a shell put something else in the place of a word, or end a command.
const SPECIAL: [char; 12] = ['$', '`', '*', '?', '|', '&', ';', '<', '>', '"', '\'', '\n'];

/// The place of a file that a tool reads whose relative paths count from one folder.
pub(super) fn of_tool(file: &str) -> String {
    without_dots(file)
}

/// The place of the file that a script prints, given the folder that it is run in; `None` where its folder is not known, or where it may
/// print another file too.
pub(super) fn of_script(script: &str, file: &str, workdir: Option<&str>) -> Option<String> {
    if !prints_one_file(script) {
        return None;
    }
    if is_absolute(file) || file.starts_with("~/") {
        return Some(without_dots(file));
    }
    let folder = match split_cd(script).0 {
        Some(folder) => {
            let folder = folder.trim_matches(['"', '\'']);
            (!folder.contains(SPECIAL)).then_some(folder)
        }
        None => workdir,
    };
    let folder = folder.filter(|folder| is_absolute(folder))?;
    Some(without_dots(&format!("{folder}/{file}")))
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// A path without the parts that lead nowhere: `.`, and what is between two slashes that follow each other.
fn without_dots(path: &str) -> String {
    let parts = path.split('/').filter(|part| !["", "."].contains(part));
    let parts: Vec<&str> = parts.collect();
    let root = if is_absolute(path) { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_counts_from_the_folder_of_its_script() {
        for (script, file, workdir, place) in [
            ("cat a.rs", "a.rs", Some("/r/a/"), Some("/r/a/a.rs")),
            ("cat ./b/a.rs", "./b/a.rs", Some("/r"), Some("/r/b/a.rs")),
            ("cat /x/a.rs", "/x/a.rs", Some("/r"), Some("/x/a.rs")),
            ("cat /x/./a.rs", "/x/./a.rs", None, Some("/x/a.rs")),
            ("cat ~/a.rs", "~/a.rs", Some("/r"), Some("~/a.rs")),
            ("cd /x && cat a.rs", "a.rs", Some("/r"), Some("/x/a.rs")),
            ("cd '/x y' && cat a.rs", "a.rs", None, Some("/x y/a.rs")),
            ("cat a.rs", "a.rs", None, None),
            ("cat a.rs", "a.rs", Some("r"), None),
            ("cd x && cat a.rs", "a.rs", Some("/r"), None),
            ("cd /x/$Y && cat a.rs", "a.rs", None, None),
            ("cd /x || exit && cat a.rs", "a.rs", None, None),
            ("cat /x/b.rs /x/a.rs", "/x/a.rs", Some("/r"), None),
        ] {
            let found = of_script(script, file, workdir);
            assert_eq!(found.as_deref(), place, "{script} in {workdir:?}");
        }
    }
}
