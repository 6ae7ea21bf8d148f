//! The settings of the model that leaves words out of texts.

use std::path::PathBuf;

use clap::Args;

/// The model, and how much it leaves out.
#[derive(Debug, Clone, Args)]
pub struct ModelSettings {
    /// Folder of the model that leaves words out of texts, with model.onnx, tokenizer.json and config.json [default: none].
    #[arg(
        id = "model",
        long = "model",
        env = "HEADROOM_MODEL",
        value_name = "HEADROOM_MODEL"
    )]
    pub dir: Option<PathBuf>,

    /// Score from which on a word stays, 0 to 1.
    #[arg(id = "model_threshold", long = "model-threshold", env = "HEADROOM_MODEL_THRESHOLD", value_name = "HEADROOM_MODEL_THRESHOLD", default_value_t = 0.5, value_parser = part)]
    pub threshold: f64,

    /// Part of the words of a text that stays at least, 0 to 1.
    #[arg(id = "model_keep_rate", long = "model-keep-rate", env = "HEADROOM_MODEL_KEEP_RATE", value_name = "HEADROOM_MODEL_KEEP_RATE", default_value_t = 0.5, value_parser = part)]
    pub keep_rate: f64,
}

fn part(text: &str) -> Result<f64, String> {
    match text.trim().parse() {
        Ok(part @ 0.0..=1.0) => Ok(part),
        _ => Err("takes a number from 0 to 1, such as 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_number_from_0_to_1() {
        for (text, value) in [("0", 0.0), ("1", 1.0), (" 0.25 ", 0.25)] {
            assert_eq!(part(text), Ok(value), "{text:?}");
        }
        for text in ["-0.1", "1.01", "NaN", "half", ""] {
            assert!(part(text).is_err(), "{text:?}");
        }
    }
}
