//! What the provider's answers on a `WebSocket` leave in the store: as over HTTP.

use std::collections::BTreeSet;

use headroom_tests::redis_server::RedisServer;

use super::*;

const BEGUN: &str = r#"{"type":"response.created","response":{"id":"r"}}"#;
const COMPLETED: &str = r#"{"type":"response.completed","response":{"usage":{"input_tokens":900,"input_tokens_details":{"cached_tokens":512,"cache_write_tokens":7}}}}"#;

/// A proxy over Redis, with a connection on which one request was accepted.
struct Accepted {
    redis: RedisServer,
    stage: Stage,
    client: Socket,
    upstream: Socket,
    /// The keys of the request that was accepted.
    keys: BTreeSet<String>,
}

impl Accepted {
    async fn start() -> Self {
        let redis = RedisServer::persistent().await;
        let stage = Stage::start(|launch| launch.set("HEADROOM_REDIS_URL", redis.url())).await;
        let (client, upstream) = stage.agreed().await;
        let mut accepted = Self {
            redis,
            stage,
            client,
            upstream,
            keys: BTreeSet::new(),
        };
        accepted.ask(0).await;
        accepted.answer(BEGUN).await;
        accepted.answer(COMPLETED).await;
        accepted.keys = accepted.settled().await;
        accepted
    }

    /// Sends a request that no other one continues, and sees it arrive with a form.
    async fn ask(&mut self, number: usize) {
        self.client.write(text(other_request(number))).await;
        let got = got(&mut self.upstream).await;
        assert!(outputs(&got)[0].len() < output(number).len());
    }

    async fn answer(&mut self, answer: &str) {
        let answer = event(answer);
        self.upstream.write(&answer).await;
        assert_eq!(self.client.take(answer.len()).await, answer);
    }

    /// The keys in the store, when all have a full life and more are there than were.
    async fn settled(&self) -> BTreeSet<String> {
        let settled = || async {
            let keys = self.redis.settled_keys().await?;
            (keys.len() > self.keys.len()).then_some(keys)
        };
        wait::eventually("what was accepted to have a full life", settled).await
    }

    /// The usage in all records that have one.
    async fn usages(&self) -> Vec<Value> {
        let mut usages = Vec::new();
        for key in self.keys.iter().filter(|key| key.contains(":sent:")) {
            let record: String = self.redis.command(&["GET", key]).await;
            let record: Value = record.parse().expect("a record");
            usages.push(record["usage"].clone());
        }
        usages.retain(|usage| !usage.is_null());
        usages
    }
}

fn other_request(number: usize) -> String {
    let said = format!("Look at {number}.");
    let mut input = vec![json!({"type": "message", "role": "user", "content": said})];
    input.extend(call(number));
    request(&input)
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let mut it = Accepted::start().await;
    for (number, refusal) in [
        r#"{"type":"error","status":400,"error":{"code":"invalid_prompt","message":"no"}}"#,
        r#"{"type":"error","status_code":401,"error":{"message":"no"}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"no"}}"#,
        r#"{"type":"response.failed","response":{"status":"failed","usage":null,"error":{"code":"context_length_exceeded"}}}"#,
        r#"{"type":"response.failed"}"#,
        r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"content_filter"}}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        it.ask(1 + number).await;
        let stored = it.redis.request_keys().await;
        assert!(stored.len() > it.keys.len(), "{refusal}");
        it.answer(refusal).await;
        it.redis.until_request_keys_are(&it.keys).await;
    }
    // A response that says so after it has begun was no refusal.
    it.ask(9).await;
    it.answer(BEGUN).await;
    it.answer(r#"{"type":"response.failed","response":{"error":{"code":"invalid_prompt"}}}"#)
        .await;
    it.settled().await;
    // All of them went out with forms, and count so.
    assert_eq!(it.stage.stats().await["requests"]["compressed"], 8);
}

#[tokio::test]
async fn what_is_to_be_sent_again_stays() {
    let mut it = Accepted::start().await;
    for (number, answer) in [
        r#"{"type":"error","status":429,"error":{"code":"any"}}"#,
        r#"{"type":"error","status":503,"error":{"code":"any"}}"#,
        r#"{"type":"error","status":400,"error":{"code":"websocket_connection_limit_reached"}}"#,
        r#"{"type":"error","code":"rate_limit_exceeded","message":"later"}"#,
        r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#,
        r#"{"type":"response.cancelled"}"#,
        r#"{"type":"response.incomplete","response":{"usage":{"input_tokens":9}}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        it.ask(1 + number).await;
        it.answer(answer).await;
        it.keys = it.settled().await;
    }
}

#[tokio::test]
async fn outcomes_are_those_of_the_requests_in_their_order() {
    let mut it = Accepted::start().await;
    it.ask(1).await;
    it.ask(2).await;
    it.answer(r#"{"type":"response.failed"}"#).await;
    it.answer(BEGUN).await;
    it.answer(r#"{"type":"response.completed","response":{"usage":{"input_tokens":70}}}"#)
        .await;
    let of_one = it.keys.len();
    it.keys = it.settled().await;
    assert_eq!(it.keys.len(), 2 * of_one, "{:?}", it.keys);
    let mut usages = it.usages().await;
    usages.sort_by_key(|usage| usage["total"].as_u64());
    assert_eq!(usages, [usage(0, 0, 70), usage(512, 7, 900)]);
}

#[tokio::test]
async fn usage_is_noted_as_over_http() {
    let mut it = Accepted::start().await;
    assert_eq!(it.usages().await, [usage(512, 7, 900)]);
    let sse = format!("data: {BEGUN}\n\ndata: {COMPLETED}\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    let length = sse.len();
    let answer = format!("{head}content-length: {length}\r\n\r\n{sse}");
    let call = Call::post("/v1/responses", other_request(1));
    let provide = async {
        let mut upstream = it.stage.provider.next().await;
        upstream.message().await.expect("a request");
        upstream.write(answer).await;
    };
    let addr = it.stage.proxy.addr();
    let ask = async { call.send(&addr).await.bytes().await };
    tokio::join!(ask, provide);
    it.keys = it.settled().await;
    assert_eq!(it.usages().await, [usage(512, 7, 900), usage(512, 7, 900)]);
}

fn usage(read: u64, written: u64, total: u64) -> Value {
    json!({"read": read, "written": written, "written_hour": 0, "total": total, "output": 0})
}
