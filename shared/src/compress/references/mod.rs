//! Replaces lines that appear word for word earlier in the same prefix by one line that says where.

pub(super) mod find;
pub(super) mod mark;
pub(super) mod target;
pub(super) mod window;

use super::form::Form;
use super::search::is_search;
use super::text::Text;
use super::{Compressor, Context, Earlier, each_line, push_line};
use find::Reference;
use mark::{is_mark, write_lines};

const HEADER: &str = "\"[lines A-B of …]\": the same lines, word for word, as there";

/// In search results, fewer lines are left where they are.
const MIN_SEARCH_LINES: usize = 6;

pub(super) struct References;

impl Compressor for References {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let found = text.references(context);
        let is_short = |found: &Reference| found.lines.len() < MIN_SEARCH_LINES;
        let leaves_short = found.iter().any(is_short) && is_search(text, context.earlier.deadline);
        let found = found.iter().filter(|it| !(leaves_short && is_short(it)));
        let mut found = found.peekable();
        if found.peek().is_none() || text.lines().iter().any(|line| is_mark(line)) {
            return None;
        }
        let found = found.map(|it| (it.lines.clone(), it));
        let form = Form::replacing(HEADER, text, found, |form, reference| {
            push_line(form, &[&reference.mark]);
        });
        Some(form)
    }

    fn expand(&self, header: &str, body: &str, earlier: &Earlier) -> Option<String> {
        if header != HEADER {
            return None;
        }
        let mut text = String::with_capacity(body.len());
        for line in each_line(body) {
            if is_mark(line) {
                write_lines(&mut text, line, earlier)?;
            } else {
                push_line(&mut text, &[line]);
            }
        }
        text.pop();
        Some(text)
    }
}
