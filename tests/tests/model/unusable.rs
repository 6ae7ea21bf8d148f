//! Models that can't be used: the error names the file and says what was expected.

use std::fs;

use headroom_tests::tiny_model::{self, Output};
use tempfile::TempDir;

use crate::{WORDS, load, tiny};

fn refused(dir: &TempDir) -> String {
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn a_missing_or_broken_file_is_named() {
    for (file, expected) in [
        ("model.onnx", "an ONNX graph was expected"),
        (
            "tokenizer.json",
            "a tokenizer as Hugging Face's library writes it was expected",
        ),
        (
            "config.json",
            "the JSON of a model's configuration was expected",
        ),
    ] {
        let dir = tiny(Output::FinalScores);
        let path = dir.path().join(file);
        fs::write(&path, "{\"broken\": tru").unwrap();
        let error = refused(&dir);
        let named = format!("{} is not usable: {expected}", path.display());
        assert!(error.starts_with(&named), "{error}");
        fs::remove_file(&path).unwrap();
        let error = refused(&dir);
        assert!(
            error.starts_with(&format!("{} can't be read", path.display())),
            "{error}"
        );
    }
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn a_graph_with_another_output_is_refused_with_what_it_has() {
    let error = refused(&tiny(Output::Unknown));
    assert!(
        error.contains("model.onnx is not usable: the output final_scores"),
        "{error}"
    );
    assert!(error.contains("it has something"), "{error}");
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn a_graph_that_does_not_know_the_tokenizers_tokens_is_refused() {
    let dir = tiny(Output::FinalScores);
    let larger = TempDir::new().unwrap();
    let words = [WORDS.as_slice(), &[("word", 0.5)]].concat();
    tiny_model::write(larger.path(), &words, Output::FinalScores, 8192);
    fs::copy(
        larger.path().join("tokenizer.json"),
        dir.path().join("tokenizer.json"),
    )
    .unwrap();
    let error = refused(&dir);
    assert!(
        error.contains("model.onnx is not usable: a trial failed"),
        "{error}"
    );
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn a_model_that_reads_too_few_tokens_is_refused() {
    let dir = TempDir::new().unwrap();
    tiny_model::write(dir.path(), &WORDS, Output::FinalScores, 10);
    let error = refused(&dir);
    assert!(
        error.contains("config.json is not usable: max_position_embeddings"),
        "{error}"
    );
}
