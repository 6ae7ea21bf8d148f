//! Landings in caches that may be alive: what they may lose is covered by what was saved.

use headroom_shared::contract::id::DigestKey;
use serde_json::json;

use super::{Landing, Obstacle, Occasion};
use crate::dialect::DIALECTS;
use crate::plan::Planner;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::test_session::{MODEL, Session, file};
use crate::scan;
use crate::totals::continuations::Continuations;

const WARM: Landing = Landing::Waits(Obstacle::Warm);
const INVALIDATED: Landing = Landing::Lands(Occasion::Invalidated);
const PAYS: Landing = Landing::Lands(Occasion::Pays);

/// One that goes on for so long that no request before the first is in a cache.
fn seen_for_long(lines: usize, reads: usize) -> Session {
    let mut session = Session::resumed(Planner::new(1000), lines, reads);
    assert_eq!(session.request(0).landing, None);
    for _ in 0..3 {
        assert_eq!(session.step(200), Some(WARM));
    }
    session
}

#[test]
fn where_the_client_changes_what_the_cache_depends_on_a_large_saving_lands() {
    for (model, tools) in [(MODEL, "second"), ("claude-opus-4-5", "first")] {
        let mut session = seen_for_long(400, 6);
        (session.model, session.tools) = (model, tools);
        assert_eq!(session.step(5), Some(INVALIDATED));
        assert!(session.paid < session.direct);
        // It goes back while the originals are alive there.
        (session.model, session.tools) = (MODEL, "first");
        assert_eq!(session.step(5), None);
        assert!(session.paid < session.direct);
    }
}

#[test]
fn what_lies_before_the_first_block_that_changes_counts_too() {
    // Most of it is no block, and stands first.
    let mut session = Session::resumed(Planner::new(1000), 400, 6);
    let long = "Nothing here is worth a form. ".repeat(70);
    for number in 0..200 {
        let text = format!("{number} {}", &long[..1900]);
        session
            .messages
            .insert(1, json!({"role": "user", "content": text}));
        session
            .messages
            .insert(1, json!({"role": "assistant", "content": "ok"}));
    }
    session.request(0);
    for _ in 0..3 {
        assert_eq!(session.step(200), Some(WARM));
    }
    session.tools = "second";
    assert_eq!(session.step(5), Some(WARM));
}

#[test]
fn what_only_may_be_another_cache_lands_where_that_is_covered() {
    // Other thinking, which the provider may take for the same.
    let mut thinking = seen_for_long(400, 6);
    thinking.thinking = json!({"type": "enabled", "budget_tokens": 9000});
    // A change soon after requests that were not seen.
    let mut early = Session::resumed(Planner::new(1000), 400, 6);
    early.request(0);
    early.tools = "second";
    for mut session in [thinking, early] {
        assert_eq!(session.step(5), Some(WARM));
        assert!(session.paid <= session.direct);
    }
}

#[test]
fn a_price_that_is_a_guess_covers_nothing() {
    let mut session = seen_for_long(400, 6);
    session.model = "claude-sonnet-3-7";
    assert_eq!(session.step(5), Some(WARM));
}

#[test]
fn a_small_saving_waits_because_the_client_may_go_back() {
    let mut session = Session::resumed(Planner::new(1000), 2000, 1);
    session.request(0);
    session.tools = "second";
    assert_eq!(session.step(5), Some(WARM));
    // The originals that the first tools had cached are gone, those of the second are alive.
    assert_eq!(session.step(200), Some(WARM));
    session.tools = "third";
    assert_eq!(session.step(200), Some(WARM));
    assert_eq!(session.step(400), Some(Landing::Lands(Occasion::Expired)));
}

#[test]
fn it_lands_in_a_warm_cache_where_the_conversation_has_saved_what_that_costs() {
    let mut session = Session::resumed(Planner::new(1000), 400, 6);
    session.request(0);
    let mut landed = None;
    for step in 0..20 {
        assert_eq!(landed, None);
        // The same text once more: almost nothing of it goes out.
        session.read(&file(0, 400));
        let landing = session.request(5).landing;
        landed = (landing == Some(PAYS)).then_some(step);
        assert!(session.paid <= session.direct);
        if landed.is_some() {
            break;
        }
        assert_eq!(landing, Some(WARM));
    }
    assert!(landed.is_some_and(|step| step > 0), "{landed:?}");
}

#[test]
fn it_waits_where_conversations_have_mostly_ended_after_so_many_turns() {
    let planner = Planner {
        continuations: Continuations::of_a_thousand(500),
        ..Planner::new(1000)
    };
    let mut session = Session::resumed(planner, 400, 6);
    session.request(0);
    for _ in 0..20 {
        session.read(&file(0, 400));
        assert_eq!(session.request(5).landing, Some(WARM));
    }
}

#[test]
fn a_request_tells_of_its_turns_and_of_whether_its_conversation_went_on_in_time() {
    let mut session = Session::resumed(Planner::new(1000), 400, 3);
    let observed = |session: &mut Session, seconds: u64| {
        session.simulation.now_ms += seconds * 1000;
        let body = session.body();
        let scan = scan::scan(&body, DIALECTS[0], &DigestKey::from_bytes([7; 32])).unwrap();
        let known = KnownPrefix {
            complete: true,
            ..session.simulation.known(&scan)
        };
        super::observed_continuation(&scan, &known, session.simulation.now_ms)
    };
    assert_eq!(
        observed(&mut session, 0),
        Some(Continuations::of_request(3, None))
    );
    session.request(0);
    // The same once more.
    assert_eq!(observed(&mut session, 1), None);
    session.read("more");
    assert_eq!(
        observed(&mut session, 1),
        Some(Continuations::of_request(4, Some(3)))
    );
    session.request(1);
    session.marker = json!(null);
    session.read("not cached");
    assert_eq!(observed(&mut session, 1), None);
    session.marker = json!({"type": "ephemeral"});
    session.request(0);
    session.read("much later");
    assert_eq!(
        observed(&mut session, 3600),
        Some(Continuations::of_request(6, None))
    );
    // The request before told nothing: it was too small.
    let mut grown = Session::resumed(Planner::new(1000), 10, 1);
    grown.request(0);
    grown.read(&file(0, 2000));
    assert_eq!(
        observed(&mut grown, 1),
        Some(Continuations::of_request(2, None))
    );
}

#[test]
fn where_another_branch_goes_on_from_the_prefix_it_waits() {
    let mut session = seen_for_long(400, 6);
    let common = session.messages.clone();
    session.step(5);
    session.messages = common;
    session.read("another branch");
    session.request(5);
    session.tools = "second";
    assert_eq!(session.step(5), Some(WARM));
}
