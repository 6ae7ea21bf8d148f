//! Shortened forms, from the first request to the landing.

use headroom_shared::contract::output_kind::{OutputKind, OutputKinds};
use headroom_shared::contract::retrieval;
use headroom_shared::contract::tier::Tier;
use serde_json::json;

use super::Planner;
use super::landing::{Landing, Obstacle, Occasion};
use super::test_session::{Session, file};
use crate::simulation::turn::Turn;

const EXPIRED: Option<Landing> = Some(Landing::Lands(Occasion::Expired));

/// A new session whose client offers this tool.
fn session(tool: &'static str) -> Session {
    session_leaving_whole(tool, OutputKinds::NONE)
}

/// The same where nothing is left out of blocks of these kinds.
fn session_leaving_whole(tool: &'static str, whole_kinds: OutputKinds) -> Session {
    let planner = Planner {
        whole_kinds,
        refresh_tokens: 1000,
        tier: Tier::Recoverable,
        ..Planner::new(u64::MAX)
    };
    let mut session = Session::resumed(planner, 1, 0);
    session.tools = tool;
    session.request(0);
    session
}

/// Whether the model is shown a text of which it must fetch the rest, at each place where a form is.
fn shortened(turn: &Turn) -> Vec<bool> {
    let header = format!("[{}(", retrieval::TOOL);
    let forms = turn.forms.iter();
    let texts = forms.map(|(_, form)| std::str::from_utf8(form).unwrap());
    texts.map(|text| text.contains(&header)).collect()
}

/// A file of which the last tenth has changed since [`file`] gave it.
fn changed_file(name: usize, lines: usize) -> String {
    let (before, after) = (file(name, lines), file(name + 100, lines));
    let same = lines - lines / 10;
    let lines = before.lines().take(same).chain(after.lines().skip(same));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Reads a file before and after a part of it is changed, and others until the first read is old.
fn read_twice(session: &mut Session) -> Turn {
    let reads = [file(0, 400), changed_file(0, 400)];
    for text in reads
        .into_iter()
        .chain([1, 2, 3].map(|name| file(name, 400)))
    {
        session.read(&text);
        session.request(5);
    }
    session.step_turn(5)
}

#[test]
fn a_read_that_a_later_one_shows_again_lands_shortened_once_the_cache_is_cold() {
    let mut session = session(retrieval::TOOL);
    let warm = read_twice(&mut session);
    assert_eq!(warm.landing, Some(Landing::Waits(Obstacle::Warm)));
    // The second read refers to the first.
    assert_eq!(shortened(&warm), [false; 5]);
    let landed = session.step_turn(400);
    // The second read no longer refers to the first.
    assert_eq!((landed.landing, landed.landed), (EXPIRED, 2));
    assert_eq!(shortened(&landed), [true, false, false, false, false]);
    assert!(session.paid < session.direct);
    let later = session.step_turn(5);
    assert_eq!(later.forms, landed.forms);
}

#[test]
fn kinds_that_are_fetched_too_often_land_whole() {
    let whole_kinds = [OutputKind::Read].into_iter().collect();
    let mut session = session_leaving_whole(retrieval::TOOL, whole_kinds);
    read_twice(&mut session);
    assert_eq!(shortened(&session.step_turn(400)), [false; 5]);
}

#[test]
fn nothing_is_shortened_where_the_request_does_not_offer_the_tool() {
    let mut session = session("Read");
    assert_eq!(read_twice(&mut session).landing, None);
    assert_eq!(shortened(&session.step_turn(400)), [false; 5]);
}

#[test]
fn what_was_made_for_requests_with_the_tool_does_not_land_in_one_without() {
    let mut session = session(retrieval::TOOL);
    read_twice(&mut session);
    session.tools = "Read";
    let cold = session.step_turn(400);
    assert_eq!(shortened(&cold), [false; 5]);
    session.tools = retrieval::TOOL;
    assert_eq!(
        shortened(&session.step_turn(400)),
        [true, false, false, false, false]
    );
    // What has landed stays.
    session.tools = "Read";
    assert_eq!(
        shortened(&session.step_turn(5)),
        [true, false, false, false, false]
    );
}

#[test]
fn a_result_that_saves_nothing_does_not_land() {
    let mut session = session(retrieval::TOOL);
    // The second read is a reference to the first: where one of them is left out, the other must be sent.
    for _ in 0..2 {
        session.read(&file(0, 400));
        session.request(5);
    }
    for name in 1..5 {
        session
            .messages
            .push(json!({"role": "assistant", "content": "What else?"}));
        session
            .messages
            .push(json!({"role": "user", "content": file(name, 200)}));
        session.request(5);
    }
    let before = session.step_turn(5);
    let cold = session.step_turn(400);
    assert_eq!((cold.landing, cold.landed), (None, 0));
    assert_eq!(cold.forms, before.forms);
}
