//! Draws a text on the terminal over the one before.

use std::io;

use console::{Term, truncate_str};

/// The lines of a terminal that are redrawn. The cursor is hidden until this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    term: Term,
    /// How many lines were drawn last.
    drawn_lines: usize,
}

impl Screen {
    /// Standard output, if it is a terminal.
    pub(super) fn stdout() -> Option<Self> {
        let term = Term::buffered_stdout();
        term.is_term().then(|| Self {
            term,
            drawn_lines: 0,
        })
    }

    /// Draws as many lines of a text as fit.
    pub(super) fn draw(&mut self, text: &str) -> io::Result<()> {
        let (rows, columns) = self.term.size();
        let lines = cut(text, usize::from(rows).saturating_sub(1));
        self.term.hide_cursor()?;
        self.term.move_cursor_up(self.drawn_lines)?;
        for line in &lines {
            self.term.clear_line()?;
            let width = usize::from(columns).saturating_sub(1);
            self.term.write_line(&truncate_str(line, width, "…"))?;
        }
        self.term.clear_to_end_of_screen()?;
        self.drawn_lines = lines.len();
        self.term.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.term.show_cursor().and_then(|()| self.term.flush());
    }
}

/// The first lines of a text; if there are more, the last one says how many.
fn cut(text: &str, max_lines: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    if all.len() <= max_lines {
        return all.into_iter().map(str::to_owned).collect();
    }
    let shown = max_lines.saturating_sub(1);
    let mut lines: Vec<String> = all[..shown].iter().map(ToString::to_string).collect();
    lines.push(format!("… and {} more lines", all.len() - shown));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        assert_eq!(cut("a\nb", 2), ["a", "b"]);
        assert_eq!(cut("a\nb\nc", 2), ["a", "… and 2 more lines"]);
        assert_eq!(cut("a\nb", 0), ["… and 2 more lines"]);
    }
}
