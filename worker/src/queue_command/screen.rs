//! Draws a text over the one before.

use std::io;

use console::{Term, truncate_str};

/// A terminal whose last lines are drawn again and again. Its cursor comes back when this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    term: Term,
    /// How many lines were drawn last.
    drawn: usize,
}

impl Screen {
    /// Standard output, if it is a terminal.
    pub(super) fn stdout() -> Option<Self> {
        let term = Term::buffered_stdout();
        term.is_term().then(|| Self { term, drawn: 0 })
    }

    /// Draws as much of a text as there is room for.
    pub(super) fn draw(&mut self, text: &str) -> io::Result<()> {
        let (rows, columns) = self.term.size();
        let lines = fitting(text, usize::from(rows).saturating_sub(1));
        self.term.hide_cursor()?;
        self.term.move_cursor_up(self.drawn)?;
        for line in &lines {
            self.term.clear_line()?;
            let width = usize::from(columns).saturating_sub(1);
            self.term.write_line(&truncate_str(line, width, "…"))?;
        }
        self.term.clear_to_end_of_screen()?;
        self.drawn = lines.len();
        self.term.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.term.show_cursor().and_then(|()| self.term.flush());
    }
}

/// The first lines of a text, and how many there are besides them.
fn fitting(text: &str, most: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    if all.len() <= most {
        return all.into_iter().map(str::to_owned).collect();
    }
    let shown = most.saturating_sub(1);
    let mut lines: Vec<String> = all[..shown].iter().map(ToString::to_string).collect();
    lines.push(format!("… and {} more lines", all.len() - shown));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        assert_eq!(fitting("a\nb", 2), ["a", "b"]);
        assert_eq!(fitting("a\nb\nc", 2), ["a", "… and 2 more lines"]);
        assert_eq!(fitting("a\nb", 0), ["… and 2 more lines"]);
    }
}
