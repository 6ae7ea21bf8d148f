//! Settings that are misspelt or can't be taken as they are: the programs say so, and never show a secret.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use clap::CommandFactory as _;
use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;

/// Both programs over one Redis.
fn both(redis: &RedisServer, provider: &Provider) -> [Launch; 2] {
    let url = redis.url();
    let proxy = Launch::proxy(provider).set("HEADROOM_REDIS_URL", &url);
    [proxy, Launch::worker(&url)]
}

/// What a program ends with at its start.
async fn refused(launch: Launch, code: i32) -> String {
    let output = launch.run().await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[tokio::test]
async fn what_is_taken_otherwise_than_it_was_set_is_told_at_the_start() {
    let (redis, provider) = (RedisServer::start().await, Provider::start().await);
    let [proxy, worker] = both(&redis, &provider);
    let shared = [
        (
            "HEADROOM_NAMESAPCE",
            "secret-value",
            "HEADROOM_NAMESAPCE is set, but there is no such setting; is HEADROOM_NAMESPACE meant?",
        ),
        (
            "HEADROOM_BACKGROUND_COMPRESSION_WORKERS",
            "100000",
            "HEADROOM_BACKGROUND_COMPRESSION_WORKERS is 100000, and takes 1 to 1024: 1024 is used",
        ),
    ];
    let more = [(
        "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
        "many",
        "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS is not a number: 50000 is used",
    )];
    for (launch, more) in [(proxy, &more[..]), (worker, &[])] {
        let settings: Vec<_> = shared.iter().chain(more).collect();
        let launch = settings
            .iter()
            .fold(launch, |it, (name, value, _)| it.set(name, value));
        let mut process = launch.start().await;
        let log = process.whole_log().await;
        for (_, _, says) in settings {
            assert!(log.contains(says), "{says}: {log}");
        }
        // Settings of the other program are known, too.
        assert_eq!(log.matches("no such setting").count(), 1, "{log}");
        assert!(!log.contains("secret-value"), "{log}");
    }
}

/// What compose passes on to a service.
fn passed_on(service: &str) -> String {
    let compose = include_str!("../../../docker-compose.yml");
    let (_, from) = compose.split_once(&format!("\n  {service}:\n")).unwrap();
    let to = from.find("\n\n").unwrap_or(from.len());
    let (_, environment) = from[..to].split_once("\n    environment:\n").unwrap();
    environment.to_owned()
}

#[test]
fn every_setting_is_documented_and_passed_on_by_compose() {
    let of_embedded = [
        "HEADROOM_BACKGROUND_COMPRESSION_WORKERS",
        "HEADROOM_DATA_DIR",
        "HEADROOM_JOB_TIMEOUT_SECONDS",
        "HEADROOM_MAX_STORE_BYTES",
        "HEADROOM_MODEL",
        "HEADROOM_MODEL_KEEP_RATE",
        "HEADROOM_MODEL_THRESHOLD",
    ];
    // The image sets it.
    let of_image = ["HEADROOM_HOST"];
    let (proxy, worker) = (
        headroom_proxy::Settings::command(),
        headroom_worker::Settings::command(),
    );
    let documented = include_str!("../../../docs/operations.md");
    for (service, command, without) in [
        ("proxy", proxy, &of_embedded[..]),
        ("worker", worker, &of_image),
    ] {
        let passed_on = passed_on(service);
        for variable in command.get_arguments().filter_map(clap::Arg::get_env) {
            let name = variable.to_str().unwrap();
            let row = format!("\n| `{name}` | ");
            assert!(documented.contains(&row), "{name}");
            let is_passed_on = passed_on.contains(&format!("      {name}:"));
            assert_ne!(is_passed_on, without.contains(&name), "{service}: {name}");
        }
    }
}

#[tokio::test]
async fn a_build_without_the_model_says_so_and_starts() {
    let (redis, provider) = (RedisServer::start().await, Provider::start().await);
    let launches = [Launch::worker(&redis.url()), Launch::proxy(&provider)];
    for launch in launches {
        let mut process = launch.set("HEADROOM_MODEL", "/a/folder").start().await;
        let log = process.whole_log().await;
        let errors: Vec<&str> = log.lines().filter(|it| it.contains("ERROR")).collect();
        assert!(
            errors.len() == 1 && errors[0].contains("this build has no model support"),
            "{log}"
        );
    }
    let pull = Launch::worker(&redis.url()).args(&["model", "pull", "owner/name"]);
    let said = refused(pull, 1).await;
    assert!(said.contains("this build has no model support"), "{said}");
}

#[tokio::test]
async fn a_misspelt_level_is_refused_with_the_nearest() {
    let (redis, provider) = (RedisServer::start().await, Provider::start().await);
    for launch in both(&redis, &provider) {
        let said = refused(launch.set("HEADROOM_LOG", "inof"), 2).await;
        assert!(said.starts_with("error: HEADROOM_LOG (or --log) is \"inof\": takes a level"));
        assert!(said.trim_end().ends_with("is \"info\" meant?"), "{said}");
    }
}

#[tokio::test]
async fn no_setting_shows_its_secret() {
    let provider = Provider::start().await;
    for name in [
        "HEADROOM_REDIS_URL",
        "ANTHROPIC_TARGET_API_URL",
        "OPENAI_TARGET_API_URL",
        "HEADROOM_ALLOWED_UPSTREAMS",
        "HEADROOM_NAMESPACE",
        "HEADROOM_LOG",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        for value in [
            "ftp://me:hunter2@host",
            "https://host/?key=hunter2",
            "socks5://:hunter2@host",
        ] {
            let launch = Launch::proxy(&provider).set(name, value);
            let shown = launch.clone().args(&["--help"]).run().await;
            let shown = String::from_utf8(shown.stdout).unwrap();
            assert!(
                !name.ends_with("_URL") || !shown.contains("hunter2"),
                "{name}"
            );
            if name.ends_with("_PROXY") {
                continue;
            }
            let said = refused(launch, 2).await;
            let says = format!("error: {name} (or --");
            assert!(
                said.starts_with(&says) && said.contains(": takes "),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_login_that_redis_refuses_is_told_as_such() {
    let (redis, provider) = (RedisServer::start().await, Provider::start().await);
    let _: () = redis
        .command(&["CONFIG", "SET", "requirepass", "right"])
        .await;
    let bare = redis.url();
    for url in [
        bare.clone(),
        redis.url_as(":hunter2"),
        redis.url_as("me:hunter2"),
    ] {
        for launch in [
            Launch::worker(&url),
            Launch::proxy(&provider).set("HEADROOM_REDIS_URL", &url),
            Launch::worker(&url).args(&["queue", "status"]),
        ] {
            let said = refused(launch, 1).await;
            let error = said.lines().find(|line| line.contains(": error: "));
            let error = error.unwrap_or_else(|| panic!("{said}"));
            assert!(error.contains("Redis refuses this login"), "{said}");
            assert!(
                !error.contains("away") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
}
