//! Bodies that the client sent compressed (gzip, brotli, deflate, zstd).
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{Read, Write as _};

use headroom_tests::audit;
use headroom_tests::conversation::{Body, Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::provider::Received;
use headroom_tests::stage::Stage;
use serde_json::json;

type Encode = fn(&[u8]) -> Vec<u8>;

const ENCODINGS: [(&str, Encode); 4] = [
    ("gzip", |bytes| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }),
    ("deflate", |bytes| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }),
    ("br", |bytes| {
        let mut encoded = Vec::new();
        let mut encoder = brotli::CompressorWriter::new(&mut encoded, 4096, 4, 20);
        encoder.write_all(bytes).unwrap();
        drop(encoder);
        encoded
    }),
    ("zstd", |bytes| zstd::encode_all(bytes, 3).unwrap()),
];

fn encoded(conversation: &Conversation, body: &Body, encoding: &str, encode: Encode) -> Call {
    let call = conversation.call().header("content-encoding", encoding);
    call.body(encode(&body.bytes))
}

/// The text of a body that came in this encoding.
fn decoded(encoding: &str, received: &Received) -> Vec<u8> {
    assert_eq!(received.header("content-encoding"), [encoding]);
    let length = received.body.len().to_string();
    assert_eq!(received.header("content-length"), [length]);
    let (body, mut text) = (&received.body[..], Vec::new());
    let mut decoder: Box<dyn Read> = match encoding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(body)),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(body)),
        "br" => Box::new(brotli::Decompressor::new(body, 4096)),
        _ => Box::new(zstd::Decoder::new(body).unwrap()),
    };
    decoder.read_to_end(&mut text).unwrap();
    text
}

#[tokio::test]
async fn with_nothing_replaced_the_bytes_are_the_client_s() {
    let stage = Stage::embedded(|launch| launch).await;
    for dialect in Dialect::ALL {
        for (encoding, encode) in ENCODINGS {
            let conversation = Conversation::new(dialect, encoding).user("hi");
            let body = conversation.body();
            let answer = stage
                .send(&encoded(&conversation, &body, encoding, encode))
                .await;
            assert_eq!(answer.decision(), "forwarded");
            let received = stage.provider.next().await;
            assert_eq!(received.header("content-encoding"), [encoding]);
            assert_eq!(received.body, encode(&body.bytes), "{encoding}");
        }
    }
}

#[tokio::test]
async fn with_something_replaced_it_is_encoded_again() {
    for (encoding, encode) in ENCODINGS {
        let stage = Stage::embedded(|launch| launch.patient()).await;
        let (mut wire, mut text, mut saved) = ([0; 2], [0; 2], 0);
        for dialect in Dialect::ALL {
            let mut conversation = Conversation::new(dialect, encoding).user("Read.");
            let mut before: Vec<String> = Vec::new();
            for turn in 1..=3 {
                conversation = conversation.reads(turn, 20_000);
                let body = conversation.body();
                let call = encoded(&conversation, &body, encoding, encode);
                let sent = encode(&body.bytes).len();
                let answer = stage.send(&call).await;
                assert_eq!(answer.decision(), "compressed", "{encoding}");
                let shorter: usize = answer.header("x-headroom-bytes-saved").parse().unwrap();
                answer.bytes().await;
                let received = stage.provider.next().await;
                let got = decoded(encoding, &received);
                let texts = audit::texts(&body, &got).unwrap();
                assert_eq!(texts[..before.len()], before, "{encoding} {turn}");
                assert_eq!(shorter, body.bytes.len() - got.len());
                before = texts.iter().map(|text| (*text).to_owned()).collect();
                wire = [wire[0] + sent, wire[1] + received.body.len()];
                text = [text[0] + body.bytes.len(), text[1] + got.len()];
                saved += shorter;
            }
        }
        let stats = stage.stats().await;
        let expected = json!({"in": wire[0], "sent": wire[1]});
        assert_eq!(stats["wire_bytes"], expected, "{encoding}");
        let expected = json!({"in": text[0], "sent": text[1], "saved": saved});
        assert_eq!(stats["text_bytes"], expected, "{encoding}");
    }
}

#[tokio::test]
async fn a_body_of_several_members_is_encoded_as_one() {
    let stage = Stage::embedded(|launch| launch.patient()).await;
    for (encoding, encode) in ENCODINGS {
        if !["gzip", "zstd"].contains(&encoding) {
            continue;
        }
        let id = format!("members-{encoding}");
        let conversation = Conversation::new(Dialect::Responses, &id)
            .user("Read.")
            .reads(1, 20_000);
        let body = conversation.body();
        let (one, two) = body.bytes.split_at(body.bytes.len() / 2);
        let members = [encode(one), encode(two)].concat();
        let call = conversation.call().header("content-encoding", encoding);
        let answer = stage.send(&call.body(members)).await;
        assert_eq!(answer.decision(), "compressed", "{encoding}");
        let received = stage.provider.next().await;
        audit::texts(&body, &decoded(encoding, &received)).unwrap();
    }
}

#[tokio::test]
async fn what_was_sent_in_forms_stays_in_them_where_it_can_t_be_encoded_in_time() {
    let stage = Stage::with_redis(|launch| launch.patient()).await;
    let hasty = Launch::proxy(&stage.provider)
        .patient()
        .set("HEADROOM_REDIS_URL", stage.redis().url())
        .set("HEADROOM_ENTRY_BUDGET_MS", 0);
    let hasty = hasty.start().await;
    let (encoding, encode) = ENCODINGS[3];
    let mut conversation = Conversation::new(Dialect::Responses, "late").user("Read.");
    let mut before: Vec<String> = Vec::new();
    for (turn, addr, codings) in [
        (1, stage.addr(), &[encoding][..]),
        (2, hasty.addr(), &[]),
        (3, stage.addr(), &[encoding]),
    ] {
        conversation = conversation.reads(turn, 20_000);
        let body = conversation.body();
        let answer = encoded(&conversation, &body, encoding, encode)
            .send(&addr)
            .await;
        assert_eq!(answer.decision(), "compressed", "{turn}");
        answer.bytes().await;
        stage.until_settled(turn).await;
        let received = stage.provider.next().await;
        assert_eq!(received.header("content-encoding"), codings, "{turn}");
        let got = if codings.is_empty() {
            received.body.to_vec()
        } else {
            decoded(encoding, &received)
        };
        let texts = audit::texts(&body, &got).unwrap();
        assert_eq!(texts[..before.len()], before, "{turn}");
        before = texts.iter().map(|text| (*text).to_owned()).collect();
    }
}

#[tokio::test]
async fn where_all_forms_are_new_and_it_can_t_be_encoded_it_goes_out_as_it_came() {
    // There is memory for the body and its text, and not for what would be encoded.
    let stage = Stage::embedded(|launch| {
        let launch = launch.patient().set("HEADROOM_MAX_MEMORY", "4MiB");
        launch.set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 10_000_000)
    })
    .await;
    let (encoding, encode) = ENCODINGS[3];
    let conversation = Conversation::new(Dialect::Responses, "over memory")
        .user("Read.")
        .reads(1, 850_000);
    let body = conversation.body();
    let call = encoded(&conversation, &body, encoding, encode);
    let answer = stage.send(&call).await;
    assert_eq!(answer.decision(), "forwarded");
    assert_eq!(answer.header("x-headroom-bytes-saved"), "0");
    let received = stage.provider.next().await;
    assert_eq!(received.header("content-encoding"), [encoding]);
    assert_eq!(received.body, encode(&body.bytes));
    answer.bytes().await;
    let stats = stage.stats().await;
    assert_eq!(stats["blocks_uncompressed"]["entry_budget"], 1, "{stats}");
}

#[tokio::test]
async fn what_is_not_what_it_says_is_forwarded() {
    let stage = Stage::embedded(|launch| launch).await;
    for encoding in [
        "gzip", "deflate", "br", "zstd", "compress", "gzip, br", "made-up",
    ] {
        let call =
            Call::post("/v1/messages", "{\"messages\":[]}").header("content-encoding", encoding);
        let (decision, got) = stage.exchange(&call).await;
        assert_eq!(
            (decision.as_str(), &got[..]),
            ("forwarded", &b"{\"messages\":[]}"[..]),
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn a_bomb_is_forwarded_and_not_unpacked() {
    let stage = Stage::embedded(|launch| launch.set("HEADROOM_MAX_BODY_BYTES", 1 << 20)).await;
    let (_, gzip) = ENCODINGS[0];
    let bomb = gzip(&vec![b' '; 200 << 20]);
    let (decision, got) = stage
        .exchange(&Call::post("/v1/responses", bomb.clone()).header("content-encoding", "gzip"))
        .await;
    assert_eq!(decision, "forwarded");
    assert_eq!(got, bomb);
}
