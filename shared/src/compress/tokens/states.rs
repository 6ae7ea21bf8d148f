//! The states of the automaton, and what each class of byte makes of them.

/// Classes of bytes.
pub(super) const CLASSES: usize = 20;

const VOWEL: usize = 0;
const CONSONANT: usize = 1;
/// The consonants that names of things have more often than English: `j k q v w x y z`.
const RARE_CONSONANT: usize = 2;
const UPPER: usize = 3;
const DIGIT: usize = 4;
const SPACE: usize = 5;
const BREAK: usize = 6;
const TAB: usize = 7;
const UNDERSCORE: usize = 8;
const DASH: usize = 9;
const DOT: usize = 10;
const SLASH: usize = 11;
const QUOTE: usize = 12;
const BRACKET: usize = 13;
const SIGN: usize = 14;
/// Begins a character of two bytes.
const TWO_BYTES: usize = 15;
/// Begins a character from U+2000 to U+2FFF: dashes, arrows, lines of boxes.
const SYMBOL: usize = 16;
/// Begins another character of three bytes.
const THREE_BYTES: usize = 17;
const FOUR_BYTES: usize = 18;
/// Any but the first byte of a character.
pub(super) const CONTINUATION: usize = 19;

pub(super) static CLASS_OF: [u8; 256] = class_of();

const fn class_of() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8) as u8;
        byte += 1;
    }
    classes
}

const fn class(byte: u8) -> usize {
    match byte {
        b'a' | b'e' | b'i' | b'o' | b'u' => VOWEL,
        b'j' | b'k' | b'q' | b'v'..=b'z' => RARE_CONSONANT,
        b'a'..=b'z' => CONSONANT,
        b'A'..=b'Z' => UPPER,
        b'0'..=b'9' => DIGIT,
        b' ' => SPACE,
        b'\n' | b'\r' => BREAK,
        b'\t' => TAB,
        b'_' => UNDERSCORE,
        b'-' => DASH,
        b'.' => DOT,
        b'/' => SLASH,
        b'"' | b'\'' | b'`' => QUOTE,
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' => BRACKET,
        0x00..=0x7f => SIGN,
        0x80..=0xbf => CONTINUATION,
        0xc0..=0xdf => TWO_BYTES,
        0xe2 => SYMBOL,
        0xe0..=0xef => THREE_BYTES,
        0xf0..=0xff => FOUR_BYTES,
    }
}

/// The state at the beginning of a line, and of a text: a line costs the same whatever stands before it.
pub(super) const LINE_START: u8 = 0;

/// Kinds of runs. A state is a kind's first state and, counted from 0, how long the run is, up to the kind's last state.
const TABS: u8 = 1;
const SPACES: u8 = 3;
/// Digits, in groups of three.
const DIGITS: u8 = 6;
/// The same after a letter, as in hashes.
const DIGITS_IN_WORD: u8 = 9;
const UPPERS: u8 = 12;
const UPPERS_AFTER_SPACE: u8 = 17;
/// Words, by what their last letter is: first those that end in a consonant, then, [`WORD`] further on, those that end in a vowel.
const WORDS: u8 = 22;
const WORDS_AFTER_SPACE: u8 = WORDS + 2 * WORD;
/// Letters after a digit, as in hashes; in the same two halves.
const HEX: u8 = WORDS_AFTER_SPACE + 2 * WORD;
const SIGN_AFTER_SPACE: u8 = HEX + 2 * HEX_WORD;
/// Two states for each class of sign from [`UNDERSCORE`] to [`SIGN`], the last sign of the run: a first sign, or a later one.
const SIGNS: u8 = SIGN_AFTER_SPACE + 1;
/// One state for each class of character beyond ASCII, however many.
const CHARACTERS: u8 = SIGNS + 2 * (TWO_BYTES - UNDERSCORE) as u8;

/// How many states a half of each kind of word has.
const WORD: u8 = 7;
const HEX_WORD: u8 = 4;

/// How many states there are.
pub(super) const STATES: usize = CHARACTERS as usize + CONTINUATION - TWO_BYTES;

/// The state after a byte of a class.
pub(super) const fn next(state: u8, class: usize) -> u8 {
    match class {
        VOWEL => after_letter(state, true),
        CONSONANT | RARE_CONSONANT => after_letter(state, false),
        UPPER if is_upper(state) => longer(state, kind_of_upper(state), 5),
        UPPER if is_space(state) => UPPERS_AFTER_SPACE,
        UPPER => UPPERS,
        DIGIT if state >= DIGITS && state < UPPERS => {
            let kind = if state < DIGITS_IN_WORD {
                DIGITS
            } else {
                DIGITS_IN_WORD
            };
            kind + (state - kind + 1) % 3
        }
        DIGIT if state >= WORDS && state < SIGN_AFTER_SPACE => DIGITS_IN_WORD,
        DIGIT => DIGITS,
        SPACE if is_space(state) => longer(state, SPACES, 3),
        SPACE => SPACES,
        BREAK => LINE_START,
        TAB if state >= TABS && state < SPACES => longer(state, TABS, 2),
        TAB => TABS,
        UNDERSCORE..=SIGN => {
            let sign = SIGNS + 2 * (class - UNDERSCORE) as u8;
            if state >= SIGN_AFTER_SPACE && state < CHARACTERS {
                sign + 1
            } else if is_space(state) {
                SIGN_AFTER_SPACE
            } else {
                sign
            }
        }
        TWO_BYTES..=FOUR_BYTES => CHARACTERS + (class - TWO_BYTES) as u8,
        _ => state,
    }
}

const fn after_letter(state: u8, is_vowel: bool) -> u8 {
    let (kind, half, length) = if state >= HEX && state < SIGN_AFTER_SPACE {
        (HEX, HEX_WORD, (state - HEX) % HEX_WORD + 1)
    } else if state >= DIGITS && state < UPPERS {
        (HEX, HEX_WORD, 0)
    } else if state >= WORDS_AFTER_SPACE && state < HEX {
        (
            WORDS_AFTER_SPACE,
            WORD,
            (state - WORDS_AFTER_SPACE) % WORD + 1,
        )
    } else if state >= WORDS && state < WORDS_AFTER_SPACE {
        (WORDS, WORD, (state - WORDS) % WORD + 1)
    } else if state >= UPPERS_AFTER_SPACE && state < WORDS {
        (WORDS_AFTER_SPACE, WORD, state - UPPERS_AFTER_SPACE + 1)
    } else if state >= UPPERS && state < UPPERS_AFTER_SPACE {
        (WORDS, WORD, state - UPPERS + 1)
    } else if is_space(state) {
        (WORDS_AFTER_SPACE, WORD, 0)
    } else {
        (WORDS, WORD, 0)
    };
    let length = if length < half { length } else { half - 1 };
    kind + length + if is_vowel { half } else { 0 }
}

const fn is_space(state: u8) -> bool {
    state >= SPACES && state < DIGITS
}

const fn is_upper(state: u8) -> bool {
    state >= UPPERS && state < WORDS
}

const fn kind_of_upper(state: u8) -> u8 {
    if state < UPPERS_AFTER_SPACE {
        UPPERS
    } else {
        UPPERS_AFTER_SPACE
    }
}

/// The state after one more of the same kind, which has this many states.
const fn longer(state: u8, kind: u8, states: u8) -> u8 {
    if state + 1 < kind + states {
        state + 1
    } else {
        state
    }
}
