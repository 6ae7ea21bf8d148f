//! Forms of texts that have something around them: the text within gets the cheapest form, and what is around it stays.

use super::Context;
use super::form::Form;
use super::plans::{PLANS, Plan, cheapest};
use super::text::Text;
use super::wrapper::{self, Parts, Strings, Wrapped};

/// The form of a text that has something around it, given its parts, this deep within others.
pub(super) fn form_of_wrapped(
    text: &Text<'_>,
    parts: &Parts<'_>,
    context: Context<'_>,
    depth: usize,
) -> Option<Form> {
    let wrapped = Wrapped::of(parts);
    // Where a string is most of the text, there may still be others.
    if wrapped.as_ref().is_none_or(Wrapped::is_string)
        && let Some(strings) = Strings::of(parts)
    {
        return Some(form_of_strings(&strings, context, depth));
    }
    form_around(&wrapped?, text, context, depth)
}

fn form_around(
    wrapped: &Wrapped<'_>,
    whole: &Text<'_>,
    context: Context<'_>,
    depth: usize,
) -> Option<Form> {
    // What is on lines of its own gets the same from the other plans within the whole text.
    let plans = |inside: &Text<'_>| match (wrapped.is_string(), inside.without_numbers()) {
        (true, _) => &PLANS[..],
        (false, Some(_)) => {
            inside.cost_by(|| wrapped.cost_of_inside(whole));
            &PLANS[..3]
        }
        (false, None) => &PLANS[..2],
    };
    match form_within(&wrapped.inside, plans, context, depth) {
        Some(form) => Some(wrapped.around(&form)),
        None => wrapped.unescaped().map(Form::new),
    }
}

/// The form of JSON that holds a text in several strings, this deep within others.
fn form_of_strings(strings: &Strings<'_>, context: Context<'_>, depth: usize) -> Form {
    let inside = |content: &String| {
        let form = form_within(content, |_| &PLANS[..], context, depth);
        form.map_or_else(|| content.clone(), |form| form.text)
    };
    let insides: Vec<String> = strings.contents.iter().map(inside).collect();
    Form::new(strings.with(&insides))
}

/// The cheapest form of a text that is this deep within others, by these plans or as one that has something around it itself.
fn form_within(
    text: &str,
    plans: impl Fn(&Text<'_>) -> &'static [Plan],
    context: Context<'_>,
    depth: usize,
) -> Option<Form> {
    // First what is within it, so that the lines of one text at a time are in memory.
    let text = Text::new(text);
    let of_wrapped = || form_of_wrapped(&text, &Parts::of(text.json()), context, depth + 1);
    let deeper = (depth < wrapper::MAX_DEPTH).then(of_wrapped);
    let forms = [cheapest(plans(&text), &text, context), deeper.flatten()];
    forms
        .into_iter()
        .flatten()
        .filter(|form| form.cost < text.cost())
        .min_by_key(|form| form.cost)
}
