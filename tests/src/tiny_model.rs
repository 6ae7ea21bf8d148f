//! A token classification model of a few hundred bytes whose answers are known: a word's score is looked up by the word.
//!
//! It is a folder as a model's repository is: `model.onnx`, `tokenizer.json`, `config.json`.

use std::path::Path;

use serde_json::json;

/// What such a model gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// `final_scores`: the score itself.
    FinalScores,
    /// `logits`: those of two labels, of which this one keeps the word.
    Logits {
        /// 0 or 1.
        keep: usize,
    },
    /// An output that no program of ours knows.
    Unknown,
}

/// Writes a model that knows these words and the score of each. Any other word has a score of 1.
///
/// # Panics
/// When the folder can't be written.
pub fn write(dir: &Path, words: &[(&str, f32)], output: Output, max_positions: usize) {
    let scores: Vec<f32> = words.iter().map(|(_, score)| *score).collect();
    let save = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.join(name), bytes).expect("the folder is writable");
    };
    // The special tokens and the unknown word come first.
    let scores = [&[0.0, 0.0, 1.0], scores.as_slice()].concat();
    save("model.onnx", &graph(&scores, output));
    save("tokenizer.json", tokenizer(words).to_string().as_bytes());
    let labels = match output {
        Output::Logits { keep: 0 } => json!({"0": "KEEP", "1": "DROP"}),
        _ => json!({"0": "LABEL_0", "1": "LABEL_1"}),
    };
    let config = json!({"max_position_embeddings": max_positions, "id2label": labels});
    save("config.json", config.to_string().as_bytes());
}

fn tokenizer(words: &[(&str, f32)]) -> serde_json::Value {
    let special = |id: usize, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let known = words.iter().map(|(word, _)| *word);
    let all = ["[CLS]", "[SEP]", "[UNK]"].into_iter().chain(known);
    let vocabulary: serde_json::Map<_, _> = all
        .enumerate()
        .map(|(id, word)| (word.to_owned(), id.into()))
        .collect();
    json!({
        "version": "1.0",
        "added_tokens": [special(0, "[CLS]"), special(1, "[SEP]")],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[CLS]", 0]},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    })
}

/// The numbers that ONNX gives the types of values.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// The graph: `output[i] = table[input_ids[i]]`. Its fields are numbered as in ONNX's onnx.proto.
fn graph(scores: &[f32], output: Output) -> Vec<u8> {
    let (name, columns): (&str, usize) = match output {
        Output::FinalScores => ("final_scores", 1),
        Output::Logits { .. } => ("logits", 2),
        Output::Unknown => ("something", 1),
    };
    let row = |score: &f32| match output {
        Output::FinalScores | Output::Unknown => vec![*score],
        // The softmax of these is the score.
        Output::Logits { keep } => {
            let logit = (score / (1.0 - score)).ln().clamp(-100.0, 100.0);
            if keep == 0 {
                vec![logit, 0.0]
            } else {
                vec![0.0, logit]
            }
        }
    };
    let table: Vec<u8> = scores
        .iter()
        .flat_map(row)
        .flat_map(f32::to_le_bytes)
        .collect();
    let mut shape = vec![scores.len() as u64];
    shape.extend((columns > 1).then_some(columns as u64));
    let mut tensor: Vec<u8> = shape.iter().flat_map(|it| number(1, *it)).collect();
    tensor.extend([number(2, FLOAT), text(8, "table"), field(9, &table)].concat());
    let gather = [
        text(1, "table"),
        text(1, "input_ids"),
        text(2, name),
        text(4, "Gather"),
    ]
    .concat();
    let mut dimensions = vec![dimension("batch"), dimension("sequence")];
    dimensions.extend((columns > 1).then(|| field(1, &number(1, columns as u64))));
    let graph = [
        field(1, &gather),
        text(2, "lookup"),
        field(5, &tensor),
        field(11, &value("input_ids", INT64, &dimensions[..2])),
        field(11, &value("attention_mask", INT64, &dimensions[..2])),
        field(12, &value(name, FLOAT, &dimensions)),
    ]
    .concat();
    let operators = number(2, 17);
    [number(1, 8), field(7, &graph), field(8, &operators)].concat()
}

/// The declaration of an input or output.
fn value(name: &str, element: u64, dimensions: &[Vec<u8>]) -> Vec<u8> {
    let tensor = [number(1, element), field(2, &dimensions.concat())].concat();
    [text(1, name), field(2, &field(1, &tensor))].concat()
}

fn dimension(name: &str) -> Vec<u8> {
    field(1, &text(2, name))
}

/// A field of a protobuf message, as its bytes.
fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    let mut field = varint(tag << 3 | 2);
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

fn text(tag: u64, text: &str) -> Vec<u8> {
    field(tag, text.as_bytes())
}

fn number(tag: u64, number: u64) -> Vec<u8> {
    [varint(tag << 3), varint(number)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
