//! Shortens the times that lines of a log begin with to what differs from the line above.

use super::stamp::{self, Stamp};
use crate::compress::form::Form;
use crate::compress::text::Text;
use crate::compress::{Compressor, Context, Earlier, each_line, has_header, push_line};

const HEADER: &str = "log times shortened: \"# x\" is how lines below begin; a number before a line is the end of its time, from where it differs from the time above (\" = the same time); \"= \" stands before a line written whole";

const HEADING: &str = "# ";

const OTHER: &str = "= ";

const SAME: &str = "\"";

pub(in crate::compress) struct Times;

/// Whether a text is one in which [`Times`] shortened times.
pub(super) fn is_form(text: &str) -> bool {
    has_header(text, HEADER)
}

impl Compressor for Times {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let lines = text.lines();
        if !text.is_log(context.earlier.deadline) {
            return None;
        }
        let mut body = String::with_capacity(text.whole.len());
        let mut above: Option<Head<'_>> = None;
        let mut shortened = 0;
        for (at, line) in context.earlier.deadline.limit(lines.iter().enumerate()) {
            let head = Head::of(line);
            if let Some(head) = head {
                let end = match above.and_then(|above| head.end_below(above)) {
                    None if head.begins_a_group(lines.get(at + 1)) => {
                        push_line(&mut body, &[HEADING, head.text]);
                        Some(SAME)
                    }
                    end => end,
                };
                if let Some(end) = end {
                    push_line(&mut body, &[end, " ", &line[head.text.len()..]]);
                    above = Some(head);
                    shortened += 1;
                    continue;
                }
            }
            let mark = if stands_as_it_is(line) { "" } else { OTHER };
            push_line(&mut body, &[mark, line]);
        }
        body.pop();
        (shortened > 1).then(|| Form::headed(HEADER, &body))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        if header != HEADER {
            return None;
        }
        let mut text = String::with_capacity(body.len() * 2);
        let mut above: Option<(String, Stamp)> = None;
        for line in each_line(body) {
            if let Some(head) = line.strip_prefix(HEADING) {
                let stamp = stamp::find(head).filter(|stamp| stamp.end == head.len())?;
                above = Some((head.to_owned(), stamp));
            } else if let Some(other) = line.strip_prefix(OTHER) {
                push_line(&mut text, &[other]);
            } else if stands_as_it_is(line) {
                push_line(&mut text, &[line]);
            } else {
                let (head, stamp) = above.as_mut()?;
                let (end, rest) = line.split_once(' ')?;
                if end != SAME {
                    let start = stamp.time_end.checked_sub(end.len())?;
                    head.get(start..stamp.time_end)?;
                    head.replace_range(start..stamp.time_end, end);
                }
                push_line(&mut text, &[head, rest]);
            }
        }
        text.pop();
        Some(text)
    }
}

/// What a line begins with, up to the word behind its time.
#[derive(Debug, Clone, Copy)]
struct Head<'a> {
    text: &'a str,
    time_end: usize,
}

impl<'a> Head<'a> {
    fn of(line: &'a str) -> Option<Self> {
        stamp::find(line).map(|stamp| Self {
            text: &line[..stamp.end],
            time_end: stamp.time_end,
        })
    }

    /// The end of the time from where it differs from the line above, in whole numbers; `None` where more differs.
    fn end_below(self, above: Self) -> Option<&'a str> {
        let (own, other) = (self.text.as_bytes(), above.text.as_bytes());
        let same_shape = own.len() == other.len() && self.time_end == above.time_end;
        if !same_shape || own[self.time_end..] != other[self.time_end..] {
            return None;
        }
        let pairs = own.iter().zip(other);
        let Some(differs) = pairs.into_iter().position(|(a, b)| a != b) else {
            return Some(SAME);
        };
        let number = own[..differs]
            .iter()
            .rposition(|byte| !byte.is_ascii_digit());
        let end = self
            .text
            .get(number.map_or(0, |at| at + 1)..self.time_end)?;
        let is_time = end.starts_with(|c: char| c.is_ascii_digit()) && !end.contains([' ', '\t']);
        is_time.then_some(end)
    }

    /// Whether the next line begins alike, so that it pays to say how.
    fn begins_a_group(self, next: Option<&&str>) -> bool {
        let next = next.and_then(|line| Head::of(line));
        next.is_some_and(|next| next.end_below(self).is_some())
    }
}

/// Whether a line that is not shortened is told from the others without a mark.
fn stands_as_it_is(line: &str) -> bool {
    let like_a_time = line.starts_with(|c: char| c.is_ascii_digit()) || line.starts_with(SAME);
    !like_a_time && !line.starts_with(HEADING) && !line.starts_with(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::testing::round_trip;

    fn body(text: &str) -> String {
        let form = round_trip(&Times, text).unwrap();
        form.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn a_time_says_only_what_differs() {
        assert_eq!(
            body(
                "[2016-12-19 16:31:47,437] a\n[2016-12-19 16:31:47,437] b\n[2016-12-19 16:31:47,440] c\n[2016-12-19 16:32:01,002] d\n"
            ),
            "# [2016-12-19 16:31:47,437] \n\" a\n\" b\n440 c\n32:01,002 d\n"
        );
    }

    #[test]
    fn another_beginning_is_said_anew() {
        assert_eq!(
            body(
                "t\tA\t2026-02-18T08:06:25.209Z a\nt\tA\t2026-02-18T08:06:25.210Z b\nt\tBuild\t2026-02-18T08:06:25.211Z c\nt\tBuild\t2026-02-19T08:06:25.211Z d"
            ),
            "# t\tA\t2026-02-18T08:06:25.209Z \n\" a\n210 b\n# t\tBuild\t2026-02-18T08:06:25.211Z \n\" c\n19T08:06:25.211 d"
        );
    }

    #[test]
    fn other_lines_stay_and_are_marked_where_they_must() {
        assert_eq!(
            body(
                "00:00:01 a\n  at x\n12 y\n\"z\n# h\n= e\n00:00:01 b\n00:00:02 \n1:00:03 c\n00:00:04"
            ),
            "= 00:00:01 a\n  at x\n= 12 y\n= \"z\n= # h\n= = e\n# 00:00:01 \n\" b\n02 \n= 1:00:03 c\n= 00:00:04"
        );
    }

    #[test]
    fn what_is_no_log_is_left_alone() {
        assert_eq!(round_trip(&Times, "00:00:01 a\n00:00:02 b"), None);
        let code = "x\n".repeat(200);
        assert_eq!(
            round_trip(&Times, &format!("{code}00:00:01 a\n00:00:02 b\n00:00:03 c")),
            None
        );
    }

    #[test]
    fn damaged_forms_are_refused() {
        let expand = |body| Times.expand(HEADER, body, &Earlier::default());
        for body in [
            "1 a",
            "# x\n1 a",
            "# 00:00:01 x\n1 a",
            "# 00:00:01 \n2",
            "# 00:00:01 \n000000000 x",
            "# é00:00:01 \n000000000 x",
        ] {
            assert_eq!(expand(body), None, "{body}");
        }
    }
}
