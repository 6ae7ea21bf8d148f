//! Landings in caches that may be alive: what they may lose is covered by what was saved.

use super::{Landing, Obstacle, Occasion};
use crate::plan::Planner;
use crate::plan::test_session::{MODEL, Session, file};

const WARM: Landing = Landing::Waits(Obstacle::Warm);
const INVALIDATED: Landing = Landing::Lands(Occasion::Invalidated);
const PAYS: Landing = Landing::Lands(Occasion::Pays);

#[test]
fn where_the_client_changes_what_the_cache_depends_on_a_large_saving_lands() {
    for (model, tools) in [
        ("claude-opus-4-6", "second"),
        ("claude-sonnet-4-5", "first"),
    ] {
        let mut session = Session::resumed(Planner::new(1000), 400, 6);
        assert_eq!(session.request(0).landing, None);
        assert_eq!(session.step(5), Some(WARM));
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
fn where_another_branch_goes_on_from_the_prefix_it_waits() {
    let mut session = Session::resumed(Planner::new(1000), 400, 6);
    session.request(0);
    let common = session.messages.clone();
    session.step(5);
    session.messages = common;
    session.read("another branch");
    session.request(5);
    session.tools = "second";
    assert_eq!(session.step(5), Some(WARM));
}
