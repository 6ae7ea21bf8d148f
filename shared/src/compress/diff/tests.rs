use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::compress::call::Call;
use crate::compress::testing::round_trip;

/// A changed file with one hunk.
fn file(path: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nindex 393eb4f..180c4f7 100644\n--- a/{path}\n+++ b/{path}\n\
         @@ -10,3 +10,4 @@ fn main() {{\n a\n-b\n+B\n+c\n d\n"
    )
}

/// The form's body, its header left out.
fn body(text: &str) -> Option<String> {
    let form = round_trip(&Diff, text)?;
    Some(form.split_once('\n').unwrap().1.to_owned())
}

/// The body where two files with hunks of the usual kind stand behind the text.
fn body_before_files(text: &str) -> String {
    let body = body(&format!("{text}{}{}", file("src/x.rs"), file("src/y.rs"))).unwrap();
    body.split_once("diff src/x.rs ").unwrap().0.to_owned()
}

#[test]
fn files_and_hunks_are_said_in_one_line() {
    let text = format!("{}{}", file("src/a.rs"), file("src/b.rs"));
    let hunk = "@@ +10 fn main() {\n a\n-b\n+B\n+c\n d\n";
    assert_eq!(
        body(&text).unwrap(),
        format!("diff src/a.rs 393eb4f..180c4f7\n{hunk}diff src/b.rs 393eb4f..180c4f7\n{hunk}")
    );
    assert_eq!(
        body(&file("src/a.rs")),
        None,
        "one file is not worth a header"
    );
}

#[test]
fn new_deleted_and_executable_files_are_told_apart() {
    let new = "diff --git a/n b/n\nnew file mode 100755\nindex 0000000..1234abc\n--- /dev/null\n+++ b/n\n@@ -0,0 +1,2 @@\n+a\n+b\n";
    assert_eq!(
        body_before_files(new),
        "diff n new 1234abc 100755\n@@ +1\n+a\n+b\n"
    );
    let deleted = "diff --git a/o b/o\ndeleted file mode 100644\nindex 1234abc..0000000\n--- a/o\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n\\ No newline at end of file\n";
    assert_eq!(
        body_before_files(deleted),
        "diff o deleted 1234abc\n@@ +0\n-a\n\\ No newline at end of file\n"
    );
    let executable = file("x").replace("100644", "100755");
    assert!(body_before_files(&executable).starts_with("diff x 393eb4f..180c4f7 100755\n"));
}

#[test]
fn later_hunks_follow_from_those_above() {
    let more = "@@ -20,2 +21 @@\n-e\n f\n@@ -40 +40 @@\n-g\n+h\n@@ -50,0 +51,2 @@ end\n+i\n+j\n";
    assert_eq!(
        body_before_files(&format!("{}{more}", file("src/a.rs"))),
        "diff src/a.rs 393eb4f..180c4f7\n@@ +10 fn main() {\n a\n-b\n+B\n+c\n d\n\
         @@ +21\n-e\n f\n@@ +40\n-g\n+h\n@@ +51 end\n+i\n+j\n"
    );
}

#[test]
fn what_does_not_follow_stays() {
    for hunk in [
        "@@ -10,3 +10,9 @@\n a\n-b\n+B\n d\n",
        "@@ -10,3 +11,3 @@\n a\n-b\n+B\n d\n",
        "@@ -10,2 +10,2 @@\n a\n\n",
        "@@ -010 +010 @@\n-a\n+b\n",
        "@@ -10,1 +10,1 @@\n-a\n+b\n",
        "@@@ -1,2 -1,2 +1,2 @@@\n  a\n  b\n",
        "@@ -0,0 +0,0 @@\n",
        "@@ -1 +1 @@x\n-a\n+b\n",
    ] {
        assert_eq!(body_before_files(hunk), hunk);
    }
    let renamed = file("a").replacen("b/a", "b/c", 1);
    assert!(body_before_files(&renamed).starts_with("diff --git a/a b/c\nindex 393"));
    let with_space = file("a b");
    assert!(body_before_files(&with_space).starts_with("diff --git a/a b b/a b\nindex 393"));
}

#[test]
fn messages_of_commits_and_returns_stay() {
    let commit = "commit 1234\n\n    diff x 1234..5678\n    @@ +3\n\n";
    assert_eq!(body_before_files(commit), commit);
    let text =
        format!("{}{}", file("src/a.rs"), file("src/b.rs")).replace("b\n+B\n", "b\r\n+B\r\n");
    assert!(body(&text).unwrap().contains("-b\r\n+B\r\n"));
}

#[test]
fn a_text_with_lines_like_ours_is_left() {
    let files = format!("{}{}{}", file("a"), file("b"), file("c"));
    assert!(body(&files).is_some());
    for line in [
        "@@ +12",
        "@@ +12 x",
        "diff a 1234..5678",
        "diff a new 12345 100755",
    ] {
        assert_eq!(body(&format!("{line}\n{files}")), None, "{line}");
        assert_eq!(body(&format!("{files}{line}")), None, "{line}");
    }
    for line in [
        "@@ +x",
        "@@ +012",
        "diff a b",
        "diff -r a b",
        "diff a 1234..5678 100644",
    ] {
        assert!(body(&format!("{line}\n{files}")).is_some(), "{line}");
    }
}

#[test]
fn what_a_file_holds_is_left() {
    let text = file("a").repeat(9);
    let call = Call::of(Some("Bash"), Some(r#"{"command":"cat fix.patch"}"#));
    let earlier = Earlier::default();
    let context = Context {
        earlier: &earlier,
        call: &call,
    };
    assert!(Diff.form(&Text::new(&text), context).is_none());
    assert!(body(&text).is_some());
}

#[test]
fn a_damaged_form_expands_to_nothing() {
    let expand = |body: &str| Diff.expand(HEADER, body, &Earlier::default());
    assert_eq!(
        expand("@@ +3 x\n-a\n+b").as_deref(),
        Some("@@ -3 +3 @@ x\n-a\n+b")
    );
    // More lines were put in above than the hunk's number leaves room for.
    let damaged = "diff a 1234..5678\n@@ -1 +1,4 @@\n-a\n+b\n+c\n+d\n+e\n@@ +2\n-f\n+g";
    assert_eq!(expand(damaged), None);
    assert_eq!(expand("@@ +3 x\n"), None, "a hunk has lines");
    assert_eq!(
        Diff.expand("diff F", "@@ +3\n-a\n+b", &Earlier::default()),
        None
    );
}

#[test]
fn lines_that_are_shortened_are_hidden() {
    let text = format!("{}{}", file("src/a.rs"), file("src/b.rs"));
    let lines: Vec<&str> = text.lines().collect();
    let call = Call::default();
    let earlier = Earlier::default();
    let context = Context {
        earlier: &earlier,
        call: &call,
    };
    let hidden = hidden(&Text::new(&text), context).unwrap();
    let shown: Vec<&str> = lines
        .iter()
        .zip(&hidden)
        .filter(|(_, hidden)| !**hidden)
        .map(|(line, _)| *line)
        .collect();
    assert_eq!(
        shown,
        [" a", "-b", "+B", "+c", " d", " a", "-b", "+B", "+c", " d"]
    );
}

/// Pieces of diffs, whole and broken, and of forms.
const PIECES: [&str; 20] = [
    "diff --git a/x b/x\nindex 1234567..1234568 100644\n--- a/x\n+++ b/x\n",
    "diff --git a/x b/x\nnew file mode 100755\nindex 0000000..1234568\n--- /dev/null\n+++ b/x\n",
    "diff --git a/x b/x\ndeleted file mode 100644\nindex 1234567..0000000\n--- a/x\n+++ /dev/null\n",
    "diff --git a/x b/x\n",
    "diff --cc x\n",
    "index 1234567..1234568 100644\n",
    "--- a/x\n",
    "@@ -1,2 +1,3 @@\n",
    "@@ -5,2 +6 @@ f\n",
    "@@ -0,0 +1 @@\n",
    "@@ -8 +8 @@\n-a\n+b\n",
    "@@ -9,2 +10,2 @@\n-a\n+b\n c\n",
    "@@ +1\n",
    " a\n",
    "-a\n",
    "+a\n",
    "\\ No newline at end of file\n",
    "\n",
    "\r\n",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_diff_comes_back(pieces in prop::collection::vec(select(&PIECES[..]), 0..40)) {
        let files = format!("{}{}", file("src/long/a.rs"), file("src/long/b.rs"));
        round_trip(&Diff, &format!("{files}{}", pieces.concat()));
        round_trip(&Diff, &format!("{}{files}", pieces.concat()));
    }

    #[test]
    fn expanding_anything_never_panics(pieces in prop::collection::vec(select(&PIECES[..]), 0..40)) {
        let _ = Diff.expand(HEADER, &pieces.concat(), &Earlier::default());
    }
}
