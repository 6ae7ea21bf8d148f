//! Writes what lines of one kind share once: where they differ in words with digits only, each but the first says these words.

use std::fmt::Write;

use foldhash::HashMap;

use super::kinds::{CLOSE, Kinds, OPEN};
use super::times;
use crate::compress::form::Form;
use crate::compress::text::Text;
use crate::compress::{Compressor, Context, Earlier, MAX_EXPANDED_BYTES, each_line, push_line};

const BEFORE: &str = "log lines of a kind shortened: \"‹A› a ‹b› c\" is the line \"a b c\" and names its kind, then \"A d\" is the line \"a d c\"";
const NUMBERED: &str =
    "; in a kind with numbers, \"A 2=d\" is the kind's line above with d in field 2";
const AFTER: &str = "; \"= \" stands before a line that only looks like these";

const OTHER: &str = "= ";

/// Names of kinds: a letter or two.
const LETTERS: usize = 26;
const MAX_KINDS: usize = LETTERS + LETTERS * LETTERS;

pub(in crate::compress) struct Templates;

impl Compressor for Templates {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let lines = text.lines();
        if !times::is_form(text.whole) && !text.is_log(context.earlier.deadline) {
            return None;
        }
        let kinds = Kinds::of(lines, MAX_KINDS, context.earlier.deadline);
        let mut body = String::with_capacity(text.whole.len());
        // The name of each kind that has one, and the line before.
        let mut named: HashMap<u32, (String, &str)> = HashMap::default();
        let mut numbered = false;
        for (at, line) in context.earlier.deadline.limit(lines.iter().enumerate()) {
            let Some((index, kind)) = kinds.kind_of(at) else {
                let mark = if stands_as_it_is(line) { "" } else { OTHER };
                push_line(&mut body, &[mark, line]);
                continue;
            };
            let next = named.len();
            match named.get_mut(&index) {
                Some((name, above)) => {
                    body.push_str(name);
                    kind.write_values(above, line, &mut body)?;
                    *above = line;
                }
                None => {
                    let name = name(next);
                    // Writing to a `String` cannot fail.
                    let _ = write!(body, "{OPEN}{name}{CLOSE} ");
                    kind.write_first(&mut body);
                    numbered |= kind.is_numbered();
                    named.insert(index, (name, line));
                }
            }
            body.push('\n');
        }
        body.pop();
        let numbered = if numbered { NUMBERED } else { "" };
        (!named.is_empty()).then(|| Form::headed(&format!("{BEFORE}{numbered}{AFTER}"), &body))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        let middle = header.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
        if !matches!(middle, "" | NUMBERED) {
            return None;
        }
        let mut text = String::with_capacity(body.len() * 2);
        let mut templates: HashMap<&str, Template<'_>> = HashMap::default();
        for line in each_line(body) {
            if let Some(first) = line.strip_prefix(OPEN) {
                let (name, first) = first.split_once("› ")?;
                let template = Template::read(first)?;
                template.write(&mut text);
                templates.insert(name, template);
            } else if let Some(other) = line.strip_prefix(OTHER) {
                text.push_str(other);
            } else if stands_as_it_is(line) {
                text.push_str(line);
            } else {
                let (name, values) = line
                    .split_once(' ')
                    .map_or((line, None), |(name, values)| (name, Some(values)));
                let template = templates.get_mut(name)?;
                template.fill(values)?;
                template.write(&mut text);
            }
            if text.len() > MAX_EXPANDED_BYTES {
                return None;
            }
            text.push('\n');
        }
        text.pop();
        Some(text)
    }
}

/// The line above of a kind, to be filled with the values of the next.
struct Template<'a> {
    start: &'a str,
    /// The values, and what stands behind each.
    fields: Vec<(&'a str, &'a str)>,
    numbered: bool,
}

impl<'a> Template<'a> {
    /// Reads the line that names a kind.
    fn read(first: &'a str) -> Option<Self> {
        let (start, rest) = first.split_once(OPEN).unwrap_or((first, ""));
        let is_field = start.len() < first.len();
        let fields = is_field.then(|| rest.split(OPEN).map(|field| field.split_once(CLOSE)));
        let mut fields: Vec<(&str, &str)> = fields.into_iter().flatten().collect::<Option<_>>()?;
        let numbered = fields.first().is_some_and(|(value, _)| value.contains('='));
        if numbered {
            for (value, _) in &mut fields {
                *value = value.split_once('=')?.1;
            }
        }
        Some(Self {
            start,
            fields,
            numbered,
        })
    }

    fn fill(&mut self, values: Option<&'a str>) -> Option<()> {
        let mut values = values.into_iter().flat_map(|values| values.split(' '));
        if self.numbered {
            for value in values {
                let (number, value) = value.split_once('=')?;
                let index = number.parse::<usize>().ok()?.checked_sub(1)?;
                self.fields.get_mut(index)?.0 = value;
            }
            return Some(());
        }
        for (field, _) in &mut self.fields {
            *field = values.next()?;
        }
        values.next().is_none().then_some(())
    }

    fn write(&self, text: &mut String) {
        text.push_str(self.start);
        for (value, behind) in &self.fields {
            text.extend([*value, *behind]);
        }
    }
}

/// The name of the kind that is named after so many others.
fn name(before: usize) -> String {
    let letter = |n: usize| char::from(b'A' + u8::try_from(n % LETTERS).unwrap_or_default());
    match before.checked_sub(LETTERS) {
        None => letter(before).to_string(),
        Some(n) => [letter(n / LETTERS), letter(n)].iter().collect(),
    }
}

/// Whether a line that is of no kind is told from the others without a mark.
fn stands_as_it_is(line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default();
    let like_a_name =
        matches!(word.len(), 1 | 2) && word.bytes().all(|byte| byte.is_ascii_uppercase());
    !like_a_name && !line.starts_with(OPEN) && !line.starts_with(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::testing::round_trip;

    /// The form's body behind three lines that make the text a log.
    fn body(text: &str) -> String {
        let times = "00:00:01 a\n00:00:02 b\n00:00:03 c\n";
        let form = round_trip(&Templates, &format!("{times}{text}")).unwrap();
        let body = form.split_once('\n').unwrap().1;
        body.strip_prefix(times).unwrap().to_owned()
    }

    #[test]
    fn lines_of_a_kind_say_what_differs() {
        let line = |segment: usize, ms: &str| {
            format!("INFO Rolled log segment for 'test-{segment}' in {ms} ms. (kafka.log.Log)\n")
        };
        let text = [
            line(4, "1.5"),
            line(1, "1.5"),
            "other\n".to_owned(),
            line(22, "0.25"),
        ]
        .concat();
        assert_eq!(
            body(&text),
            "‹A› INFO Rolled log segment for 'test-‹4›' in ‹1.5› ms. (kafka.log.Log)\nA 1 1.5\nother\nA 22 0.25\n"
        );
    }

    #[test]
    fn equal_lines_are_of_a_kind_without_fields() {
        let line = "INFO the very same line, which stands here again and again\n";
        assert_eq!(
            body(&format!("{line}other\n{line}")),
            format!("‹A› {line}other\nA\n")
        );
    }

    #[test]
    fn in_lines_of_many_fields_these_have_numbers() {
        let line = |third: usize, tenth: usize| {
            let value = |n: usize| match n {
                3 => third,
                10 => tenth,
                n => n * (third % 2),
            };
            let values: Vec<String> = (1..=10).map(|n| format!("(v {})", value(n))).collect();
            format!("INFO the state of it is now {}\n", values.join(" "))
        };
        let text = [line(1, 1), line(2, 5), line(4, 5), line(4, 7)].concat();
        let body = body(&text);
        assert!(
            body.starts_with("‹A› INFO the state of it is now (v ‹1=1›) (v ‹2=2›)"),
            "{body}"
        );
        assert!(body.ends_with("\nA 3=4\nA 10=7\n"), "{body}");
    }

    #[test]
    fn failures_stay_whole() {
        let text: String = (0..9).map(|n| format!("ERROR no connection to the host db-{n}, giving up\n    at some::module::function ({n})\n")).collect();
        let times = "00:00:01 a\n00:00:02 b\n00:00:03 c\n";
        assert_eq!(round_trip(&Templates, &format!("{times}{text}")), None);
    }

    #[test]
    fn lines_that_look_like_ours_are_marked() {
        let line = "INFO the very same line, which stands here again and again\n";
        assert_eq!(
            body(&format!("{line}{line}A 1\nOK\n= x\n‹A› y\nABC\n")),
            format!("‹A› {line}A\n= A 1\n= OK\n= = x\n= ‹A› y\nABC\n")
        );
    }

    #[test]
    fn what_is_no_log_is_left_alone() {
        let code: String = (0..99)
            .map(|n| format!("let value_{n} = compute({n}, &settings);\n"))
            .collect();
        assert_eq!(round_trip(&Templates, &code), None);
    }

    #[test]
    fn damaged_forms_are_refused() {
        let header = format!("{BEFORE}{AFTER}");
        for body in [
            "A",
            "‹A› a ‹b› c\nA",
            "‹A› a ‹b› c\nA 1 2",
            "‹A› a ‹b",
            "‹A› ‹1=b›\nA 2=x",
            "‹A› ‹1=b›\nA x",
        ] {
            assert_eq!(
                Templates.expand(&header, body, &Earlier::default()),
                None,
                "{body}"
            );
        }
    }

    #[test]
    fn kinds_have_different_names() {
        let names: std::collections::HashSet<String> = (0..MAX_KINDS).map(name).collect();
        assert_eq!(names.len(), MAX_KINDS);
        assert!(names.iter().all(|name| !stands_as_it_is(name)));
    }
}
