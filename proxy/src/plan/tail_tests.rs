//! Large new blocks that are left to a worker alone, from the first request to the landing.

use std::sync::Arc;

use headroom_shared::contract::id::DigestKey;
use headroom_shared::contract::output_kind::{OutputKind, OutputKinds};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::retrieval;
use headroom_shared::contract::tier::Tier;
use headroom_shared::store::Key;
use serde_json::json;

use super::Planner;
use super::landing::{Landing, Obstacle, Occasion};
use super::test_session::{Session, file};
use crate::dialect::DIALECTS;
use crate::scan;
use crate::simulation::test_model::{OneWordOfThree, report};
use crate::simulation::turn::Turn;

const WARM: Option<Landing> = Some(Landing::Waits(Obstacle::Warm));
const EXPIRED: Option<Landing> = Some(Landing::Lands(Occasion::Expired));
const TAIL: Option<Landing> = Some(Landing::Lands(Occasion::Tail));

const PLANNER: Planner = Planner {
    tier: Tier::Recoverable,
    tail_tokens: 1000,
    ..Planner::new(u64::MAX)
};

/// A session by these rules that has read a file of which no form is shorter, and then the same file again so many times, of which almost nothing
/// went out.
fn session(planner: Planner, again: usize) -> Session {
    let mut session = Session::resumed(planner, 1, 0);
    session.tools = retrieval::TOOL;
    session.simulation.shortener = Some(Arc::new(OneWordOfThree));
    session.request(0);
    for _ in 0..=again {
        session.read(&report(90, 80));
        session.request(5);
    }
    session
}

/// An agent reports.
fn report_back(session: &mut Session, name: usize) -> Turn {
    push_report(session, name);
    session.request(5)
}

fn push_report(session: &mut Session, name: usize) {
    let id = format!("toolu_{}", session.messages.len());
    let call = json!({"type": "tool_use", "id": id, "name": "Task", "input": {"prompt": "Look."}});
    let text = report(name, 25);
    let result = json!({"type": "tool_result", "tool_use_id": id, "content": text});
    let messages = [("assistant", call), ("user", result)];
    let messages = messages.map(|(role, part)| json!({"role": role, "content": [part]}));
    session.messages.extend(messages);
}

/// How many texts go out of which the model must fetch the rest.
fn shortened(turn: &Turn) -> usize {
    let header = format!("[{}(", retrieval::TOOL);
    let forms = turn.forms.iter();
    let texts = forms.map(|(_, form)| std::str::from_utf8(form).unwrap());
    texts.filter(|text| text.contains(&header)).count()
}

#[test]
fn a_large_report_lands_near_the_tail_where_the_conversation_has_saved_what_that_costs() {
    let mut session = session(PLANNER, 4);
    let first = report_back(&mut session, 1);
    assert_eq!((first.landing, shortened(&first)), (None, 0));
    let landed = session.step_turn(5);
    assert_eq!((landed.landing, landed.landed), (TAIL, 1));
    assert_eq!(shortened(&landed), 1);
    // All before it is read, and nothing else is written anew.
    let usage = landed.usage;
    assert!(usage.read > 5000 && usage.written < 1000, "{usage:?}");
    assert!(session.paid < session.direct);
    // It stays, and what comes later is left to a worker as well.
    let later = session.step_turn(5);
    assert_eq!((later.landing, shortened(&later)), (None, 1));
    report_back(&mut session, 2);
    let landed = session.step_turn(5);
    assert_eq!((landed.landing, shortened(&landed)), (TAIL, 2));
    assert!(session.paid < session.direct);
}

#[test]
fn what_is_stored_before_a_request_goes_out_says_that_a_report_waits() {
    let mut session = session(PLANNER, 4);
    push_report(&mut session, 1);
    // Something of which a form goes out at once.
    let [file, report] =
        [2, session.messages.len() - 1].map(|at| session.messages[at]["content"][0].clone());
    session.messages.last_mut().unwrap()["content"] = json!([report, file, file]);
    let body = session.body();
    let scan = scan::scan(&body, DIALECTS[0], &DigestKey::from_bytes([7; 32])).unwrap();
    let known = session.simulation.known(&scan);
    let plan = session.simulation.plan(&body, &scan, &known).unwrap();
    let stored = plan.entries();
    let request = scan.full_prefix().unwrap();
    let own = stored.iter().find(|it| it.key == Key::Sent(request));
    let mut own = SentRecord::from_stored(request, &own.unwrap().value).unwrap();
    assert!(own.waiting && own.tail && own.caches.is_some(), "{own:?}");
    let mut sent = plan.commit(&stored);
    assert_eq!(sent.tail.len(), 1);
    assert_eq!(sent.record_updates.own_record(), Some(&mut own));
}

#[test]
fn a_large_report_waits_where_nothing_was_saved() {
    let mut session = session(PLANNER, 0);
    report_back(&mut session, 1);
    assert_eq!(session.step(5), WARM);
    assert_eq!(session.step(5), WARM);
    let cold = session.step_turn(400);
    assert_eq!((cold.landing, shortened(&cold)), (EXPIRED, 1));
    assert!(session.paid < session.direct);
    assert_eq!(session.step(5), None);
}

#[test]
fn only_what_only_a_model_shortens_is_left_to_a_worker() {
    let lossless = Planner {
        tier: Tier::Lossless,
        ..PLANNER
    };
    let no_model = Planner {
        tail_tokens: 0,
        ..PLANNER
    };
    let larger = Planner {
        tail_tokens: 4000,
        ..PLANNER
    };
    let whole_kinds: OutputKinds = [OutputKind::Report].into_iter().collect();
    let whole = Planner {
        whole_kinds,
        ..PLANNER
    };
    for planner in [lossless, no_model, larger, whole] {
        let mut session = session(planner, 4);
        report_back(&mut session, 1);
        assert_eq!(session.step(5), None);
    }
    let mut reads = session(PLANNER, 4);
    reads.read(&file(3, 800));
    reads.request(5);
    assert_eq!(reads.step(5), None);
    let mut without_tool = session(PLANNER, 4);
    without_tool.tools = "Read";
    report_back(&mut without_tool, 1);
    assert_eq!(without_tool.step(5), None);
}

#[test]
fn where_it_is_not_sure_what_is_read_a_report_waits() {
    // The entry before it may be gone.
    let mut late = session(PLANNER, 4);
    late.marker = json!({"type": "ephemeral", "ttl": "1h"});
    report_back(&mut late, 1);
    assert_eq!(late.step(300), WARM);
    // What was read may be the report itself.
    let mut again = session(PLANNER, 4);
    again.jobs_wait = true;
    report_back(&mut again, 1);
    again.jobs_wait = false;
    again.request(5);
    assert_eq!(again.step(5), WARM);
    // The provider does not look that far back.
    let mut far = session(PLANNER, 4);
    far.jobs_wait = true;
    report_back(&mut far, 1);
    for _ in 0..7 {
        far.step(5);
    }
    far.jobs_wait = false;
    far.step(5);
    assert_eq!(far.step(5), WARM);
    // Nothing that another model has cached is read.
    let mut other = session(PLANNER, 4);
    report_back(&mut other, 1);
    other.model = "claude-opus-4-5";
    assert_ne!(other.step(5), TAIL);
    assert!(other.paid <= other.direct);
}

#[test]
fn thinking_that_may_be_bound_keeps_a_report_as_it_is() {
    let mut session = session(PLANNER, 4);
    session.model = "claude-opus-5-5";
    session.thinking = json!({"type": "adaptive"});
    report_back(&mut session, 1);
    assert_eq!(session.step(5), None);
    assert_eq!(session.step(400), None);
}

#[test]
fn a_report_behind_a_refresh_that_waits_lands_with_it_or_before() {
    let planner = Planner {
        refresh_tokens: 1000,
        ..PLANNER
    };
    for (again, warm) in [(4, TAIL), (0, WARM)] {
        let mut session = session(planner, again);
        for name in 91..93 {
            session.read(&report(name, 20));
            session.request(5);
        }
        report_back(&mut session, 1);
        let next = session.step_turn(5);
        assert_eq!(next.landing, warm, "{again}");
        let cold = session.step_turn(400);
        assert!(cold.landing.is_none_or(Landing::lands));
        assert!(shortened(&cold) >= 1);
        assert!(session.paid < session.direct);
        let later = session.step_turn(5);
        assert_eq!(later.forms, cold.forms);
    }
}

#[test]
fn what_waits_as_a_whole_lands_together_with_a_report_behind_it() {
    let planner = Planner {
        refresh_tokens: 1000,
        ..PLANNER
    };
    // What was read before the proxy was there has no forms until a refresh makes them.
    let mut session = Session::resumed(planner, 400, 3);
    session.tools = retrieval::TOOL;
    session.simulation.shortener = Some(Arc::new(OneWordOfThree));
    session.request(0);
    for name in 91..93 {
        session.read(&report(name, 20));
        session.request(5);
    }
    assert_eq!(session.step(5), WARM);
    // Its result is there only when the cache is cold.
    session.jobs_wait = true;
    report_back(&mut session, 1);
    session.jobs_wait = false;
    assert_eq!(shortened(&session.step_turn(5)), 0);
    let cold = session.step_turn(400);
    assert_eq!(cold.landing, EXPIRED);
    assert!(cold.landed > 1, "{}", cold.landed);
    // The report comes last.
    let (_, last) = cold.forms.last().unwrap();
    let last = std::str::from_utf8(last).unwrap();
    assert!(last.contains("unimportant words are left out"), "{last}");
    assert_eq!(session.step_turn(5).forms, cold.forms);
}

#[test]
fn of_two_reports_that_wait_the_later_one_lands_first() {
    let mut session = session(PLANNER, 4);
    session.jobs_wait = true;
    report_back(&mut session, 1);
    session.jobs_wait = false;
    report_back(&mut session, 2);
    let later = session.step_turn(5);
    assert_eq!((later.landing, shortened(&later)), (TAIL, 1));
    // The provider no longer reads what stands before the later one from where it stood.
    assert_eq!(session.step(5), WARM);
    let cold = session.step_turn(400);
    assert_eq!((cold.landing, shortened(&cold)), (EXPIRED, 2));
    assert!(session.paid < session.direct);
    assert_eq!(session.step_turn(5).forms, cold.forms);
}
