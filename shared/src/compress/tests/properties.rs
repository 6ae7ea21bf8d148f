//! Property tests: every form expands to its original.

use proptest::prelude::*;

use super::generators::{json_text, numbered_text, text};
use super::source;
use crate::compress::size::{Costed, escaped_len};
use crate::compress::testing::round_trip;
use crate::compress::{
    COMPRESSORS, Earlier, OPENING, PLANS, apply, compress, equivalent, expand, split_header,
    with_header,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_compressor_comes_back(text in prop_oneof![text(), numbered_text(), json_text()]) {
        for compressor in COMPRESSORS {
            round_trip(compressor, &text);
        }
    }

    #[test]
    fn forms_expand_to_the_same(before in prop_oneof![text(), numbered_text(), json_text()], after in text(), cut in 0..400_usize) {
        let mut earlier = Earlier::default();
        earlier.push(source(&after));
        earlier.push(source(&before));
        let cut = (cut..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(0);
        for text in [before.clone(), format!("{after}{}{after}", &before[cut..]), format!("{}\n{after}", &before[..cut])] {
            let form = compress(source(&text), &earlier);
            let mut again = Earlier::default();
            again.push(source(&after));
            again.push(source(&before));
            prop_assert_eq!(&form, &compress(source(&text), &again));
            if let Ok(form) = form {
                prop_assert!(escaped_len(&form) < escaped_len(&text));
                prop_assert_eq!(&text, &expand(&form, &earlier).unwrap());
            }
            for plan in PLANS.iter().filter(|_| !text.contains(OPENING)) {
                if let Some(Costed { text: form, .. }) = apply(plan, &Costed::new(&text), &earlier) {
                    let expanded = expand(&form, &earlier).unwrap();
                    prop_assert!(equivalent(&text, &expanded), "{text:?} {form:?} {expanded:?}");
                }
            }
            for compressor in COMPRESSORS {
                if let Some(form) = compressor.compress(&text, &earlier) {
                    let (header, body) = split_header(&form).unwrap();
                    let expanded = compressor.expand(header, body, &earlier).unwrap();
                    prop_assert!(equivalent(&text, &expanded), "{text:?} {form:?} {expanded:?}");
                }
            }
        }
    }

    #[test]
    fn expanding_anything_never_panics(text in text()) {
        let mut earlier = Earlier::default();
        earlier.push(source(&text));
        let _ = expand(&text, &earlier);
        for compressor in COMPRESSORS {
            if let Some(form) = compressor.compress(&text, &Earlier::default()) {
                let (header, _) = split_header(&form).unwrap();
                let _ = expand(&with_header(header, &text), &earlier);
            }
        }
    }
}
