//! The commands that a model's own code has a shell run: Codex gives its newest models no shell, but a tool that runs JavaScript, in which
//! `tools.exec_command({cmd: "…"})` is a command.

/// How code calls a tool.
const TOOLS: &str = "tools.";
/// The tool that runs a command.
const SHELL: &str = "exec_command(";

/// The commands in code, one a line; `None` where the code calls another tool, or a command does not stand in it to the letter.
pub(super) fn commands(code: &str) -> Option<String> {
    let mut calls = code.split(TOOLS);
    calls.next();
    let commands: Vec<String> = calls.map(command).collect::<Option<_>>()?;
    (!commands.is_empty()).then(|| commands.join("\n"))
}

/// The command of the call that this code begins with.
fn command(call: &str) -> Option<String> {
    let arguments = call.strip_prefix(SHELL)?.trim_start();
    let member = arguments.strip_prefix('{')?.trim_start();
    let name = ["cmd", "\"cmd\"", "'cmd'"].into_iter();
    let mut value =
        name.filter_map(|name| member.strip_prefix(name)?.trim_start().strip_prefix(':'));
    literal(value.next()?.trim_start())
}

/// The text that the string at the start of this code stands for.
fn literal(code: &str) -> Option<String> {
    let quote = code.chars().next()?;
    let inner = &code[quote.len_utf8()..];
    match quote {
        '"' => {
            let mut strings = serde_json::Deserializer::from_str(code).into_iter::<String>();
            strings.next()?.ok()
        }
        '\'' | '`' => {
            let text = inner.split_once(quote)?.0;
            let is_plain = !text.contains('\\') && !text.contains("${");
            is_plain.then(|| text.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_in_code_in_any_quotes() {
        for code in [
            r#"const r = await tools.exec_command({cmd: "cargo test"}); text(r.output);"#,
            r#"text((await tools.exec_command({ "cmd": 'cargo test', yield_time_ms: 9 })).output)"#,
            "await tools.exec_command({cmd:`cargo test`})",
        ] {
            assert_eq!(commands(code).as_deref(), Some("cargo test"), "{code}");
        }
        let two = r#"await Promise.all([tools.exec_command({cmd:"ls \"a\""}), tools.exec_command({cmd:"make"})])"#;
        assert_eq!(commands(two).as_deref(), Some("ls \"a\"\nmake"));
    }

    #[test]
    fn what_else_code_does_is_not_told() {
        for code in [
            "text(1)",
            "await tools.exec_command({cmd: line})",
            "await tools.exec_command({cmd: `cat ${file}`})",
            r#"await tools.exec_command({workdir: "/", cmd: "make"})"#,
            r#"await tools.exec_command({cmd: "make"}); await tools.view_image({path: "a"})"#,
            r#"await tools.exec_command({cmd: "make"#,
        ] {
            assert_eq!(commands(code), None, "{code}");
        }
    }
}
