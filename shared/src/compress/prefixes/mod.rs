//! Says once what many paths and addresses of a text begin with, and writes a sign for it.
//!
//! ```text
//! [headroom: § = https://api.github.com/repos/some/project]
//! {"url":"§/pulls/1","comments_url":"§/issues/1/comments"}
//! ```
//!
//! A beginning ends before a slash. What a file holds is left as it is, and so are differences between files: an agent quotes them to the
//! letter.

pub(super) mod find;
mod paths;

use std::borrow::Cow;

use super::form::Form;
use super::text::Text;
use super::{Compressor, Context, Earlier, MAX_EXPANDED_BYTES};
use find::{SIGNS, places};

const IS: &str = " = ";
const NEXT: &str = ", ";

pub(super) struct Prefixes;

impl Compressor for Prefixes {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let found = text.prefixes(context)?;
        let mut body = String::with_capacity(text.whole.len());
        for line in context.earlier.deadline.limit(text.lines()) {
            found.write(&mut body, line);
            body.push('\n');
        }
        body.pop();
        let said = found.iter();
        let said: Vec<String> = said
            .map(|(sign, prefix)| format!("{sign}{IS}{prefix}"))
            .collect();
        Some(Form::headed(&said.join(NEXT), &body))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        let mut text = Cow::Borrowed(body);
        for said in header.split(NEXT) {
            let (sign, prefix) = said.split_once(IS)?;
            let sign = SIGNS.into_iter().find(|known| sign == known.to_string())?;
            text = Cow::Owned(with_prefix(&text, sign, prefix)?);
        }
        Some(text.into_owned())
    }
}

/// The text with the prefix in place of its sign.
fn with_prefix(text: &str, sign: char, prefix: &str) -> Option<String> {
    let added = places(text, sign).count().checked_mul(prefix.len())?;
    if text.len().checked_add(added)? > MAX_EXPANDED_BYTES {
        return None;
    }
    let mut expanded = String::with_capacity(text.len() + added);
    let mut written = 0;
    for at in places(text, sign) {
        expanded.push_str(&text[written..at]);
        expanded.push_str(prefix);
        written = at + sign.len_utf8();
    }
    expanded.push_str(&text[written..]);
    Some(expanded)
}

/// Which lines of a text its form would hold with a sign in them; `None` where it has no form.
pub(super) fn hidden(text: &Text<'_>, context: Context<'_>) -> Option<Vec<bool>> {
    let found = text.prefixes(context)?;
    Some(text.lines().iter().map(|line| found.are_in(line)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::testing::round_trip;

    fn form(text: &str) -> String {
        round_trip(&Prefixes, text).unwrap()
    }

    #[test]
    fn what_addresses_begin_with_is_said_once() {
        let link = |n: usize| {
            format!("\"url_{n}\":\"https://api.example.com/repos/some/project/pulls/{n}\"")
        };
        let links: Vec<String> = (0..9).map(link).collect();
        let form = form(&format!("{{{}}}", links.join(",")));
        assert!(
            form.starts_with("[headroom: § = https://api.example.com/repos/some/project/pulls]\n{\"url_0\":\"§/0\","),
            "{form}"
        );
    }

    #[test]
    fn several_beginnings_have_signs_of_their_own() {
        let line = |n: usize| {
            format!("/srv/work/app/src/{n}.rs needs /usr/share/lib/things/{n}/data, not src/{n}\n")
        };
        let form = form(&(0..9).map(line).collect::<String>());
        let header = form.lines().next().unwrap();
        assert!(
            header.contains("= /srv/work/app/src") && header.contains("= /usr/share/lib/things"),
            "{header}"
        );
        assert!(
            form.contains("/0.rs needs ") && form.ends_with("/8/data, not src/8\n"),
            "{form}"
        );
    }

    #[test]
    fn a_sign_that_stands_in_the_text_is_not_used() {
        let line = |n: usize| format!("§ {n}: /srv/work/app/src/{n}.rs\n");
        let form = form(&(0..9).map(line).collect::<String>());
        assert!(
            form.starts_with("[headroom: ¶ = /srv/work/app/src]\n§ 0: ¶/0.rs\n"),
            "{form}"
        );
        let all: String = SIGNS.iter().collect();
        let line = |n: usize| format!("{all} {n}: /srv/work/app/src/{n}.rs\n");
        assert_eq!(
            round_trip(&Prefixes, &(0..9).map(line).collect::<String>()),
            None
        );
    }

    #[test]
    fn what_saves_nothing_is_left() {
        for text in [
            "",
            "/",
            "a/b\na/b\n",
            "/srv/work/app/src/a\n/srv/work/app/src/b",
            "no path at all\n",
        ] {
            assert_eq!(round_trip(&Prefixes, text), None, "{text}");
        }
        let line = |n: usize| format!("+use /srv/work/app/src/{n}.rs\n");
        for hunk in ["@@ -1,9 +1,9 @@", "@@ +1"] {
            let difference = format!("{hunk}\n{}", (0..9).map(line).collect::<String>());
            assert_eq!(round_trip(&Prefixes, &difference), None);
        }
    }

    #[test]
    fn a_damaged_form_expands_to_nothing() {
        let expand = |header: &str| Prefixes.expand(header, "§/a", &Earlier::default());
        assert_eq!(expand("§ = /srv").as_deref(), Some("/srv/a"));
        assert_eq!(expand("§ /srv"), None);
        assert_eq!(expand("x = /srv"), None);
    }
}
