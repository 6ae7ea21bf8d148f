//! What is left out, and that the same is left out everywhere.

use std::process::{Command, Stdio};
use std::time::Duration;

use headroom_shared::compress::Deadline;
use headroom_shared::runtime::config::ModelSettings;
use headroom_tests::tiny_model::{self, Output};
use headroom_worker::model::Model;
use headroom_worker::shortener::{ShortenError, Shortener as _, TokensLeft};
use tempfile::TempDir;

use crate::{WORDS, load, tiny};

fn shorten(model: &Model, text: &str) -> Option<String> {
    let mut tokens = TokensLeft::new(usize::MAX);
    model.shorten(text, &mut tokens, Deadline::NEVER).unwrap()
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn words_below_the_threshold_are_left_out_by_either_kind_of_model() {
    for output in [
        Output::FinalScores,
        Output::Logits { keep: 1 },
        Output::Logits { keep: 0 },
    ] {
        let dir = tiny(output);
        let model = load(dir.path()).unwrap();
        assert_eq!(
            shorten(
                &model,
                "  the engine of perhaps\n\tthe \"of the\" not of it\n"
            )
            .unwrap(),
            "  engine\n\t\"of the\" not it\n",
            "{output:?}"
        );
        for all_stays in ["", "engine", "an engine\n```\nthe of\n```"] {
            assert_eq!(shorten(&model, all_stays), None, "{output:?}");
        }
    }
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn a_text_of_many_windows_is_read_to_its_end() {
    let dir = TempDir::new().unwrap();
    tiny_model::write(dir.path(), &WORDS, Output::FinalScores, 32);
    let model = load(dir.path()).unwrap();
    let line = |number| format!("the line {number} of the engine\n");
    let text: String = (0..5000).map(line).collect();
    let shorter: String = (0..5000)
        .map(|number| format!("line {number} engine\n"))
        .collect();
    assert_eq!(shorten(&model, &text).unwrap(), shorter);
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn behind_the_tokens_that_may_be_looked_at_all_words_stay() {
    let dir = TempDir::new().unwrap();
    tiny_model::write(dir.path(), &WORDS, Output::FinalScores, 32);
    let model = load(dir.path()).unwrap();
    let text = "the engine\n".repeat(1000);
    // Windows of 30 tokens, of which 7 are in the next one too.
    let mut tokens = TokensLeft::new(100);
    let shorter = model.shorten(&text, &mut tokens, Deadline::NEVER);
    let shorter = shorter.unwrap().unwrap();
    let left_out = shorter.lines().take_while(|line| *line == "engine").count();
    assert!((30..45).contains(&left_out), "{left_out}");
    let rest = shorter.lines().skip(left_out);
    assert!(rest.clone().all(|line| line == "the engine"));
    assert_eq!(left_out + rest.count(), 1000);
    // Nothing is left for another text of the same job.
    assert_eq!(model.shorten(&text, &mut tokens, Deadline::NEVER), Ok(None));
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn a_deadline_ends_the_work() {
    let dir = tiny(Output::FinalScores);
    let model = load(dir.path()).unwrap();
    let over = Deadline::after(Duration::ZERO);
    let mut tokens = TokensLeft::new(usize::MAX);
    let shorter = model.shorten("the engine of it", &mut tokens, over);
    assert_eq!(shorter, Err(ShortenError::OutOfTime));
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn threads_share_a_model_with_one_session() {
    let dir = tiny(Output::FinalScores);
    let model = load(dir.path()).unwrap();
    let text = "the engine of it\n".repeat(500);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| shorten(&model, &text)))
            .collect();
        for thread in running {
            assert_eq!(thread.join().unwrap().unwrap(), "engine it\n".repeat(500));
        }
    });
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn two_processes_leave_out_the_same() {
    let dir = tiny(Output::Logits { keep: 1 });
    let text = dir.path().join("text");
    let lines = (0..2000).map(|number| format!("the engine {number} perhaps of it\n"));
    std::fs::write(&text, lines.collect::<String>()).unwrap();
    let run = |threads: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shorten"));
        command
            .args(["--model-keep-rate", "0.6", "--threads", threads, "--model"])
            .arg(dir.path())
            .stdin(Stdio::from(std::fs::File::open(&text).unwrap()));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let identity = said.lines().last().unwrap().to_owned();
        (output.stdout, identity)
    };
    let first = run("1");
    assert!(first.0.len() as u64 <= std::fs::metadata(&text).unwrap().len() - 2000 * 3);
    assert_eq!(first, run("1"));
    assert_eq!(first, run("2"));
}

#[test]
#[ignore = "needs ONNX Runtime: scripts/model"]
fn the_identity_is_that_of_the_files_and_settings() {
    let (one, same, other) = (
        tiny(Output::FinalScores),
        tiny(Output::FinalScores),
        tiny(Output::Logits { keep: 1 }),
    );
    let identity = |dir: &TempDir| load(dir.path()).unwrap().identity().to_owned();
    assert_eq!(identity(&one), identity(&same));
    assert_ne!(identity(&one), identity(&other));
    let settings = ModelSettings {
        dir: None,
        threshold: 0.5,
        keep_rate: 0.1,
    };
    let with_other_rate = Model::load(one.path(), &settings, 1).unwrap();
    assert_ne!(identity(&one), with_other_rate.identity());
}
