//! What compression saves, in exact tokens of `o200k_base`, and what an agent still finds in what is left.
//!
//! | file | what |
//! |---|---|
//! | `args` | what can be asked for |
//! | `corpus` | reads the corpus |
//! | `outputs` | each tool output by itself, by kind |
//! | `sessions` | whole sessions, as the proxy sends them |
//! | `probes` | whether a text that is needed later stands in what was sent |
//! | `tally` | tokens and time, summed up |
//! | `report` | the file for `--json` and the tables |
//! | `show` | forms beside their originals |

mod args;
mod corpus;
mod outputs;
mod probes;
mod report;
mod sessions;
mod show;
mod tally;

use std::io::Write as _;
use std::process::ExitCode;

use headroom_shared::runtime::config;
use headroom_tests::report::JsonFile;

use self::args::Args;
use self::corpus::Corpus;
use self::report::Report;

fn main() -> ExitCode {
    let args = match config::parse::<Args>(std::env::args_os()) {
        Ok(args) => args,
        Err(refused) => return refused.report(),
    };
    match measure(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("quality", &error),
    }
}

fn measure(args: &Args) -> anyhow::Result<()> {
    let corpus = Corpus::new(&args.corpus)?;
    let mut out = std::io::stdout().lock();
    if args.show {
        let outputs = corpus.outputs()?;
        return Ok(out.write_all(show::text(&outputs, args.only.as_deref()).as_bytes())?);
    }
    let json = args.json.as_deref().map(JsonFile::create).transpose()?;
    let mut report = Report {
        tier: args.tier,
        kinds: outputs::measure(&corpus.outputs()?, args.tier, args.rounds)?,
        ..Report::default()
    };
    let mut probes = corpus.probes()?;
    for mut session in corpus.sessions()? {
        if args.tab_numbers {
            sessions::write_numbers_with_tabs(&mut session);
        }
        report
            .sessions
            .push(sessions::measure(&session, args.tier, &mut probes)?);
    }
    report.probes = probes.results();
    report.probes.extend(probes::of_contexts(&corpus)?);
    if let Some(json) = json {
        json.write(&report.json())?;
    }
    Ok(writeln!(out, "{}", report.tables())?)
}
