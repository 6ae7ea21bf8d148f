//! Refreshes, from the first request to the landing.

use serde_json::{Value, json};

use super::Planner;
use super::landing::{Landing, Obstacle, Occasion};
use super::test_session::{Session, file};
use crate::simulation::turn::Turn;

const WARM: Option<Landing> = Some(Landing::Waits(Obstacle::Warm));
const EXPIRED: Option<Landing> = Some(Landing::Lands(Occasion::Expired));

/// A session that is too small for a cold start, whose beginning went past the proxy, before proxies that refresh from so many tokens on.
fn resumed(refresh_tokens: u64) -> Session {
    let planner = Planner {
        refresh_tokens,
        ..Planner::new(u64::MAX)
    };
    Session::resumed(planner, 400, 3)
}

/// The next request, after the model has read a file of so many lines.
fn grow(session: &mut Session, name: usize, lines: usize) -> Turn {
    session.read(&file(name, lines));
    session.request(5)
}

#[test]
fn what_was_sent_before_the_proxy_was_there_lands_once_the_conversation_has_grown() {
    let mut session = resumed(1500);
    // Only what stands behind the last message of the model is certainly new.
    assert_eq!(session.request(0).forms.len(), 1);
    // 100 lines are some 900 tokens.
    assert_eq!(grow(&mut session, 1, 100).landing, None);
    assert_eq!(grow(&mut session, 2, 100).landing, None);
    assert_eq!(session.step(5), WARM);
    let before = session.request(5);
    let landed = session.step_turn(400);
    assert_eq!(landed.landing, EXPIRED);
    assert!(landed.landed >= 1, "{}", landed.landed);
    // What was sent in a form keeps it.
    for (index, form) in &before.forms {
        assert!(landed.forms.contains(&(*index, form.clone())), "{index}");
    }
    assert!(session.paid < session.direct);
    assert_eq!(session.step(5), None);
}

#[test]
fn nothing_is_refreshed_where_all_was_tried_or_none_is_asked_for() {
    let mut session = resumed(0);
    session.request(0);
    for name in 1..6 {
        assert_eq!(grow(&mut session, name, 100).landing, None);
    }
    assert_eq!(session.step(400), None);
    // All of this one went through the proxy.
    let planner = Planner {
        refresh_tokens: 1000,
        ..Planner::new(u64::MAX)
    };
    let mut session = Session::resumed(planner, 1, 0);
    session.request(0);
    for name in 1..6 {
        assert_eq!(grow(&mut session, name, 100).landing, None);
    }
    assert_eq!(session.step(400), None);
}

#[test]
fn a_longer_life_of_an_earlier_request_is_waited_for() {
    let mut session = resumed(1500);
    session.marker = json!({"type": "ephemeral", "ttl": "1h"});
    session.request(0);
    session.marker = json!({"type": "ephemeral"});
    grow(&mut session, 1, 100);
    grow(&mut session, 2, 100);
    assert_eq!(session.step(5), WARM);
    assert_eq!(session.step(400), WARM);
    assert_eq!(session.step(4000), EXPIRED);
}

#[test]
fn thinking_that_may_be_bound_keeps_all_as_it_is() {
    let mut session = resumed(1500);
    session.model = "claude-opus-5-5";
    session.thinking = json!({"type": "adaptive"});
    session.request(0);
    for name in 1..6 {
        assert_eq!(grow(&mut session, name, 100).landing, None);
    }
    let unset: Value = Value::Null;
    session.thinking = unset;
    assert_eq!(session.step(400), None);
}

#[test]
fn what_another_branch_keeps_in_the_cache_waits() {
    let mut session = resumed(1500);
    session.request(0);
    let common = session.messages.clone();
    grow(&mut session, 1, 100);
    grow(&mut session, 2, 100);
    assert_eq!(session.step(5), WARM);
    let branch = std::mem::replace(&mut session.messages, common);
    session.read("another branch");
    for _ in 0..3 {
        session.step(200);
    }
    let other = std::mem::replace(&mut session.messages, branch);
    assert_eq!(session.step(5), WARM);
    session.messages = other;
    session.step(5);
    assert!(session.paid <= session.direct);
}

#[test]
fn a_request_that_is_sent_once_more_is_still_to_be_refreshed() {
    let mut session = resumed(1500);
    session.request(0);
    session.request(5);
    grow(&mut session, 1, 100);
    grow(&mut session, 2, 100);
    assert_eq!(session.step(5), WARM);
}
