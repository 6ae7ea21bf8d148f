//! What packages carry beside the programs, which the programs write themselves: completions and manual pages.

use std::fs;

use headroom_tests::process::Launch;

fn both() -> [(&'static str, Launch); 2] {
    let proxy = Launch::proxy_to("http://127.0.0.1:1");
    let worker = Launch::worker("redis://127.0.0.1:1");
    [("headroom-proxy", proxy), ("headroom-worker", worker)]
}

#[tokio::test]
async fn both_programs_print_completions_for_each_shell() {
    for (program, launch) in both() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let ended = launch.clone().args(&["completions", shell]).run().await;
            let script = String::from_utf8(ended.stdout).unwrap();
            assert!(ended.status.success(), "{program} {shell}");
            for word in [program, "redis-url", "completions"] {
                assert!(script.contains(word), "{program} {shell} {word}");
            }
        }
    }
}

#[tokio::test]
async fn both_programs_write_a_manual_page_for_each_subcommand_that_help_shows() {
    let folder = tempfile::tempdir().unwrap();
    // It is made, as is all above it.
    let to = folder.path().join("share/man1");
    for (_, launch) in both() {
        let ended = launch.args(&["man", to.to_str().unwrap()]).run().await;
        assert!(ended.status.success());
    }
    for page in ["headroom-proxy-replay", "headroom-worker-queue-status"] {
        assert!(to.join(page).with_extension("1").exists(), "{page}");
    }
    assert!(!to.join("headroom-proxy-man.1").exists());
    for page in ["headroom-proxy.1", "headroom-worker.1"] {
        let text = fs::read_to_string(to.join(page)).unwrap();
        assert!(text.contains(".SH OPTIONS"), "{page}");
        assert!(text.contains("HEADROOM_REDIS_URL"), "{page}");
        // Settings of the one who makes the pages stay with him.
        assert!(!text.contains("127.0.0.1:1"), "{page}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (program, launch) in both() {
        let ended = launch.args(&["man", path]).run().await;
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        let line = format!("{program}: error: can't write manual pages to {path}: ");
        assert!(said.starts_with(&line), "{said}");
    }
}
