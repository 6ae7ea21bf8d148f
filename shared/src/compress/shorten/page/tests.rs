use std::time::{Duration, Instant};

use super::*;
use crate::compress::shorten::{is_prose, is_shortened_of, original_of};
use crate::compress::{Earlier, Prepared, compress};
use crate::contract::id::BlockId;

const PAGE: &str = r##"<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Quick start &mdash; agent</title>
<style>body { color: red }</style><script>if (a < b) { document.write("<p>no</p>"); }</script></head>
<body class="md"><!-- a comment -->
<svg viewBox="0 0 24 24"><title>Menu</title><path d="M1 1"/></svg>
<nav><ul><li><a href="/docs/">Docs</a></li><li>Guides<ul><li><a href="#top">Top</a></li></ul></li></ul></nav>
<h1 id="top">Quick   start</h1>
<p>Run <code>pip install agent</code> and <b>read</b>
   the <a href="https://example.com/faq?a=1&amp;b=2">FAQ</a>.<br>It is short.</p>
<ol start="3"><li><p>Configure</p></li><li>Run</li></ol>
<pre><code>
$ agent --model x
  <span class="o">done</span>
</code></pre>
<table><thead><tr><th>Name</th><th>Default</th></tr></thead>
<tr><td><p>model</p></td><td></td><td>none</td></tr><tr><td></td><td>2</td></tr></table>
<img src="a.png" alt="A diagram"><img src="b.png"><hr>
<noscript><p>Switch it on.</p></noscript>
</body></html>
"##;

const TEXT: &str = "Quick start — agent

- [Docs](/docs/)
- Guides
  - Top

# Quick start

Run `pip install agent` and read the [FAQ](https://example.com/faq?a=1&b=2).
It is short.

3. Configure
4. Run

```
$ agent --model x
  done
```

Name | Default
model | | none
| 2

![A diagram](a.png)

---";

fn original() -> OriginalId {
    OriginalId::of(BlockId::from_bytes([0xab; 16]))
}

fn fetched(text: &str) -> Source<'_> {
    Source {
        text,
        tool: Some("Bash"),
        input: Some(r#"{"command":"curl -s https://example.com/"}"#),
    }
}

#[test]
fn the_text_of_a_page_is_what_is_read_on_it() {
    assert_eq!(writer::text_of(PAGE), TEXT);
}

#[test]
fn a_fetched_page_goes_out_as_its_text() {
    let prepared = Prepared::of(fetched(PAGE)).with_original(original());
    let form = prepared.compress(&Earlier::default()).unwrap();
    assert_eq!(
        form,
        format!(
            "[headroom_retrieve(\"abababababababab\") returns this page as it came, 20 lines of HTML, from which `lines` and `pattern` \
             choose; below is its text alone]\n{TEXT}"
        )
    );
    assert_eq!(original_of(&form), Some(original()));
    assert!(is_shortened_of(&form, PAGE, original()));
    assert!(prepared.gives_back(&form, &Earlier::default()));
    assert!(!is_prose(fetched(PAGE)));
    // Without the tool that fetches it again, it stays.
    assert!(compress(fetched(PAGE), &Earlier::default()).is_err());
}

#[test]
fn what_the_page_does_not_say_is_found() {
    let form = show_page(&text_of(PAGE).unwrap(), PAGE, original());
    for (from, to) in [
        ("short", "long"),
        ("20 lines", "21 lines"),
        ("abab", "acab"),
        ("![A diagram](a.png)\n\n", ""),
    ] {
        let changed = form.replacen(from, to, 1);
        assert_ne!(changed, form);
        assert!(!is_shortened_of(&changed, PAGE, original()), "{from}");
    }
}

#[test]
fn lines_that_clients_put_around_a_page_stay() {
    let text = format!("Exit code: 0\nWall time: 0.3 seconds\nOutput:\n{PAGE}");
    let expected = format!("Exit code: 0\nWall time: 0.3 seconds\nOutput:\n{TEXT}");
    assert_eq!(text_of(&text), Some(expected));
    assert!(is_page(fetched(&text)));
}

#[test]
fn only_pages_that_were_fetched_count() {
    let block = |tool, input| Source {
        text: PAGE,
        tool: Some(tool),
        input: Some(input),
    };
    assert!(is_page(block(
        "WebFetch",
        r#"{"url":"https://example.com/"}"#
    )));
    assert!(is_page(block(
        "mcp__fetch__fetch",
        r#"{"url":"https://example.com/"}"#
    )));
    assert!(!is_page(block(
        "Read",
        r#"{"file_path":"/srv/index.html"}"#
    )));
    assert!(!is_page(block("Bash", r#"{"command":"cat index.html"}"#)));
    assert!(!is_page(block(
        "Bash",
        r#"{"command":"curl http://localhost:3000/"}"#
    )));
    assert!(!is_page(block(
        "mcp__headroom__headroom_retrieve",
        r#"{"url":"https://example.com/"}"#
    )));
    for text in [
        "<htmlx>",
        "text <html>",
        "<!doctype xml>",
        "<p>text</p>",
        "",
        "<",
    ] {
        assert!(!is_page(fetched(text)), "{text}");
    }
    assert!(is_page(fetched("\u{feff} \n<HTML>")));
    assert_eq!(
        text_of("<html><body><script>app()</script></body></html>"),
        None
    );
}

#[test]
fn white_space_and_signs_stand_where_they_belong() {
    for (html, text) in [
        ("a<b>b</b> c <i> d</i>", "ab c d"),
        ("<a href=x> a </a>b", "[a](x) b"),
        ("<a href=x>a<a href=y>b", "[a](x)[b](y)"),
        ("<code> a </code> b", "`a` b"),
        ("a<br><br><br>b", "a\n\nb"),
        ("<p>a<div>b</div>c", "a\nb\nc"),
        ("<li>a<li>b</li></li>", "- a\n- b"),
        ("<li><h3>a</h3><p>b", "- ### a\n\nb"),
        ("<pre>a\n b</pre>c", "```\na\n b\n```\n\nc"),
        ("<pre><div>a</div><div>b</div></pre>", "```\na\nb\n```"),
        ("<svg><path><div>a", "a"),
        ("<svg/>a<svg><svg></svg>b</svg>c", "ac"),
        (
            "<a href='javascript:x()'>a</a><img alt=' ' src=x><img alt=b src='data:x'>",
            "a![b]",
        ),
        (
            "&#xd800;&#0;&#x110000;&bogus;\u{0}",
            "\u{fffd}\u{fffd}\u{fffd}&bogus;\u{0}",
        ),
        ("a</p x=y><script>b", "a"),
    ] {
        assert_eq!(writer::text_of(html), text, "{html}");
    }
}

#[test]
fn time_grows_with_the_page_however_its_tags_are_nested() {
    let parts = [
        "<div>",
        "<b>",
        "<li>",
        "<ul><li>",
        "<table><tr><td>",
        "<a href=x>",
        "<pre>",
        "</div>",
        "<svg>",
        "<p><b a=1>",
        "<blockquote><br>",
        "<i>a</i>",
        "word ",
        "&amp",
        "<",
        "<!--",
        "<a b='",
        "<h1>",
        "&#xd800;",
        "<select><option>",
    ];
    let begin = Instant::now();
    for part in parts {
        let count = (1 << 18) / part.len();
        let page = format!(
            "<html>{}x{}",
            part.repeat(count),
            "</div></ul></b>".repeat(1 << 12)
        );
        let text = writer::text_of(&page);
        assert!(text.len() <= 8 * page.len(), "{part} {}", text.len());
    }
    // Each takes a fraction of a second, also without optimization.
    assert!(
        begin.elapsed() < Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
}
