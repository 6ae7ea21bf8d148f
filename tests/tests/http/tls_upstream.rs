//! A provider behind TLS, as the real ones are: whatever it offers to speak, it is spoken to in HTTP/1.1.

use headroom_tests::http::Call;
use headroom_tests::raw::BODY;
use headroom_tests::tls_provider::{TlsProvider, answer_ok, through};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn whatever_it_offers_it_is_asked_in_http1() {
    for protocols in [&["h2", "http/1.1"][..], &["http/1.1"], &[]] {
        let provider = TlsProvider::listen("127.0.0.1", protocols).await;
        let proxy = provider.launch(&provider.ca).start().await;
        let addr = proxy.addr();
        let serving = async {
            let mut stream = provider.next().await.expect("TLS");
            for _ in 0..2 {
                let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
                assert_ne!(agreed.as_deref(), Some(&b"h2"[..]));
                let asked = answer_ok(&mut stream, BODY).await;
                assert!(
                    asked.starts_with("POST /v1/messages HTTP/1.1\r\n"),
                    "{asked}"
                );
            }
            stream
        };
        let asking = async {
            for _ in 0..2 {
                let answer = Call::post("/v1/messages", BODY).send(&addr).await;
                assert_eq!((answer.status(), answer.bytes().await), (200, "ok".into()));
            }
        };
        tokio::join!(serving, asking);
    }
}

#[tokio::test]
async fn pieces_of_a_stream_are_not_held_back() {
    let provider = TlsProvider::listen("127.0.0.1", &["h2", "http/1.1"]).await;
    let proxy = provider.launch(&provider.ca).start().await;
    let call = Call::post("/v1/responses", BODY);
    let addr = proxy.addr();
    let serving = async {
        let mut stream = provider.next().await.expect("TLS");
        through(&mut stream, BODY).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("a reader");
        stream.flush().await.expect("a reader");
        stream
    };
    let (mut answer, mut stream) = tokio::join!(call.send(&addr), serving);
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        stream.write_all(event.as_bytes()).await.expect("a reader");
        stream.flush().await.expect("a reader");
        assert_eq!(answer.chunk().await.expect("a piece"), event);
    }
    // The end of TLS is told apart from a connection that is cut.
    drop(stream);
    assert!(answer.try_bytes().await.is_err());
}

#[tokio::test]
async fn websockets_pass() {
    let provider = TlsProvider::listen("127.0.0.1", &["h2", "http/1.1"]).await;
    let proxy = provider.launch(&provider.ca).start().await;
    let mut client = headroom_tests::raw::Socket::connect(&proxy.addr()).await;
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    client
        .write(format!(
            "GET /v1/responses HTTP/1.1\r\nhost: x\r\n{upgrade}"
        ))
        .await;
    let mut stream = provider.next().await.expect("TLS");
    through(&mut stream, "\r\n\r\n").await;
    let agreed = format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}");
    stream.write_all(agreed.as_bytes()).await.expect("a reader");
    stream.flush().await.expect("a reader");
    assert_eq!(client.head().await.expect("an answer").status(), 101);
    for word in ["one!", "two!"] {
        client.write(word).await;
        assert_eq!(through(&mut stream, "!").await, word);
        stream.write_all(word.as_bytes()).await.expect("a reader");
        stream.flush().await.expect("a reader");
        assert_eq!(client.take(4).await, word.as_bytes());
    }
    stream.shutdown().await.expect("a reader");
    assert_eq!(client.rest().await, (Vec::new(), true));
}

#[tokio::test]
async fn a_stranger_is_not_spoken_to() {
    let other = TlsProvider::listen("127.0.0.1", &[]).await;
    let unknown = TlsProvider::listen("127.0.0.1", &[]).await;
    let misnamed = TlsProvider::listen("api.example", &[]).await;
    for (provider, trusted) in [(&unknown, &other.ca), (&misnamed, &misnamed.ca)] {
        let proxy = provider.launch(trusted).start().await;
        let addr = proxy.addr();
        let call = Call::post("/v1/messages", BODY);
        let (answer, shaken) = tokio::join!(call.send(&addr), provider.next());
        assert_eq!(answer.status(), 502);
        let error = answer.json().await["error"]["message"].to_string();
        assert!(error.contains("certificate"), "{error}");
        if let Ok(mut stream) = shaken {
            // Nothing was said: it learns of the refusal only.
            assert!(stream.read_u8().await.is_err());
        }
    }
}
