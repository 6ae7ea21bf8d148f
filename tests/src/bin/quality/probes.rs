//! Whether what an agent needs later stands in what was sent.

use headroom_shared::compress::{Earlier, Source, compress};
use serde::Deserialize;

use crate::corpus::Corpus;
use crate::sessions::SentResult;

/// The set of probes that are looked for in requests of a session that goes on without a pause.
pub(crate) const AS_SENT: &str = "usage_probes";

/// The set of the same probes, each looked for in a request behind a pause, with which the compressed prefix of all before has landed.
pub(crate) const LANDED: &str = "usage_probes_landed";

/// The probes of recorded sessions, and what was found of them so far.
#[derive(Debug)]
pub(crate) struct Probes {
    probes: Vec<Probe>,
    results: Vec<ProbeResult>,
}

/// A text that the agent used in a session.
#[derive(Debug, Deserialize)]
pub(crate) struct Probe {
    session: String,
    /// The number of turns before it was used.
    use_turn: usize,
    kind: String,
    needle: String,
    /// The ids of the tool calls in whose results it stands.
    sources: Vec<String>,
}

/// A text with a question, and the answers of which one stands in the text.
#[derive(Debug, Deserialize)]
struct Context {
    context: String,
    answers: Vec<String>,
}

/// In how many cases of one kind a text was found, and where. Each case counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeResult {
    pub(crate) set: &'static str,
    pub(crate) kind: String,
    pub(crate) n: usize,
    /// Word for word in the newest tool result that has it.
    pub(crate) verbatim: usize,
    /// Not there, but word for word elsewhere in the request, where references lead.
    pub(crate) referenced: usize,
    /// Only by undoing the form.
    pub(crate) retrievable: usize,
}

/// Where a text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Verbatim,
    Referenced,
    Retrievable,
}

impl ProbeResult {
    fn new(set: &'static str, kind: &str) -> Self {
        Self {
            set,
            kind: kind.to_owned(),
            n: 0,
            verbatim: 0,
            referenced: 0,
            retrievable: 0,
        }
    }

    fn add(&mut self, found: Found) {
        self.n += 1;
        *match found {
            Found::Verbatim => &mut self.verbatim,
            Found::Referenced => &mut self.referenced,
            Found::Retrievable => &mut self.retrievable,
        } += 1;
    }
}

impl Probes {
    pub(crate) fn new(probes: Vec<Probe>) -> Self {
        Self {
            probes,
            results: Vec::new(),
        }
    }

    /// Whether any of this session is used after so many turns.
    pub(crate) fn are_due(&self, session: &str, turns: usize) -> bool {
        self.probes.iter().any(|probe| probe.is_due(session, turns))
    }

    /// Asks the probes of this session that are used after so many turns, given the tool results in the last request. They count in this set.
    pub(crate) fn ask(
        &mut self,
        set: &'static str,
        (session, turns): (&str, usize),
        request: &[SentResult],
    ) {
        let Self { probes, results } = self;
        for probe in probes.iter().filter(|probe| probe.is_due(session, turns)) {
            // What a compaction has removed can't be found, whatever is sent.
            let Some(found) = probe.find(request) else {
                continue;
            };
            let is_its = |result: &ProbeResult| result.set == set && result.kind == probe.kind;
            let at = results.iter().position(is_its).unwrap_or_else(|| {
                results.push(ProbeResult::new(set, &probe.kind));
                results.len() - 1
            });
            results[at].add(found);
        }
    }

    /// What was found, in the order of the sets and the kinds.
    pub(crate) fn results(mut self) -> Vec<ProbeResult> {
        self.results
            .sort_by(|a, b| (a.set, &a.kind).cmp(&(b.set, &b.kind)));
        self.results
    }
}

impl Probe {
    fn is_due(&self, session: &str, turns: usize) -> bool {
        self.use_turn == turns && self.session == session
    }

    /// Where it stands in a request; `None` where it stood in none of its sources.
    fn find(&self, request: &[SentResult]) -> Option<Found> {
        let needle = self.needle.as_str();
        let is_source = |result: &&SentResult| {
            let answers = result.answers.as_ref();
            answers.is_some_and(|id| self.sources.contains(id)) && result.original.contains(needle)
        };
        let newest = request.iter().rfind(is_source)?;
        Some(if newest.sent().contains(needle) {
            Found::Verbatim
        } else if request.iter().any(|result| result.sent().contains(needle)) {
            Found::Referenced
        } else {
            Found::Retrievable
        })
    }
}

/// Compresses the texts of the sets of questions, and looks for an answer in what would be sent.
///
/// # Errors
/// When a set can't be read.
pub(crate) fn of_contexts(corpus: &Corpus) -> anyhow::Result<Vec<ProbeResult>> {
    let mut results = Vec::new();
    for set in ["kv_retrieval_75", "nq_10_docs"] {
        let mut result = ProbeResult::new(set, "answer");
        for Context { context, answers } in corpus.fidelity(set)? {
            let block = Source {
                text: &context,
                tool: None,
                input: None,
            };
            let form = compress(block, &Earlier::default()).ok();
            let sent = form.as_deref().unwrap_or(&context);
            let is_there = answers.iter().any(|answer| sent.contains(answer));
            result.add(if is_there {
                Found::Verbatim
            } else {
                Found::Retrievable
            });
        }
        if result.n > 0 {
            results.push(result);
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, original: &str, form: Option<&str>) -> SentResult {
        SentResult {
            answers: Some(id.to_owned()),
            original: original.to_owned(),
            form: form.map(str::to_owned),
            ..SentResult::default()
        }
    }

    #[test]
    fn a_needle_is_looked_for_in_its_newest_source_first() {
        let probe = Probe {
            session: "s".to_owned(),
            use_turn: 1,
            kind: "path".to_owned(),
            needle: "a/b".to_owned(),
            sources: vec!["1".to_owned(), "2".to_owned()],
        };
        let find = |results: &[SentResult]| probe.find(results);
        let shown = result("1", "in a/b.", None);
        let hidden = result("2", "at a/b!", Some("[line 1 again]"));
        assert_eq!(
            find(&[hidden.clone(), shown.clone()]),
            Some(Found::Verbatim)
        );
        assert_eq!(
            find(&[shown.clone(), hidden.clone()]),
            Some(Found::Referenced)
        );
        assert_eq!(find(&[hidden]), Some(Found::Retrievable));
        assert_eq!(find(&[result("3", "in a/b.", None)]), None);
        let mut probes = Probes::new(vec![probe]);
        probes.ask(AS_SENT, ("s", 0), std::slice::from_ref(&shown));
        probes.ask(AS_SENT, ("s", 1), &[shown]);
        let results = probes.results();
        assert_eq!((results[0].n, results[0].verbatim), (1, 1));
    }
}
