//! Request bodies of the shape that agents send, made up from a fixed seed.
//!
//! By shared figures of real sessions: half of the tool results are short, a fifth to a quarter are over 2 kB and hold most of
//! the bytes, most of them source code as it stands escaped in JSON.

use std::fmt::Write;

/// A body of the Messages API of about `bytes` bytes.
pub(crate) fn anthropic(bytes: usize) -> String {
    let mut draw = Draw(bytes as u64);
    let mut body = String::with_capacity(bytes + 64_000);
    body.push_str(r#"{"model":"claude-opus-4-6","max_tokens":32000,"stream":true,"messages":["#);
    body.push_str(r#"{"role":"user","content":[{"type":"text","text":"Find out why the build fails and mend it."}]}"#);
    let mut turn = 0;
    while body.len() < bytes {
        turn += 1;
        let _ = write!(
            body,
            r#",{{"role":"assistant","content":[{{"type":"text","text":"Let me look at file {turn}."}},{{"type":"tool_use","id":"toolu_01AbCdEfGhIjKlMnOp{turn:06}","name":"Read","input":{{"file_path":"/home/user/project/src/module_{turn}.rs","offset":{turn},"limit":200}}}}]}}"#
        );
        let _ = write!(
            body,
            r#",{{"role":"user","content":[{{"tool_use_id":"toolu_01AbCdEfGhIjKlMnOp{turn:06}","type":"tool_result","content":""#
        );
        let length = match draw.below(100) {
            0..50 => 40 + draw.below(450),
            50..77 => 500 + draw.below(1500),
            _ => 2048 + draw.below(4000),
        };
        text(&mut body, length.min(bytes / 2), &mut draw);
        body.push_str(r#""}]}"#);
    }
    // The marker on the last message, as Claude Code sets it.
    body.truncate(body.len() - "}]}".len());
    body.push_str(r#","cache_control":{"type":"ephemeral"}}]}],"system":[{"type":"text","text":"You are a careful engineer.","cache_control":{"type":"ephemeral"}}],"tools":["#);
    for tool in 0..(bytes / 1000).min(12) {
        let comma = if tool > 0 { "," } else { "" };
        let _ = write!(
            body,
            r#"{comma}{{"name":"tool_{tool}","description":"Does what tool {tool} does.","input_schema":{{"type":"object","properties":{{"file_path":{{"type":"string","description":"Where it is"}},"limit":{{"type":"number"}}}},"required":["file_path"]}}}}"#
        );
    }
    body.push_str(r#"],"metadata":{"user_id":"{\"session_id\":\"made-up\"}"}}"#);
    body
}

/// The same session's next body: the model has spoken, the user too, and the marker has moved.
pub(crate) fn next_turn(body: &str) -> String {
    let marked = r#","cache_control":{"type":"ephemeral"}}]}],"system""#;
    let grown = format!(
        r#"}}]}},{{"role":"assistant","content":[{{"type":"text","text":"I have seen enough."}}]}},{{"role":"user","content":[{{"type":"text","text":"Then go on."{marked}"#
    );
    body.replacen(marked, &grown, 1)
}

/// At least `bytes` bytes of tool output, escaped.
pub(crate) fn tool_output(bytes: usize) -> String {
    let mut body = String::with_capacity(bytes + 200);
    text(&mut body, bytes, &mut Draw(1));
    body
}

/// Appends tool output: six lines of ten are source code, the others are what grep, tests and tools for JSON print.
fn text(body: &mut String, bytes: usize, draw: &mut Draw) {
    const LINES: [&str; 10] = [
        r#"    let value = self.find(&name).ok_or_else(|| Error::Missing(name.clone()))?;\n"#,
        r#"        println!(\"{:>8} {}\", value.count, value.name);\n"#,
        r#"\tif (node->next != NULL && strcmp(node->name, \"root\") == 0) {\n"#,
        r#"}\n\n"#,
        r#"    for item in items.iter().filter(|item| item.weight > limit) {\n"#,
        r#"    /// Returns the first match, or `None` if nothing matches the pattern.\n"#,
        r#"src/parser/expression.rs:217:    fn precedence(&self, token: &Token) -> u8 {\n"#,
        r#"test parser::tests::nested_calls ... ok\n"#,
        r#"{\"id\": 1841, \"path\": \"C:\\\\work\\\\main.rs\", \"tags\": [\"a\", \"b\"]}\n"#,
        r#"The service keeps its state in one file and writes it only when something has changed.\n"#,
    ];
    let end = body.len() + bytes;
    while body.len() < end {
        body.push_str(LINES[draw.below(LINES.len())]);
        let _ = write!(body, "{} ", draw.below(100_000));
    }
}

/// A fixed sequence of numbers.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
