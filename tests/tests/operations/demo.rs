//! The demo runs from end to end and shows what it promises.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use headroom_tests::process::Launch;
use headroom_tests::wait;

fn demo() -> Launch {
    Launch::proxy_to("http://127.0.0.1:1").args(&["demo"])
}

#[tokio::test]
async fn the_demo_lands_a_prefix_where_nothing_is_cached() {
    let ended = demo().run().await;
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{complained}");
    let said = String::from_utf8(ended.stdout).unwrap();
    let (cached, not_cached) = said.split_once("\n2. ").unwrap();
    assert!(cached.contains("idle for 10 minutes before turn 6"));
    assert!(not_cached.contains("the provider caches nothing"));
    for (session, lands) in [(cached, 6), (not_cached, 2)] {
        let turns: Vec<Vec<&str>> = session.lines().filter_map(turn).collect();
        assert_eq!(turns.len(), 9, "{said}");
        for (number, turn) in (1..).zip(&turns) {
            let [bytes_in, sent] = [turn[1], turn[2]].map(|it| number_of(it) as u64);
            let (decision, job) = match number {
                1 => ("deferred", Some("pushed")),
                _ if number < lands => ("compressed", Some("done")),
                _ if number == lands => ("compressed", Some("landed")),
                _ => ("compressed", None),
            };
            assert_eq!(turn[0], number.to_string());
            assert_eq!(sent == bytes_in, number == 1, "{said}");
            assert!(sent * 4 < bytes_in * 3 || number < lands, "{said}");
            assert_eq!((turn[5], turn.get(7).copied()), (decision, job), "{said}");
        }
        let figure = |name: &str| {
            let line = session.lines().find(|line| line.starts_with(name)).unwrap();
            number_of(line.split_whitespace().nth(1).unwrap())
        };
        let [bytes_in, sent] = [1, 2]
            .map(|column: usize| -> f64 { turns.iter().map(|turn| number_of(turn[column])).sum() });
        assert_eq!(figure("saved"), bytes_in - sent, "{said}");
        assert!(figure("cost") < 85.0, "{said}");
        for line in [
            "7 of 7 other turns began with the bytes of the turn before",
            "20 of 20 compressed tool outputs expand to their originals",
        ] {
            assert!(session.contains(line), "{line} is not in\n{said}");
        }
    }
}

/// The cells of a turn's line, if it is one.
fn turn(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.split_whitespace().collect();
    cells.first()?.parse::<usize>().ok()?;
    (cells.len() > 6).then_some(cells)
}

fn number_of(cell: &str) -> f64 {
    cell.replace(',', "").parse().unwrap()
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_error() {
    let mut running = demo().spawn_to_read();
    drop(running.stdout.take());
    let status = wait::soon("the demo to end", running.wait()).await.unwrap();
    assert!(status.success(), "{status}");
}
