//! The retrieval tool in the clients' hands: a long output goes out shortened, and the model calls the tool for the lines that it lacks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use headroom_shared::compress::shorten::original_of;
use headroom_tests::audit;
use headroom_tests::conversation::{Conversation, unescape};
use headroom_tests::forms::{Allowed, Forms, check_expansion};
use headroom_tests::provider::Step;
use headroom_tests::recorder::{Recorded, Recorder};
use headroom_tests::shortened::{first_gap, test_run, texts};
use headroom_tests::stage::Stage;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::programs::{Client, Places, Words};

/// What the model searches the original for, and the lines that match, behind their numbers: Codex puts lines before the output.
const PATTERN: &str = r"module_19[89]::reads.* ok";
const MATCHING: [&str; 2] = [
    ":test parse::module_198::reads_what_it_wrote ... ok",
    ":test parse::module_199::reads_what_it_wrote ... ok",
];

/// How a client is told of the tool, as `docs/retrieval.md` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is not.
    Not,
    /// By its own command, for all sessions.
    ByCommand,
    /// By an argument, for one session.
    ByArgument,
    /// In its settings, for all sessions (Codex alone).
    InSettings,
}

/// What is sent in place of the output of a test run.
#[derive(Debug)]
struct Shortened {
    original: String,
    form: String,
}

/// A session that is over.
pub(crate) struct Session {
    /// The requests for an answer of the model, and what the provider got.
    turns: Vec<(Recorded, bytes::Bytes)>,
    /// What each call of the tool asked for.
    calls: Vec<Value>,
    /// How many calls the proxy answered with a text.
    found: u64,
    /// The texts that were sent shortened.
    shortened: Vec<Shortened>,
    /// How many texts were sent in another form.
    lossless: usize,
}

/// Runs a long test, fetches what its output lacks, and goes on.
///
/// # Panics
/// When a turn is not what it must be.
pub(crate) async fn session(client: Client, told: Told) -> Session {
    let stage =
        Stage::embedded(|launch| launch.patient().set("HEADROOM_TIER", "recoverable")).await;
    let steps = [
        Step::Shell("./run-tests".to_owned()),
        Step::Retrieve,
        Step::Search(PATTERN),
        Step::Shell("./run-tests | tail -n 3".to_owned()),
    ];
    stage.provider.take_steps(steps.into());
    let recorder = Recorder::before(&stage.addr()).await;
    let folder = Folder::new();
    write_test(&folder);
    let args = tell(client, told, &folder, recorder.addr()).await;
    let words = Words {
        prompt: "Find out why the tests fail.",
        args: &args,
        ..Words::default()
    };
    client.run(places(&folder), recorder.addr(), words).await;
    let mut session = Session {
        turns: Vec::new(),
        calls: Vec::new(),
        found: stage.stats().await["retrieval"]["calls"]["found"]
            .as_u64()
            .unwrap_or_default(),
        shortened: Vec::new(),
        lossless: 0,
    };
    for recorded in recorder.recorded() {
        if recorded.target == "POST /mcp" {
            session.calls.extend(arguments(&recorded.body));
        } else if recorded.target.contains(client.dialect().path()) {
            let got = stage.provider.with_id(&recorded.id).await;
            session.turns.push((recorded, got.body));
        }
    }
    if let Err(error) = session.check(client) {
        panic!("{client:?}, told {told:?}: {error}");
    }
    session
}

fn places(folder: &Folder) -> Places<'_> {
    Places {
        home: folder.home(),
        work: folder.work(),
    }
}

/// A program that prints what a long test run does.
pub(crate) fn write_test(folder: &Folder) {
    let program = folder.path("run-tests");
    let text = format!("#!/bin/sh\ncat <<'END'\n{}END\n", test_run());
    fs::write(&program, text).expect("the folder is writable");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
}

/// Tells a client of the tool at `addr`, and gives the arguments with which it is started.
async fn tell(client: Client, told: Told, folder: &Folder, addr: &str) -> Vec<String> {
    match told {
        Told::Not => {}
        Told::ByCommand => client.add_retrieval(places(folder), addr).await,
        Told::ByArgument => return client.retrieval_args(addr).into(),
        Told::InSettings => {
            let settings = format!(
                "[mcp_servers.headroom]\nurl = \"http://{addr}/mcp\"\nomit_tools_from = [\"deferred\", \"code_mode\"]\n"
            );
            fs::write(folder.home().join("config.toml"), settings).expect("the home is writable");
        }
    }
    Vec::new()
}

/// What a message of the protocol asks the tool for, if it calls it.
fn arguments(message: &[u8]) -> Option<Value> {
    let mut message: Value = serde_json::from_slice(message).ok()?;
    (message["method"] == "tools/call").then(|| message["params"]["arguments"].take())
}

impl Session {
    /// Each turn: outside the replaced texts nothing changed, each form says what its original does, none has flipped.
    fn check(&mut self, client: Client) -> Result<(), String> {
        let mut forms = Forms::default();
        let allowed = Allowed {
            shortening: true,
            ..Allowed::default()
        };
        for (recorded, got) in &self.turns {
            let (conversation, body) = Conversation::read(client.dialect(), &recorded.body)?;
            let new = forms.observe(&conversation, &body, got, allowed)?;
            check_expansion(&conversation, &body, &new, allowed)?;
            for form in new {
                let text = |escaped| unescape(escaped).map_err(|error| error.to_string());
                let shown = text(&form.text)?;
                if original_of(&shown).is_none() {
                    self.lossless += 1;
                    continue;
                }
                self.shortened.push(Shortened {
                    original: text(audit::original(&body, &body.blocks[form.block]))?,
                    form: shown,
                });
            }
        }
        Ok(())
    }

    /// The tool was called twice with the id of the one shortened text: for lines, which the model got to the letter, and for what matches a pattern.
    pub(crate) fn assert_fetched(&self) {
        let [shortened] = self.shortened.as_slice() else {
            panic!("not one shortened text: {:?}", self.shortened)
        };
        let original = original_of(&shortened.form).expect("it names its original");
        let gap = first_gap(&shortened.form).expect("lines are left out");
        let asked = json!({"id": original.to_string(), "lines": gap});
        let searched = json!({"id": original.to_string(), "pattern": PATTERN});
        assert_eq!((&self.calls, self.found), (&vec![asked, searched], 2));
        let answer = shortened.lines(gap);
        let of_the_run = self.turns.iter().map(|(_, got)| {
            let mut texts = texts(got);
            texts.retain(|text| text.contains("reads_what_it_wrote"));
            texts
        });
        let mut turns = of_the_run.skip_while(|texts| !texts.contains(&shortened.form));
        let before = turns.next().expect("the shortened text was sent");
        assert!(!before.iter().any(|text| is_answer(text, &answer)));
        let next = turns.next().expect("the model went on");
        assert!(
            next.iter().any(|text| is_answer(text, &answer)),
            "{answer}\n--- {next:#?}"
        );
        let matches = |text: &String| MATCHING.iter().all(|line| text.contains(line));
        assert!(!next.iter().any(matches));
        let after = turns.next().expect("the model went on");
        assert!(after.iter().any(matches), "{after:#?}");
    }

    /// The shortened text, and what was fetched of it twice, stand in all later requests as well.
    pub(crate) fn assert_stable(&self) {
        let [.., before, last] = self.turns.as_slice() else {
            panic!("{} turns", self.turns.len())
        };
        let kept = texts(&before.1);
        let mut kept = kept
            .iter()
            .filter(|text| text.contains("reads_what_it_wrote"));
        let last = texts(&last.1);
        assert_eq!(kept.clone().count(), 3);
        assert!(kept.all(|text| last.contains(text)), "{last:#?}");
    }

    /// Nothing was left out and nothing fetched, but the output was compressed.
    pub(crate) fn assert_lossless(&self) {
        assert!(self.shortened.is_empty(), "{:?}", self.shortened);
        assert!(self.lossless > 0);
        assert_eq!((self.found, self.calls.len()), (0, 0));
    }
}

/// Whether a client passes this answer of the tool on in a text. Claude Code adds reminders, and Codex leaves out the last line break.
fn is_answer(text: &str, answer: &str) -> bool {
    let rest = text.strip_prefix(answer.trim_end());
    let rest = rest.map(str::trim_start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("<system-reminder>"))
}

impl Shortened {
    /// What the tool answers to who asks for these lines, such as `41-77`.
    fn lines(&self, range: &str) -> String {
        let lines: Vec<&str> = self.original.split('\n').collect();
        let (from, to) = range.split_once('-').expect("a range");
        let line = |number: &str| number.parse::<usize>().expect("a line's number");
        let shown = lines[line(from) - 1..line(to)].join("\n");
        format!("[lines {range} of {}]\n{shown}", lines.len())
    }
}
