//! Bodies that the client sent compressed (gzip, brotli, deflate, zstd).
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write as _;

use headroom_tests::audit;
use headroom_tests::conversation::{Body, Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::stage::Stage;

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
async fn with_something_replaced_only_that_differs() {
    let stage = Stage::embedded(|launch| launch.patient()).await;
    for dialect in Dialect::ALL {
        for (encoding, encode) in ENCODINGS {
            let conversation = Conversation::new(dialect, &format!("big-{encoding}"))
                .user("Read.")
                .reads(1, 20_000);
            let body = conversation.body();
            let answer = stage
                .send(&encoded(&conversation, &body, encoding, encode))
                .await;
            assert_eq!(answer.decision(), "compressed", "{encoding}");
            let received = stage.provider.next().await;
            let got = match received.header("content-encoding")[..] {
                [] | ["identity"] => received.body.to_vec(),
                ref other => panic!("{encoding} came as {other:?}"),
            };
            assert_eq!(received.header("content-length"), [got.len().to_string()]);
            audit::texts(&body, &got).unwrap();
        }
    }
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
