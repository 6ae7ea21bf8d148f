//! OpenAI's caches: the longest prefix, and prefixes that end at breakpoints.

use headroom_shared::contract::model::Model;
use headroom_shared::contract::usage::Usage;
use xxhash_rust::xxh3::xxh3_64;

use super::digest::chain;
use super::entries::{Entries, Moment};
use super::limits::{Generation, MOST_PLACES, MOST_WRITES, OPENAI_MINIMUM, STEP};
use super::message::{Block, Message, Speaker};
use super::request::Head;
use super::weight::Weight;

pub(super) fn serve(
    entries: (&mut Entries, Moment),
    model: &str,
    head: &Head,
    messages: &[&Message],
) -> Usage {
    let generation = Generation::of(model);
    let life = generation.life_ms(head.asks_for_a_day);
    let factor = Model::named(model).tokens_per_100_estimated;
    let start = xxh3_64(model.as_bytes());
    if generation == Generation::Breakpoints {
        Places::of(start, head, messages).serve(entries, factor, life, head.is_explicit)
    } else {
        longest_prefix(entries, start, (head, messages), (factor, life))
    }
}

/// The blocks of a message, with what it has besides its content before them.
fn blocks(message: &Message) -> impl Iterator<Item = &Block> {
    std::iter::once(&message.outside).chain(&message.blocks)
}

/// Models before GPT-5.6: a prefix can be read from wherever it begins to differ, down to the last step.
fn longest_prefix(
    (entries, at): (&mut Entries, Moment),
    start: u64,
    (head, messages): (&Head, &[&Message]),
    (factor, life): (u64, u64),
) -> Usage {
    let mut prefix = start;
    let (mut weight, mut steps, mut read) = (Weight::default(), 0, 0);
    let mut push = |hash: u64, added: Weight| {
        prefix = chain(prefix, hash);
        weight += added;
        let tokens = weight.of_model(factor);
        if tokens / STEP == steps {
            return;
        }
        steps = tokens / STEP;
        if tokens >= OPENAI_MINIMUM {
            if entries.is_readable(prefix, at) {
                read = steps * STEP;
            }
            entries.keep(prefix, at, life);
        }
    };
    for block in head
        .blocks()
        .chain(messages.iter().flat_map(|it| blocks(it)))
    {
        let pieces = block.pieces.iter();
        let in_pieces = pieces
            .clone()
            .fold(Weight::default(), |sum, it| sum + it.weight);
        push(block.digest.shape, block.weight - in_pieces);
        for piece in pieces {
            push(piece.hash, piece.weight);
        }
    }
    Usage {
        read,
        input: weight.of_model(factor),
        ..Usage::default()
    }
}

/// An end of a prefix that may be an entry's.
#[derive(Debug, Clone, Copy)]
struct Place {
    prefix: u64,
    weight: Weight,
    /// Whether the client marks it.
    is_marked: bool,
}

/// GPT-5.6 and later.
struct Places {
    /// All of them: where the client marks a part, and where a message of the user or a tool ends.
    all: Vec<Place>,
    /// The end of what stands before the conversation.
    instructions: Option<Place>,
    weight: Weight,
}

impl Places {
    fn of(start: u64, head: &Head, messages: &[&Message]) -> Self {
        let mut places = Self {
            all: Vec::with_capacity(messages.len()),
            instructions: None,
            weight: Weight::default(),
        };
        let mut prefix = start;
        let mut push = |places: &mut Self, block: &Block| {
            prefix = chain(prefix, block.digest.exact);
            places.weight += block.weight;
            let place = Place {
                prefix,
                weight: places.weight,
                is_marked: block.breakpoint,
            };
            if block.breakpoint {
                places.all.push(place);
            }
            place
        };
        let mut end = None;
        for block in head.blocks() {
            end = Some(push(&mut places, block));
        }
        for message in messages {
            if message.speaker != Speaker::Instructions && places.instructions.is_none() {
                places.instructions = end;
            }
            for block in blocks(message) {
                end = Some(push(&mut places, block));
            }
            if let (Speaker::User, Some(end)) = (message.speaker, end)
                && !end.is_marked
            {
                places.all.push(end);
            }
        }
        places
    }

    fn serve(
        &self,
        (entries, at): (&mut Entries, Moment),
        factor: u64,
        life: u64,
        is_explicit: bool,
    ) -> Usage {
        let tokens = |place: &Place| place.weight.of_model(factor);
        let is_long = |place: &&Place| tokens(place) >= OPENAI_MINIMUM;
        let instructions = self.instructions.iter().filter(|_| !is_explicit);
        let places = || {
            let all = self.all.iter().rev();
            all.filter(|place| place.is_marked || !is_explicit)
                .filter(is_long)
        };
        let hit = places()
            .take(MOST_PLACES)
            .chain(instructions.clone().filter(is_long))
            .find(|place| entries.is_readable(place.prefix, at));
        let read = hit.map_or(0, tokens);
        if let Some(hit) = hit {
            entries.keep(hit.prefix, at, life);
        }
        let implicit = places().take(1).filter(|_| !is_explicit);
        let marked = places().filter(|place| place.is_marked);
        let marked = marked.take(MOST_WRITES - usize::from(!is_explicit));
        let written = implicit
            .chain(marked)
            .chain(instructions.filter(is_long))
            .map(|place| {
                entries.keep(place.prefix, at, life);
                tokens(place)
            })
            .max();
        Usage {
            read,
            written: written.unwrap_or_default().saturating_sub(read),
            input: self.weight.of_model(factor),
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Format;
    use super::super::testing::{Session, words};
    use super::*;

    fn session(model: &'static str) -> Session {
        Session::new(Format::Chat, model, Head::assumed(1, 2000, 1, None))
    }

    fn says(role: &str, text: &str) -> Value {
        json!({"role": role, "content": text})
    }

    fn marked(role: &str, text: &str) -> Value {
        let mark = json!({"mode": "explicit"});
        json!({"role": role, "content": [{"type": "text", "text": text, "prompt_cache_breakpoint": mark}]})
    }

    #[test]
    fn earlier_models_read_the_longest_prefix_in_steps() {
        let mut session = session("gpt-5.4");
        let text = words("line", 1000);
        session.messages = vec![says("user", &text)];
        let first = session.serve();
        assert!(first.is_uncached());
        let again = session.serve();
        assert_eq!(again.read, first.input / 128 * 128);
        assert_eq!(again.written, 0, "writes are free");
        // It differs somewhere in the middle of a text.
        let half = text.replacen("line 500\n", "another\n", 1);
        session.messages = vec![says("user", &half), says("user", "more")];
        let shared = session.serve().read;
        assert_eq!(shared % 128, 0);
        let share = 2000 + (first.input - 2000) / 2;
        assert!(
            shared <= share && shared + 300 > share,
            "{shared} of {first:?}"
        );
    }

    #[test]
    fn earlier_models_keep_for_minutes_or_a_day() {
        for (model, day, life) in [
            ("gpt-4.1", false, 5),
            ("gpt-4.1", true, 24 * 60),
            ("gpt-5.5", false, 24 * 60),
        ] {
            let mut session = session(model);
            session.head.asks_for_a_day = day;
            session.messages = vec![says("user", "go")];
            session.serve();
            assert!(session.serve_after(life - 1).read > 0, "{model}");
            assert!(session.serve_after(life - 1).read > 0, "a read renews it");
            assert_eq!(session.serve_after(life).read, 0, "{model}");
        }
    }

    #[test]
    fn prefixes_below_1024_tokens_are_not_cached() {
        for model in ["gpt-5.4", "gpt-5.6"] {
            let head = Head::assumed(1, 1000, 1, None);
            let mut session = Session::new(Format::Chat, model, head);
            session.messages = vec![says("user", "go")];
            assert!(session.serve().is_uncached());
            assert!(session.serve().is_uncached(), "{model}");
        }
    }

    #[test]
    fn later_models_write_up_to_the_last_message_of_the_user_or_a_tool() {
        let mut session = session("gpt-5.6-sol");
        session.messages = vec![says("user", "go")];
        let first = session.serve();
        assert_eq!((first.read, first.written), (0, first.input));
        session.messages.push(says("assistant", "yes"));
        assert_eq!(session.serve().fresh(), session.serve().input - first.input);
        session.messages.push(says("tool", &words("output", 100)));
        let second = session.serve();
        assert_eq!((second.read, second.fresh()), (first.written, 0));
        assert_eq!(second.written, second.input - first.input);
        // No prefix that ends within a message is there.
        session.messages[2] = says("tool", &words("output", 99));
        assert_eq!(session.serve().read, first.written);
    }

    #[test]
    fn later_models_keep_what_stands_before_the_conversation() {
        let mut session = session("gpt-5.6");
        session.messages = vec![says("developer", "Be brief."), says("user", "one")];
        session.serve();
        session.messages[1] = says("user", "two");
        let other = session.serve();
        assert!((2000..2020).contains(&other.read), "{other:?}");
    }

    #[test]
    fn later_models_keep_for_half_an_hour() {
        let mut session = session("gpt-6.1-sol");
        session.head.asks_for_a_day = true;
        session.messages = vec![says("user", "go")];
        session.serve();
        assert!(session.serve_after(29).read > 0);
        assert_eq!(session.serve_after(30).read, 0);
    }

    #[test]
    fn only_breakpoints_of_the_client_count_where_it_says_so() {
        let mut session = session("gpt-5.6");
        session.head.is_explicit = true;
        session.messages = vec![says("user", "one"), says("user", "two")];
        session.serve();
        assert!(session.serve().is_uncached());
        session.messages[0] = marked("user", "one");
        let first = session.serve();
        assert!(first.written > 2000 && first.fresh() > 0, "{first:?}");
        session.messages[1] = says("user", "three");
        let second = session.serve();
        assert_eq!((second.read, second.written), (first.written, 0));
        // The marker has moved on: the entry is no place of this request any more.
        session.messages[0] = says("user", "one");
        session.messages[1] = marked("user", "three");
        assert_eq!(session.serve().read, 0);
    }

    #[test]
    fn a_request_writes_at_four_places() {
        let mut session = session("gpt-5.6");
        session.head.is_explicit = true;
        session.messages = (0..6).map(|at| marked("user", &at.to_string())).collect();
        session.serve();
        for (kept, is_read) in [(2, false), (3, true)] {
            let messages = session.messages[..kept].to_vec();
            let mut shorter = Session {
                messages,
                ..self::session("gpt-5.6")
            };
            shorter.head.is_explicit = true;
            shorter.cache = session.cache.clone();
            assert_eq!(shorter.serve().read > 0, is_read, "{kept}");
        }
    }

    #[test]
    fn a_part_and_a_string_are_the_same() {
        let mut session = session("gpt-5.6");
        session.messages = vec![marked("user", "one"), says("assistant", "ok")];
        let first = session.serve();
        session.messages[0] = says("user", "one");
        session.messages.push(says("user", "two"));
        assert_eq!(session.serve().read, first.written);
    }

    #[test]
    fn responses_have_items() {
        let mut session = session("gpt-5.6");
        session.format = Format::Responses;
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "done"});
        session.messages = vec![
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}),
            json!({"type": "reasoning", "summary": [], "encrypted_content": "x".repeat(1600)}),
            json!({"type": "function_call", "call_id": "c", "name": "run", "arguments": "{}"}),
            output,
        ];
        let first = session.serve();
        assert_eq!(first.written, first.input);
        assert!(first.input > 2300, "what is encrypted weighs something");
        session.messages[0] = says("user", "go");
        assert_eq!(session.serve().read, first.input);
    }
}
