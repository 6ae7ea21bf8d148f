//! Data in columns: tables that commands print.

use super::line_message::message;

/// Where more than one line in so many is a row, the text is a table.
const MOST: usize = 2;

/// Columns that are parted by white space alone count from so many on.
const MIN_COLUMNS: usize = 3;

/// The head of such columns is among so many lines at the beginning: clients put some before an output.
const MAX_LINES_TO_HEAD: usize = 8;

/// Whether most lines are rows of a table, by what parts their columns, or by a head like `NAME   READY   STATUS` above them.
pub(super) fn is_table(lines: &[&str]) -> bool {
    let has_rows = |separator| {
        let columns = lines.iter().map(|line| line.matches(separator).count());
        let columns: Vec<usize> = columns.collect();
        let rows = columns
            .windows(2)
            .filter(|pair| pair[0] >= 2 && pair[0] == pair[1]);
        let is_log = separator == '\t' && message(lines[lines.len() / 2]) != lines[lines.len() / 2];
        !is_log && rows.count() * MOST > lines.len()
    };
    [',', '|', '\t', '│'].into_iter().any(has_rows) || has_head(lines)
}

/// Whether one of the first lines names columns in capital letters, and most lines have something in each place where a column begins.
fn has_head(lines: &[&str]) -> bool {
    let heads = lines.iter().take(MAX_LINES_TO_HEAD);
    let Some(columns) = heads.copied().find_map(columns_named) else {
        return false;
    };
    let is_row = |line: &&&str| columns.iter().all(|at| begins_column(line, *at));
    lines.iter().filter(is_row).count() * MOST > lines.len()
}

/// Where the columns behind the first begin, in bytes; `None` where the line is no head of columns.
fn columns_named(head: &str) -> Option<Vec<usize>> {
    if head.contains(|c: char| c.is_lowercase() || c.is_ascii_digit()) {
        return None;
    }
    let columns: Vec<usize> = (1..head.len())
        .filter(|at| begins_column(head, *at))
        .collect();
    (columns.len() + 1 >= MIN_COLUMNS).then_some(columns)
}

/// Whether a word begins at this byte of a line, behind two spaces.
fn begins_column(line: &str, at: usize) -> bool {
    let before = at.checked_sub(2).and_then(|from| line.get(from..at));
    before == Some("  ") && line.as_bytes().get(at).is_some_and(|byte| *byte != b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_what_parts_their_columns() {
        for table in [
            "a, b, c\n1, 2, 3\n4, 5, 6\n7, 8, 9",
            "a│b│c\n1│2│3\n4│5│6\n7│8│9",
            "NAME   READY   STATUS    AGE\nweb    1/1     Running   3d\ndb     0/1     Pending   4d",
        ] {
            let lines: Vec<&str> = table.lines().collect();
            assert!(is_table(&lines), "{table}");
        }
        for other in [
            "",
            "a, b\nc\nd, e, f",
            "INFO   main   it began\nWARN   main   it went on\nINFO   main   it ended",
            "ALL   TESTS   RUN\ntest a ... ok\ntest b ... ok",
        ] {
            let lines: Vec<&str> = other.split('\n').collect();
            assert!(!is_table(&lines), "{other}");
        }
    }
}
