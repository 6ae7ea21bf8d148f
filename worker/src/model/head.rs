//! What a graph takes and gives: the shapes of input and output that this program can use.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

/// The inputs of every graph that can be used: numbers of tokens, and 1 for each of them.
pub(super) const INPUTS: [&str; 2] = ["input_ids", "attention_mask"];

/// What a graph's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// For each token the probability that it is kept.
    FinalScores,
    /// For each token the logits of two labels, of which this one says to keep it.
    Logits { keep: usize },
}

impl Head {
    /// The head of a graph; `keep` is the label that says to keep a token.
    ///
    /// # Errors
    /// What was expected and what is there, where it has none of them.
    pub(super) fn of(session: &Session, keep: usize) -> Result<Self, String> {
        let (inputs, outputs) = (session.inputs(), session.outputs());
        let takes = |name| {
            let input = inputs.iter().find(|input| input.name() == name);
            input.is_some_and(|input| is_tensor(input, TensorElementType::Int64, 2))
        };
        let gives = |head: &Self| {
            let output = outputs.iter().find(|output| output.name() == head.output());
            output.is_some_and(|it| is_tensor(it, TensorElementType::Float32, head.dimensions()))
        };
        let heads = [Self::FinalScores, Self::Logits { keep }];
        if inputs.len() != INPUTS.len() || !INPUTS.into_iter().all(takes) {
            return Err(format!(
                "the inputs input_ids and attention_mask, both int64 [batch, sequence], were expected; it has {}",
                described(inputs)
            ));
        }
        heads.into_iter().find(gives).ok_or_else(|| {
            format!(
                "the output final_scores, float32 [batch, sequence], or logits, float32 [batch, sequence, 2], was expected; it has {}",
                described(outputs)
            )
        })
    }

    /// The name of the output.
    pub(super) const fn output(self) -> &'static str {
        match self {
            Self::FinalScores => "final_scores",
            Self::Logits { .. } => "logits",
        }
    }

    const fn dimensions(self) -> usize {
        match self {
            Self::FinalScores => 2,
            Self::Logits { .. } => 3,
        }
    }

    /// The probability that each of `count` tokens is kept; what is no number counts as 1.
    ///
    /// # Errors
    /// Where the output has another number of values.
    pub(super) fn scores(self, output: &[f32], count: usize) -> Result<Vec<f32>, String> {
        let labels = match self {
            Self::FinalScores => 1,
            Self::Logits { .. } => 2,
        };
        if output.len() != count * labels {
            let (name, got) = (self.output(), output.len());
            return Err(format!(
                "{name} has {got} values for {count} tokens, and {labels} for each were expected"
            ));
        }
        let scores: Vec<f32> = match self {
            Self::FinalScores => output.to_vec(),
            Self::Logits { keep } => output
                .as_chunks()
                .0
                .iter()
                .map(|&[zero, one]| {
                    1.0 / (1.0 + if keep == 0 { one - zero } else { zero - one }.exp())
                })
                .collect(),
        };
        let or_kept = |score: f32| if score.is_nan() { 1.0 } else { score };
        Ok(scores.into_iter().map(or_kept).collect())
    }
}

fn is_tensor(outlet: &Outlet, element: TensorElementType, dimensions: usize) -> bool {
    matches!(outlet.dtype(), ValueType::Tensor { ty, shape, .. } if *ty == element && shape.len() == dimensions)
}

fn described(outlets: &[Outlet]) -> String {
    let described = outlets
        .iter()
        .map(|it| format!("{}: {}", it.name(), it.dtype()));
    described.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_made_probabilities_of_the_label_to_keep() {
        let logits = [0.0, 0.0, -1.0, 1.0, 1000.0, -1000.0, f32::NAN, 0.0];
        let scores = |keep| Head::Logits { keep }.scores(&logits, 4).unwrap();
        let [even, likely, never, unknown] = scores(1).try_into().unwrap();
        assert_eq!((even, never, unknown), (0.5, 0.0, 1.0));
        assert!((likely - 0.880_797).abs() < 1e-5, "{likely}");
        assert_eq!(scores(0)[2], 1.0);
    }

    #[test]
    fn final_scores_are_taken_as_they_are() {
        let head = Head::FinalScores;
        assert_eq!(head.scores(&[0.25, f32::NAN], 2).unwrap(), [0.25, 1.0]);
        assert!(head.scores(&[0.25], 2).is_err());
        assert!(Head::Logits { keep: 1 }.scores(&[0.25], 1).is_err());
    }
}
