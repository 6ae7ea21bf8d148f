//! Forms beside their originals, to be read by a person.

use comfy_table::{ContentArrangement, Table, presets};
use headroom_shared::compress::{Earlier, compress};

use crate::corpus::Output;
use crate::tally::Tokens;

/// How many forms of each kind are shown.
const EXAMPLES: usize = 3;
/// How much is shown of each text.
const MAX_LINES: usize = 60;
const MAX_CHARS: usize = 400;
/// Columns of the table.
const WIDTH: u16 = 200;

/// Three forms of each kind, or of `only` one: the one that saves least, the middle one, and the one that saves most.
pub(crate) fn text(outputs: &[Output], only: Option<&str>) -> String {
    let kinds = outputs.chunk_by(|a, b| a.kind == b.kind);
    let kinds = kinds.filter(|outputs| only.is_none_or(|only| outputs[0].kind == only));
    kinds.map(kind).collect()
}

fn kind(outputs: &[Output]) -> String {
    let mut forms: Vec<(f64, &str, String)> = outputs
        .iter()
        .filter_map(|output| {
            let form = compress(output.source(), &Earlier::default()).ok()?;
            let removed = Tokens::of(&output.text, Some(&form)).removed();
            Some((removed, output.text.as_str(), form))
        })
        .collect();
    forms.sort_by(|a, b| a.0.total_cmp(&b.0));
    let kind = &outputs[0].kind;
    let mut text = format!("{kind}: {} of {} have a form\n", forms.len(), outputs.len());
    for at in examples(forms.len()) {
        let (removed, original, form) = &forms[at];
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(WIDTH);
        table.set_header([
            format!("{kind}: original"),
            format!("form: {removed:.1} % fewer tokens"),
        ]);
        table.add_row([beginning(original), beginning(form)]);
        text.push_str(&format!("{table}\n"));
    }
    text
}

/// The first, the middle and the last of so many.
fn examples(count: usize) -> Vec<usize> {
    let mut examples: Vec<usize> = match count {
        0..=EXAMPLES => (0..count).collect(),
        _ => vec![0, count / 2, count - 1],
    };
    examples.dedup();
    examples
}

fn beginning(text: &str) -> String {
    let mut lines: Vec<String> = text.split('\n').take(MAX_LINES).map(shown).collect();
    let rest = text.split('\n').count() - lines.len();
    if rest > 0 {
        lines.push(format!("({rest} more lines)"));
    }
    lines.join("\n")
}

/// A line, with what a terminal would not show as it is.
fn shown(line: &str) -> String {
    let mut chars = line.chars();
    let begin = chars.by_ref().take(MAX_CHARS);
    let mut shown: String = begin
        .map(|c| match c {
            '\t' => '⇥',
            c if c.is_control() => '␦',
            c => c,
        })
        .collect();
    let rest = chars.count();
    if rest > 0 {
        shown.push_str(&format!(" ({rest} more characters)"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_middle_and_the_last_form_are_shown() {
        assert_eq!(examples(0), [0_usize; 0]);
        assert_eq!(examples(2), [0, 1]);
        assert_eq!(examples(9), [0, 4, 8]);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shown("a\tb\x1b"), "a⇥b␦");
        assert_eq!(
            shown(&"x".repeat(402)),
            format!("{} (2 more characters)", "x".repeat(400))
        );
        assert!(beginning(&"x\n".repeat(62)).ends_with("x\n(3 more lines)"));
    }
}
