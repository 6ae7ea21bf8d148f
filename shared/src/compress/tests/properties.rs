//! Property tests: every form expands to its original.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

use super::generators::{json_text, numbered_text, text, wrapped_text};
use super::layouts::{Printer, edited, ends, framed, printer, tree, with_empty_lines};
use super::source;
use crate::compress::form::{Form, escaped_len};
use crate::compress::plans::{COMPRESSORS, apply};
use crate::compress::size;
use crate::compress::testing::round_trip;
use crate::compress::text::Text;
use crate::compress::within::form_of_wrapped;
use crate::compress::wrapper::Parts;
use crate::compress::{
    Call, Context, Earlier, OPENING, PLANS, compress, expand, gives_back, json, split_header,
    with_header,
};

/// The form of a text, if it gets one, and that of the text repeated give them back.
fn check_forms(text: &str) -> Result<(), TestCaseError> {
    let earlier = Earlier::default();
    for text in [text.to_owned(), format!("{text}\n").repeat(8)] {
        if let Ok(form) = compress(source(&text), &earlier) {
            prop_assert!(gives_back(&form, source(&text), &earlier));
            prop_assert_eq!(&text, &expand(&form, &earlier).unwrap());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_compressor_comes_back(text in prop_oneof![text(), numbered_text(), json_text(), wrapped_text()]) {
        for compressor in COMPRESSORS {
            round_trip(compressor, &text);
        }
    }

    #[test]
    fn forms_expand_to_the_same(before in prop_oneof![text(), numbered_text(), json_text(), wrapped_text()], after in prop_oneof![text(), wrapped_text()], cut in 0..400_usize) {
        let mut earlier = Earlier::default();
        earlier.push(source(&after));
        earlier.push(source(&before));
        let input = serde_json::json!({"content": before}).to_string();
        earlier.push_call("Write", &input);
        let cut = (cut..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(0);
        for text in [before.clone(), format!("{after}{}{after}", &before[cut..]), format!("{}\n{after}", &before[..cut])] {
            let form = compress(source(&text), &earlier);
            let mut again = Earlier::default();
            again.push(source(&after));
            again.push(source(&before));
            again.push_call("Write", &input);
            prop_assert_eq!(&form, &compress(source(&text), &again));
            if let Ok(form) = form {
                prop_assert!(escaped_len(&form) < escaped_len(&text));
                prop_assert_eq!(&text, &expand(&form, &earlier).unwrap());
            }
            let call = Call::default();
            let context = Context { earlier: &earlier, call: &call };
            for plan in PLANS.iter().filter(|_| !text.contains(OPENING)) {
                if let Some(Form { text: form, cost, .. }) = apply(plan.compressors, &Text::new(&text), context) {
                    prop_assert_eq!(cost, size::cost(&form));
                    let expanded = expand(&form, &earlier).unwrap();
                    prop_assert!(text == expanded, "{text:?} {form:?} {expanded:?}");
                }
            }
            for compressor in COMPRESSORS {
                if let Some(Form { text: form, .. }) = compressor.form(&Text::new(&text), context) {
                    let (header, body) = split_header(&form).unwrap();
                    let expanded = compressor.expand(header, body, &earlier).unwrap();
                    prop_assert!(text == expanded, "{text:?} {form:?} {expanded:?}");
                }
            }
        }
    }

    /// Whatever programs write is known as JSON, and comes back to the letter.
    #[test]
    fn layouts_of_programs_come_back(tree in tree(), printer in printer(), ends in ends(), crlf: bool, empty in prop::collection::vec(0..100_usize, 0..4)) {
        let text = printer.print(&tree);
        let as_printed = framed(&text, ends, crlf);
        prop_assert!(round_trip(&json::Json, &as_printed).is_some(), "{printer:?} {text:?}");
        check_forms(&as_printed)?;
        let with_empty_lines = framed(&with_empty_lines(&text, &empty), ends, crlf);
        round_trip(&json::Json, &with_empty_lines);
        check_forms(&with_empty_lines)?;
    }

    #[test]
    fn records_on_lines_come_back(trees in prop::collection::vec(tree(), 2..8), printer in printer(), between in select(vec!["\n", "\n\n", " "]), ends in ends(), crlf: bool) {
        let records: Vec<String> = trees.iter().map(|tree| printer.print(tree)).collect();
        let text = framed(&records.join(between), ends, crlf);
        prop_assert!(round_trip(&json::Json, &text).is_some(), "{printer:?} {text:?}");
        check_forms(&text)?;
        // One record is written by another program.
        let mut mixed = records;
        mixed[0] = Printer::Jackson.print(&trees[0]);
        check_forms(&framed(&mixed.join(between), ends, crlf))?;
    }

    #[test]
    fn layouts_of_people_come_back(tree in tree(), printer in printer(), ends in ends(), edits in prop::collection::vec((0..2000_usize, select(vec!["", " ", "\n", "\n\n", "\t", "\r\n", "  "])), 1..6)) {
        let text = framed(&edited(&printer.print(&tree), &edits), ends, false);
        round_trip(&json::Json, &text);
        check_forms(&text)?;
    }

    #[test]
    fn wrapped_texts_come_back(text in wrapped_text(), again in wrapped_text(), cut in 0..400_usize) {
        check_forms(&text)?;
        let (whole, context) = (Text::new(&text), Context { earlier: &Earlier::default(), call: &Call::default() });
        if let Some(form) = form_of_wrapped(&whole, &Parts::of(whole.json()), context, 1) {
            prop_assert_eq!(form.cost, size::cost(&form.text));
        }
        let mut earlier = Earlier::default();
        earlier.push(source(&text));
        earlier.push(source(&again));
        let cut = (cut..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        for text in [&text, &again, &text[cut..], &text[..cut], &format!("{text}{again}")] {
            if let Ok(form) = compress(source(text), &earlier) {
                prop_assert!(escaped_len(&form) < escaped_len(text));
                prop_assert_eq!(text, &expand(&form, &earlier).unwrap());
            }
        }
    }

    #[test]
    fn expanding_anything_never_panics(text in text()) {
        let mut earlier = Earlier::default();
        earlier.push(source(&text));
        let _ = expand(&text, &earlier);
        let call = Call::default();
        let context = Context { earlier: &earlier, call: &call };
        for compressor in COMPRESSORS {
            if let Some(Form { text: form, .. }) = compressor.form(&Text::new(&text), context) {
                let (header, _) = split_header(&form).unwrap();
                let _ = expand(&with_header(header, &text), &earlier);
            }
        }
    }
}
