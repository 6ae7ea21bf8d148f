//! What the page asks for, and what it may do.

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::page;
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::Value;

/// A conversation that reads a file twice.
fn conversation(id: &str) -> Conversation {
    Conversation::new(Dialect::Messages, id)
        .user("Find the bug.")
        .reads(1, 20_000)
        .reads(1, 20_000)
}

async fn get(stage: &Stage, path: &str) -> Value {
    stage.send(&Call::get(path)).await.json().await
}

#[tokio::test]
async fn the_page_and_its_files_are_served_and_ask_nobody_else() {
    let stage = Stage::embedded(Launch::patient).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/dashboard", "text/html; charset=utf-8"),
        ("/dashboard/page.css", "text/css; charset=utf-8"),
        ("/dashboard/page.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = stage.send(&Call::get(path)).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let policy = answer.header("content-security-policy").to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        let text = answer.bytes().await;
        let text = std::str::from_utf8(&text).unwrap();
        assert!(!text.contains("://"), "{path} names another host");
    }
    // What is for another host is no question to the page.
    let elsewhere = Call::get("/").header("host", "evil.example");
    assert_eq!(
        stage.send(&elsewhere).await.header("content-type"),
        "application/json"
    );
    assert_eq!(stage.provider.next().await.path(), "/");
    let elsewhere = Call::get("/dashboard").header("host", "evil.example");
    assert_eq!(stage.send(&elsewhere).await.status(), 403);
    stage.send(&Call::post("/", "{}")).await;
    assert_eq!(stage.provider.next().await.method, "POST");
}

#[tokio::test]
async fn the_overview_tells_of_requests_conversations_and_the_queue() {
    let stage = Stage::embedded(Launch::patient).await;
    let mut client = Client::new(conversation("overview"));
    let first = client.turn(&stage).await;
    client.turn(&stage).await;
    let overview = wait::eventually("both requests to be billed", || async {
        let overview = get(&stage, "/dashboard/overview").await;
        (overview["counts"]["cost"]["requests"] == 2).then_some(overview)
    })
    .await;
    let turns = overview["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 2, "{overview}");
    assert_eq!(turns[1]["id"], first.request, "the newest stands first");
    for turn in turns {
        assert_eq!(turn["decision"], "compressed");
        assert_eq!(turn["model"], client.conversation.model);
        assert_eq!(turn["status"], 200);
        assert!(turn["bytes_saved"].as_u64().unwrap() > 10_000, "{turn}");
        assert!(turn["added_ms"].as_f64().unwrap() > 0.0);
        assert!(
            turn["usd"].as_f64().unwrap() < turn["shadow_usd"].as_f64().unwrap(),
            "{turn}"
        );
    }
    let [only] = &overview["conversations"].as_array().unwrap()[..] else {
        panic!("{overview}")
    };
    assert_eq!(only["requests"], 2);
    assert_eq!(only["id"], turns[0]["conversation"]);
    let total = overview["counts"]["cost"]["usd"].as_f64().unwrap();
    assert!((only["usd"].as_f64().unwrap() - total).abs() < 1e-8);
    assert_eq!(overview["counts"]["cost"]["days"][0]["requests"], 2);
    assert_eq!(overview["queue"]["status"]["workers"][0]["alive"], true);
    assert_eq!(overview["queue"]["status"]["waiting"], 0);
}

#[tokio::test]
async fn events_come_at_once_and_end_with_the_proxy() {
    let mut stage = Stage::embedded(Launch::patient).await;
    let mut events = stage.send(&Call::get("/dashboard/events")).await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    let first = events.chunk().await.unwrap();
    let first = std::str::from_utf8(&first).unwrap();
    let data = first.strip_prefix("event: overview\ndata: ").unwrap();
    let overview: Value = serde_json::from_str(data.trim_end()).unwrap();
    assert_eq!(overview["store"], "embedded");
    // It does not hold up a stop.
    stage
        .proxy()
        .terminate(std::time::Duration::from_secs(10))
        .await;
    while events.chunk().await.is_some() {}
}

#[tokio::test]
async fn texts_are_shown_only_where_that_is_asked_for() {
    for (set, shown) in [("off", false), ("1", true)] {
        let stage = Stage::embedded(|launch| launch.patient().set("HEADROOM_SHOW_TEXT", set)).await;
        let mut client = Client::new(conversation("texts"));
        client.turn(&stage).await;
        let overview = get(&stage, "/dashboard/overview").await;
        let path = format!(
            "/dashboard/conversations/{}",
            overview["conversations"][0]["id"].as_str().unwrap()
        );
        let document = get(&stage, &path).await;
        assert_eq!(document["turns"].as_array().unwrap().len(), 1);
        let block = stage.send(&Call::get(&format!("{path}/blocks/1"))).await;
        if shown {
            let blocks = document["blocks"].as_array().unwrap();
            assert_eq!(blocks.len(), 2, "{document}");
            assert_eq!(blocks[1]["tool"], "Read");
            let block: Value = block.json().await;
            let [original, form] = ["original", "form"].map(|name| block[name].as_str().unwrap());
            assert!(form.len() < original.len() && original.len() > 15_000);
            let beyond = stage.send(&Call::get(&format!("{path}/blocks/9"))).await;
            assert_eq!(beyond.status(), 404);
        } else {
            assert!(document["blocks"].is_null(), "{document}");
            assert_eq!(block.status(), 403);
            assert!(
                !get(&stage, "/dashboard/overview")
                    .await
                    .to_string()
                    .contains("module_1")
            );
        }
    }
}

#[tokio::test]
async fn jobs_are_replayed_and_dropped_only_by_who_has_the_token() {
    let mut stage = Stage::with_redis(Launch::patient).await;
    stage.start_worker().await;
    let _: u64 = stage.redis().command(&["LPUSH", "headroom:jobs", r#"{"v":99,"id":"other","prefix":"00000000000000000000000000000001","model":"m","tokens":1,"blocks":1,"bytes":1,"enqueued_ms":1,"trace":"t"}"#]).await;
    let dead = wait::eventually("the job to be buried", || async {
        let overview = get(&stage, "/dashboard/overview").await;
        let dead = overview["queue"]["dead_letters"]["dead"][0].clone();
        dead["id"].is_string().then_some(dead)
    })
    .await;
    assert_eq!(dead["id"], "other");
    let token = page::token(stage.proxy());
    let post = |action: &str| Call::post(&format!("/dashboard/queue/{action}/other"), "");
    let with_token = |action: &str| post(action).header("x-headroom-token", &token);
    for refused in [
        post("drop"),
        post("drop").header("x-headroom-token", "guess"),
    ] {
        assert_eq!(stage.send(&refused).await.status(), 401);
    }
    let of_a_page = with_token("drop").header("origin", "http://evil.example");
    assert_eq!(stage.send(&of_a_page).await.status(), 403);
    let answer = stage.send(&with_token("replay")).await;
    assert_eq!(answer.status(), 409);
    let answer: Value = answer.json().await;
    assert!(
        answer["error"].as_str().unwrap().contains("version 99"),
        "{answer}"
    );
    let answer = stage.send(&with_token("drop")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json().await["was"], "dead");
    assert_eq!(stage.send(&with_token("drop")).await.status(), 404);
    assert_eq!(stage.send(&with_token("burn")).await.status(), 404);
    // The page does not tell it, and neither does the log.
    assert!(
        !get(&stage, "/dashboard/overview")
            .await
            .to_string()
            .contains(&token)
    );
    assert!(!stage.proxy().whole_log().await.contains(&token));
}

#[tokio::test]
async fn the_page_says_that_the_queue_is_away() {
    let mut stage = Stage::with_redis(Launch::alive_is_enough).await;
    stage.redis.as_mut().unwrap().kill();
    let overview = get(&stage, "/dashboard/overview").await;
    assert!(overview["queue"]["error"].is_string(), "{overview}");
    assert_eq!(overview["counts"]["requests"]["total"], 0);
}
