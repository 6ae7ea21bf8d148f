use proptest::prelude::*;

use super::*;
use crate::compress::testing::round_trip;
use crate::compress::tests::generators::json_text;

fn body(text: &str) -> String {
    let form = round_trip(&Json, text).unwrap();
    form.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn white_space_goes_and_all_else_stays() {
    assert_eq!(
        body("{\"a\": [1.0, 1e5, -0], \"a\": \"\\u00e9 \\/ \\ud83d\", \"b\": {}}\n"),
        "{\"a\":[1.0,1e5,-0],\"a\":\"\\u00e9 \\/ \\ud83d\",\"b\":{}}"
    );
}

#[test]
fn like_objects_become_a_table() {
    let items = [
        r#"{"number":1,"title":"a","owner":{"login":"x","site_admin":false},"tags":[{"name":"p"},{"name":"q"}],"state":"open"}"#,
        r#"{"number":2,"owner":{"login":"y","site_admin":false},"tags":[{"name":"r"},{"name":"s"}],"state":"open"}"#,
        r#"{"number":3,"title":null,"owner":null,"tags":[],"state":"open"}"#,
        r#"{"state":"odd","number":4}"#,
        "null",
    ];
    assert_eq!(
        body(&format!("{{\"items\":[{}]}}", items.join(","))),
        concat!(
            r#"{"items":table{"number","title","owner":{"login","site_admin"=false},"tags":[{"name"}],"state"="open"}"#,
            r#"[[1,"a",["x"],[["p"],["q"]]]"#,
            "\n",
            r#"[2,,["y"],[["r"],["s"]]]"#,
            "\n",
            r#"[3,null,null,[]]"#,
            "\n",
            r#"{"state":"odd","number":4}"#,
            "\n",
            r#"null]}"#
        )
    );
}

#[test]
fn the_layouts_of_tools_come_back_to_the_letter() {
    let tabs = "[\n\t{\n\t\t\"a\": {},\n\t\t\"b\": []\n\t}\n]";
    let spaces =
        "{\n    \"a\": [\n        1,\n        {\n            \"b\": \"c\"\n        }\n    ]\n}\n";
    for text in [
        tabs,
        spaces,
        "{\n  \"a\": 1\n}",
        "[\n 1\n]\n",
        "{\n  \"a\": 1\n}\n{\n  \"b\": 2\n}\n",
        "{\"a\": [1, 2], \"b\": {}}",
        "{\"a\": 1}\n{\"a\": 2}\n",
        "{\"a\":[1,2]}",
        "{\"a\":1}\n{\"a\":2}\n",
    ] {
        let form = round_trip(&Json, text).unwrap();
        let (header, body) = crate::compress::split_header(&form).unwrap();
        let expanded = Json.expand(header, body, &Earlier::default());
        assert_eq!(expanded.as_deref(), Some(text));
    }
}

/// The form's header from its layout on, and its body.
fn layout_and_body(text: &str) -> [String; 2] {
    let form = round_trip(&Json, text).unwrap_or_else(|| panic!("{text:?} has a layout"));
    let (header, body) = crate::compress::split_header(&form).unwrap();
    let layout = header
        .split_once(" (layout: ")
        .map_or("", |(_, layout)| layout);
    [layout.trim_end_matches(')').to_owned(), body.to_owned()]
}

#[test]
fn the_header_tells_the_layout() {
    for (text, layout, body) in [
        ("{\"a\":[1,2]}", "", "{\"a\":[1,2]}"),
        (
            "{\n  \"lib\": [\"dom\", \"es2022\"],\n  \"strict\": true\n}\n",
            "indented by 2 spaces in the outermost level, else on one line as {\"a\": [1, 2]}; a line break at the end",
            "{\"lib\":[\"dom\",\"es2022\"],\"strict\":true}",
        ),
        (
            "{\n\t\"a\": [1, 2],\n\t\"b\": [\n\t\t3\n\t],\n\t\"c\": {\n\t\t\"d\": [\n\t\t\t{}\n\t\t]\n\t}\n}",
            "indented by tabs, else on one line as {\"a\": [1, 2]}; the other way where a space follows the opening bracket here",
            "{\"a\":[ 1,2],\"b\":[3],\"c\":{\"d\":[{}]}}",
        ),
        (
            "[\n  {\"a\": 1},\n  {\"a\": 2}\n]",
            "indented by 2 spaces in the outermost level, else on one line as {\"a\": [1, 2]}",
            "[{\"a\":1},{\"a\":2}]",
        ),
        (
            "[{\"a\":1},\n{\"a\":2}]\n",
            "on one line with \"\\n\" after the outermost commas; a line break at the end",
            "[{\"a\":1},{\"a\":2}]",
        ),
        (
            "{\n  \"a\" : [ 1, {\n    \"b\" : { }\n  } ]\n}",
            "indented by 2 spaces with members as \"a\" : 1 in objects, else on one line as {\"a\": [ 1, 2 ]}",
            "{\"a\":[1,{\"b\":{ }}]}",
        ),
        (
            "\u{feff}{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}\r\n\r\n",
            "indented by 2 spaces; lines end in CRLF; \"\u{feff}\" at the start; \"\\n\\n\" at the end",
            "{\"a\":1,\"b\":2}",
        ),
        (
            "{\"a\": 1}\n\n{\"a\": 2}\n",
            "on one line as {\"a\": [1, 2]}; \"\\n\\n\" between values; a line break at the end",
            "{\"a\":1}\n{\"a\":2}",
        ),
    ] {
        assert_eq!(layout_and_body(text), [layout, body]);
    }
}

#[test]
fn a_table_keeps_the_layout_of_its_rows() {
    let text = "[\n  { \"number\": 1, \"tags\": [] },\n  {\n    \"number\": 2,\n    \"tags\": [\"p\", \"q\"]\n  },\n  { \"number\": 3, \"tags\": [\"r\"] }\n]\n";
    let [layout, body] = layout_and_body(text);
    assert!(layout.contains("the other way"), "{layout}");
    assert_eq!(
        body,
        "table{\"number\",\"tags\"}[[1,[]]\n[ 2,[\"p\",\"q\"]]\n[3,[\"r\"]]]"
    );
}

#[test]
fn a_layout_that_would_not_come_back_is_left_alone() {
    for text in [
        "[1,\n  2, 3]",
        "{\"a\":1, \"b\":2,\"c\":3}",
        "{\n  \"a\": 1,\n   \"b\": 2\n}",
        "{\n  \"a\":   1\n}",
        "{\n  \"a\": 1 ,\n  \"b\": 2\n}",
        "{\n  \"a\": {\n  }\n}",
        "[\r\n  1\n]",
        "{\n  \"a\": 1,\n\n  \"b\": 2\n}",
        "{\n  \"a\": 1,  \n  \"b\": 2\n}",
        "[\n  1, 2,\n  3\n]",
    ] {
        assert_eq!(round_trip(&Json, text), None, "{text:?}");
    }
}

#[test]
fn a_damaged_layout_is_none() {
    for layout in [
        "",
        "indented by 9 spaces",
        "indented by x spaces",
        "indented by 2 spaces here",
        "indented by 2 spaces with members as \"b\": 1",
        "indented by 2 spaces, else indented by 2 spaces",
        "on one line as {}",
        "on one line as {\"a\": [1, 2]} and more",
        "on one line, else on one line",
        "x at the end",
    ] {
        let header = format!("{ONE} (layout: {layout})");
        assert_eq!(
            Json.expand(&header, "[1]", &Earlier::default()),
            None,
            "{layout}"
        );
    }
}

#[test]
fn several_values_become_a_table_too() {
    let text = "{\"time\": 1, \"message\": \"a\"}\n{\"time\": 2, \"message\": \"b\"}\n{\"time\": 3, \"message\": \"c\"}\n";
    let form = round_trip(&Json, text).unwrap();
    assert!(form.starts_with("[headroom: JSON values, one a line"));
    assert_eq!(
        body(text),
        "table{\"time\",\"message\"}[[1,\"a\"]\n[2,\"b\"]\n[3,\"c\"]]"
    );
    let tables = format!("[{0},{0},{0}]\n[{0},{0},{0}]", r#"{"some long key":1}"#);
    assert!(body(&tables).contains("]\ntable{"));
}

#[test]
fn objects_that_repeat_a_key_are_written_out() {
    let text = format!(
        "[{0},{0},{0},{1}]",
        r#"{"key number one":1,"key number two":2}"#, r#"{"key number one":1,"key number one":2}"#
    );
    assert!(body(&text).ends_with("\n{\"key number one\":1,\"key number one\":2}]"));
}

#[test]
fn what_is_not_json_is_left_alone() {
    for text in [
        "",
        " ",
        "1",
        "\"x\"",
        "{",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[01]",
        "[1.]",
        "[.5]",
        "[1e]",
        "[+1]",
        "[\"\n\"]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[nul]",
        "[1}",
        "{\"a\":1]",
        "[1] x",
        "[1],[2]",
        "[\"",
        "[-]",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
    ] {
        assert_eq!(round_trip(&Json, text), None, "{text:?}");
    }
}

#[test]
fn deep_texts_are_refused_without_recursion() {
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(round_trip(&Json, &deep(parse::MAX_DEPTH)).is_some());
    assert_eq!(round_trip(&Json, &deep(parse::MAX_DEPTH + 1)), None);
    assert_eq!(round_trip(&Json, &deep(100_000)), None);
    assert!(read::one(&"table{\"a\":".repeat(100_000)).is_none());
    assert!(read::one(&"[".repeat(100_000)).is_none());
}

proptest! {
    #[test]
    fn json_is_known_as_others_know_it(text in json_text()) {
        let values: Result<Vec<_>, _> = serde_json::Deserializer::from_str(&text).into_iter::<Box<serde_json::value::RawValue>>().collect();
        let known = values.is_ok_and(|values| !values.is_empty() && values.iter().all(|v| {
            v.get().starts_with(['{', '['])
        }));
        prop_assert_eq!(Document::parse(&text).is_some(), known);
    }
}
