//! The plans: which compressors are applied to a text, and in which order.

use super::form::Form;
use super::text::Text;
use super::{
    Compressor, Context, diff, duplicate, json, line_numbers, log, prefixes, references, runs,
    search,
};

/// A way to make a text cheaper.
pub(super) struct Plan {
    /// In the order in which they are applied.
    pub(super) compressors: &'static [&'static dyn Compressor],
    /// Whether what paths begin with may be said once in the form.
    takes_prefixes: bool,
}

/// All plans. The first two are for texts that are of one kind as a whole, the third is for files with line numbers.
pub(super) const PLANS: [Plan; 5] = [
    Plan {
        compressors: &[&duplicate::Duplicate],
        takes_prefixes: false,
    },
    Plan {
        compressors: &[&json::Json],
        takes_prefixes: true,
    },
    Plan {
        compressors: &[&line_numbers::LineNumbers, &references::References],
        takes_prefixes: false,
    },
    Plan {
        compressors: &[
            &diff::Diff,
            &references::References,
            &search::Search,
            &runs::Runs,
        ],
        takes_prefixes: true,
    },
    Plan {
        compressors: &[&log::Times, &log::Templates],
        takes_prefixes: true,
    },
];

/// Every compressor, each once.
pub(super) const COMPRESSORS: [&dyn Compressor; 10] = [
    &duplicate::Duplicate,
    &diff::Diff,
    &json::Json,
    &line_numbers::LineNumbers,
    &references::References,
    &search::Search,
    &log::Times,
    &log::Templates,
    &runs::Runs,
    &prefixes::Prefixes,
];

/// The cheapest result of these plans, if any has one, with what its paths begin with said once if that is cheaper.
pub(super) fn cheapest(plans: &[Plan], text: &Text<'_>, context: Context<'_>) -> Option<Form> {
    let results = plans.iter().filter_map(|plan| {
        let form = apply(plan.compressors, text, context)?;
        Some((plan.takes_prefixes, form))
    });
    let best = results.min_by_key(|(_, form)| form.cost);
    let prefixes: &[&dyn Compressor] = &[&prefixes::Prefixes];
    match best {
        Some((true, form)) => {
            let shorter = apply(prefixes, &form.as_text(), context);
            shorter.or(Some(form))
        }
        Some((false, form)) => Some(form),
        None => apply(prefixes, text, context),
    }
}

/// Applies compressors one after the other. One that does not make the text cheaper is skipped.
pub(super) fn apply(
    compressors: &[&dyn Compressor],
    text: &Text<'_>,
    context: Context<'_>,
) -> Option<Form> {
    let (first, others) = compressors.split_first()?;
    if context.earlier.deadline.is_over() {
        return None;
    }
    let form = first.form(text, context);
    let Some(form) = form.filter(|form| form.cost < text.cost()) else {
        return apply(others, text, context);
    };
    if others.is_empty() {
        return Some(form);
    }
    let shorter = apply(others, &form.as_text(), context);
    shorter.or(Some(form))
}
