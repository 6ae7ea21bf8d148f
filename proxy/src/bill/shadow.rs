//! What a request would have taken in the originals: the direct request, had the client sent it without the proxy.

use headroom_shared::contract::model::Model;
use headroom_shared::contract::usage::Usage;

/// Bytes of a body's text that a token may be. Outside of that the body is not what was counted: it holds images, or only the end of a
/// conversation whose beginning the provider has.
const SANE_BYTES_PER_TOKEN: std::ops::RangeInclusive<f64> = 1.5..=6.0;

/// So many tokens at the end of what was sent before need not be read: two of the steps in which OpenAI caches (`docs/providers.md`).
const STEPS: f64 = 256.0;
/// By this part of the input the place of a token may be off.
const INEXACT: f64 = 0.02;

/// The shortest prefix that is cached has at most so many tokens, on any model (`docs/providers.md`).
const LONGEST_MINIMUM: f64 = 4096.0;

/// A block that went out in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// Bytes of text in the request, as it was sent, that the provider reads before it.
    pub(crate) at: usize,
    /// Bytes of its form.
    pub(crate) form: usize,
    /// Tokens that its text as the client sent it has more than its form, about.
    pub(crate) saved: u64,
    /// Whether no request before held it, so that no cache does.
    pub(crate) is_new: bool,
}

/// A request as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SentText {
    /// Bytes of its text.
    pub(crate) bytes: usize,
    /// The blocks in it that went out in forms, in order.
    pub(crate) replaced: Vec<Replaced>,
    /// Bytes of text, at its beginning, that were sent before; `None` where that is not known.
    pub(crate) known: Option<usize>,
    /// Whether some of these went out otherwise than before while the provider may have had them in its cache: the direct request would have
    /// read them. Where not, the cache of the direct request holds what that of this one does.
    pub(crate) changed_warm: bool,
}

/// Tokens of a request's input by what was done with them.
#[derive(Debug, Clone, Copy, Default)]
struct Input {
    read: f64,
    written: f64,
    /// How much of that for an hour.
    written_hour: f64,
    fresh: f64,
}

/// The usage of the direct request, where that of the request that was sent is known: what a form saved counts as read, written or fresh,
/// whichever the block was. The output is the same.
pub(crate) fn usage(usage: Usage, sent: &SentText, model: Model) -> Usage {
    if sent.replaced.is_empty() && !sent.changed_warm {
        return usage;
    }
    let tokens = Tokens::new(usage, sent.bytes, model);
    let known = sent.known.map(|known| tokens.before(known));
    // With its forms what was sent before may be too short to be cached, and in the originals long enough.
    let is_short = usage.read == 0
        && known.is_some_and(|known| known < LONGEST_MINIMUM)
        && sent.replaced.iter().any(|block| !block.is_new);
    let reads_known = sent.changed_warm || is_short;
    let mut input = tokens.reading(known.filter(|_| reads_known).unwrap_or(0.0));
    let all_known_read = reads_known || known.is_some_and(|known| tokens.were_read(known));
    for block in &sent.replaced {
        let saved = block.saved as f64;
        let is_read =
            !block.is_new && (all_known_read || tokens.before(block.at) < usage.read as f64);
        let shares = if is_read {
            Input {
                read: 1.0,
                ..Input::default()
            }
        } else {
            tokens.shares_of_unread(block)
        };
        input.read += saved * shares.read;
        input.written += saved * shares.written;
        if tokens.is_for_an_hour(block) {
            input.written_hour += saved * shares.written;
        }
        input.fresh += saved * shares.fresh;
    }
    let count = |tokens: f64| tokens.max(0.0).round() as u64;
    let (read, written, fresh) = (count(input.read), count(input.written), count(input.fresh));
    let written_hour = count(input.written_hour).min(written);
    Usage {
        read,
        written,
        written_hour,
        input: read.saturating_add(written).saturating_add(fresh),
        output: usage.output,
    }
}

/// Where in a request its tokens are.
struct Tokens {
    usage: Usage,
    bytes: usize,
    bytes_per_token: f64,
}

impl Tokens {
    fn new(usage: Usage, bytes: usize, model: Model) -> Self {
        let stated = bytes as f64 / usage.input as f64;
        let bytes_per_token = if SANE_BYTES_PER_TOKEN.contains(&stated) {
            stated
        } else {
            model.bytes_per_100_tokens as f64 / 100.0
        };
        Self {
            usage,
            bytes,
            bytes_per_token,
        }
    }

    fn of(&self, bytes: usize) -> f64 {
        bytes as f64 / self.bytes_per_token
    }

    /// How many tokens stand before this position. They are counted from the end, because the beginning may be the provider's.
    fn before(&self, at: usize) -> f64 {
        let behind = self.of(self.bytes.saturating_sub(at));
        (self.usage.input as f64 - behind).max(0.0)
    }

    /// Whether these first tokens, which were sent before, were read: providers cache in steps, and tokens are only estimated.
    fn were_read(&self, tokens: f64) -> bool {
        let (read, input) = (self.usage.read as f64, self.usage.input as f64);
        read > 0.0 && tokens <= read + STEPS + input * INEXACT
    }

    /// Whether a block that was written is kept for an hour: what is kept longer stands before what is not.
    fn is_for_an_hour(&self, block: &Replaced) -> bool {
        let Usage {
            read, written_hour, ..
        } = self.usage;
        self.before(block.at) < read.saturating_add(written_hour) as f64
    }

    /// The input as it was, but with at least so many tokens read.
    fn reading(&self, least: f64) -> Input {
        let Usage { read, written, .. } = self.usage;
        let (read, written, fresh) = (read as f64, written as f64, self.usage.fresh() as f64);
        let from_written = (least - read).clamp(0.0, written);
        let from_fresh = (least - read - from_written).clamp(0.0, fresh);
        Input {
            read: read + from_written + from_fresh,
            written: written - from_written,
            written_hour: (self.usage.written_hour as f64 - from_written).max(0.0),
            fresh: fresh - from_fresh,
        }
    }

    /// Which part of a form that was not read was written, and which fresh: first `read` tokens are read, then `written` are written.
    fn shares_of_unread(&self, block: &Replaced) -> Input {
        let read = self.usage.read as f64;
        let cached = read + self.usage.written as f64;
        let start = self.before(block.at).max(read);
        let end = self.before(block.at + block.form).max(read);
        let written = if end > start {
            (end.min(cached) - start).max(0.0) / (end - start)
        } else {
            f64::from(u8::from(start < cached))
        };
        Input {
            written,
            fresh: 1.0 - written,
            ..Input::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(read: u64, written: u64, input: u64) -> Usage {
        Usage {
            read,
            written,
            written_hour: 0,
            input,
            output: 7,
        }
    }

    /// A block of so many bytes, three a token, and its form.
    fn block(at: usize, original: usize, form: usize) -> Replaced {
        Replaced {
            at,
            form,
            saved: (original - form) as u64 / 3,
            is_new: false,
        }
    }

    /// 3,000 bytes that were 1,000 tokens, with these blocks.
    fn sent(replaced: Vec<Replaced>) -> SentText {
        SentText {
            bytes: 3000,
            replaced,
            known: None,
            changed_warm: false,
        }
    }

    fn shadow(stated: Usage, sent: &SentText) -> [u64; 4] {
        let it = usage(stated, sent, Model::default());
        assert_eq!(it.output, stated.output);
        [it.read, it.written, it.fresh(), it.input]
    }

    #[test]
    fn without_forms_it_is_what_was_stated() {
        let stated = counted(10, 20, 40);
        assert_eq!(usage(stated, &sent(vec![]), Model::default()), stated);
    }

    #[test]
    fn what_a_form_saved_is_of_the_form_s_kind() {
        let stated = counted(400, 500, 1000);
        let of = |at| shadow(stated, &sent(vec![block(at, 600, 300)]));
        assert_eq!(of(300), [500, 500, 100, 1100]);
        assert_eq!(of(1500), [400, 600, 100, 1100]);
        assert_eq!(of(2700), [400, 500, 200, 1100]);
        // Across the end of what was read: providers read in steps. And across the end of what was written.
        assert_eq!(of(1050), [500, 500, 100, 1100]);
        assert_eq!(of(2550), [400, 550, 150, 1100]);
        // An empty form.
        let empty = sent(vec![block(1500, 300, 0)]);
        assert_eq!(shadow(stated, &empty), [400, 600, 100, 1100]);
    }

    #[test]
    fn a_new_block_was_not_read() {
        let new = Replaced {
            is_new: true,
            ..block(900, 600, 300)
        };
        let stated = counted(400, 600, 1000);
        assert_eq!(shadow(stated, &sent(vec![new])), [400, 700, 0, 1100]);
    }

    #[test]
    fn a_short_form_at_the_end_of_what_was_sent_before_is_read_although_its_step_was_not() {
        let stated = counted(640, 0, 1000);
        let known = SentText {
            known: Some(2250),
            ..sent(vec![block(2100, 3000, 150)])
        };
        assert_eq!(shadow(stated, &known), [1590, 0, 360, 1950]);
        // Far more of it was not read.
        let lost = counted(128, 0, 1000);
        assert_eq!(shadow(lost, &known), [128, 0, 1822, 1950]);
    }

    #[test]
    fn forms_that_are_too_short_to_be_cached_may_be_of_originals_that_are_not() {
        let known = SentText {
            known: Some(2250),
            ..sent(vec![block(1500, 3000, 150)])
        };
        assert_eq!(shadow(counted(0, 0, 1000), &known), [1700, 0, 250, 1950]);
        let long = SentText {
            bytes: 30_000,
            known: Some(22_500),
            ..known
        };
        assert_eq!(shadow(counted(0, 0, 10_000), &long), [0, 0, 10_950, 10_950]);
    }

    #[test]
    fn what_is_written_for_an_hour_stands_before_the_rest() {
        let mut stated = counted(0, 1000, 1000);
        stated.written_hour = 500;
        let at = |at| usage(stated, &sent(vec![block(at, 600, 0)]), Model::default());
        let [first, last] = [at(0), at(2400)].map(|it| (it.written, it.written_hour));
        assert_eq!((first, last), ((1200, 700), (1200, 500)));
    }

    #[test]
    fn what_was_lost_would_have_been_read_directly() {
        let lost = SentText {
            known: Some(2400),
            changed_warm: true,
            ..sent(vec![])
        };
        assert_eq!(shadow(counted(0, 1000, 1000), &lost), [800, 200, 0, 1000]);
    }

    #[test]
    fn after_a_landing_the_direct_request_would_have_read_what_was_warm() {
        let stated = counted(100, 800, 1000);
        let new = Replaced {
            is_new: true,
            ..block(2400, 600, 300)
        };
        let landed = SentText {
            known: Some(2400),
            changed_warm: true,
            ..sent(vec![block(300, 1200, 300), new])
        };
        assert_eq!(shadow(stated, &landed), [1100, 200, 100, 1400]);
        let cold = SentText {
            changed_warm: false,
            ..landed
        };
        assert_eq!(shadow(stated, &cold), [100, 1200, 100, 1400]);
    }

    #[test]
    fn a_body_that_is_not_all_of_the_input_is_counted_from_its_end() {
        // The provider has the conversation's beginning; a token is 2.85 bytes of what is not known.
        let stated = counted(99_000, 0, 100_000);
        let delta = SentText {
            bytes: 2850,
            replaced: vec![block(0, 3450, 2850)],
            ..SentText::default()
        };
        assert_eq!(shadow(stated, &delta), [99_000, 0, 1200, 100_200]);
        // With an image of a million bytes.
        let image = SentText {
            bytes: 1_000_000,
            replaced: vec![block(997_150, 3450, 2850)],
            ..SentText::default()
        };
        assert_eq!(shadow(counted(0, 0, 4000), &image), [0, 0, 4200, 4200]);
    }

    #[test]
    fn no_figures_are_too_strange() {
        let strange = [
            (counted(0, 0, 0), sent(vec![block(0, 10, 5)])),
            (
                counted(u64::MAX / 4, 5, 1),
                sent(vec![block(usize::MAX / 2, 9000, 9000)]),
            ),
            (counted(0, 0, u64::MAX), sent(vec![block(0, usize::MAX, 0)])),
        ];
        for (stated, sent) in strange {
            let it = usage(stated, &sent, Model::default());
            assert!(it.written_hour <= it.written, "{it:?}");
        }
    }
}
