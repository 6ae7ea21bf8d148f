//! A tool call as forms name it: its tool, and the end of the path or the beginning of the command that identifies it.

use std::rc::Rc;

use serde::Deserialize;
use serde_json::Value;

use super::{command, place};

/// Characters of a command or a search pattern that are shown.
const MAX_CHARS: usize = 40;

/// Characters of a path that are shown.
const MAX_PATH_CHARS: usize = 32;

/// A path longer than this is not compared with others.
const MAX_PATH_BYTES: usize = 1024;

/// The shortest text in a call's input that later blocks may refer to, in bytes.
const MIN_TEXT_BYTES: usize = 256;

/// Tools whose output is what a file holds, in [`plain_name`]s.
const READ_TOOLS: [&str; 6] = [
    "read",
    "readfile",
    "openfile",
    "view",
    "viewfile",
    "notebookread",
];

/// What is known of a tool call.
#[derive(Debug, Default)]
pub struct Call {
    /// One line of at most about sixty characters, without double quotes.
    pub(super) label: String,
    /// The file that it reads or writes.
    pub(super) file: Option<String>,
    /// Whether its output is what a file holds, all of it or a part.
    pub(super) reads_file: bool,
    /// What [`Call::place_read`] returns.
    place: Option<String>,
    /// Whether it asks for a part of a file.
    pub(super) reads_part: bool,
}

/// The arguments that distinguish the calls of a tool, in the names that agents give them.
#[derive(Deserialize, Default)]
struct Arguments {
    file_path: Option<Value>,
    notebook_path: Option<Value>,
    target_file: Option<Value>,
    filename: Option<Value>,
    path: Option<Value>,
    command: Option<Value>,
    cmd: Option<Value>,
    pattern: Option<Value>,
    query: Option<Value>,
    url: Option<Value>,
    offset: Option<Value>,
    limit: Option<Value>,
    view_range: Option<Value>,
    start_line: Option<Value>,
    workdir: Option<Value>,
}

impl Call {
    /// One line of at most about sixty characters, without double quotes: the tool, and what it reads, runs or searches for.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The file whose content its output is, all of it or a part.
    #[must_use]
    pub fn file_read(&self) -> Option<&str> {
        self.file.as_deref().filter(|_| self.reads_file)
    }

    /// The file whose content its output is, as a key that two calls of a conversation share only where they read the same file. A relative
    /// path counts from the folder that a script is run in or begins with a change to; `None` where that is not known, or where the script
    /// may print several files. A relative path of another tool stays relative: such tools have one folder.
    #[must_use]
    pub fn place_read(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// Whether it asks for a part of a file.
    #[must_use]
    pub const fn reads_part(&self) -> bool {
        self.reads_part
    }

    /// The call of this tool with this input, which is JSON text.
    #[must_use]
    pub fn of(tool: Option<&str>, input: Option<&str>) -> Self {
        let Some(tool) = tool else {
            return Self {
                label: "text".to_owned(),
                ..Self::default()
            };
        };
        let arguments = input.and_then(|input| serde_json::from_str(input).ok());
        Self::with(tool, &arguments.unwrap_or_default())
    }

    fn with(tool: &str, arguments: &Arguments) -> Self {
        let script = arguments.script();
        let file = match &script {
            Some(script) => command::printed_file(script).map(str::to_owned),
            None => arguments.file(),
        };
        let file = file.filter(|file| file.len() <= MAX_PATH_BYTES);
        let shown = match (&script, &file) {
            (Some(script), _) => Some(one_line(command::without_cd(script), MAX_CHARS)),
            (None, Some(file)) => Some(end_of_path(file)),
            (None, None) => arguments.other().map(|text| one_line(text, MAX_CHARS)),
        };
        let tool_name = one_line(tool, MAX_CHARS);
        let plain_name = plain_name(tool);
        let reads_file =
            file.is_some() && (script.is_some() || READ_TOOLS.contains(&plain_name.as_str()));
        let file_read = file.as_deref().filter(|_| reads_file);
        let place = file_read.and_then(|file| match &script {
            Some(script) => place::of_script(script, file, arguments.workdir()),
            None => Some(place::of_tool(file)),
        });
        Self {
            label: match shown {
                Some(shown) => format!("{tool_name} {shown}"),
                None => tool_name,
            },
            reads_part: arguments.names_a_part()
                || script.as_deref().is_some_and(command::prints_part),
            reads_file,
            place,
            file,
        }
    }

    /// The call of this tool, and the long texts in its input, each with the name of the member that it is. `None` where there are none.
    pub(super) fn with_texts(tool: &str, input: &str) -> Option<(Self, Vec<(String, String)>)> {
        if input.len() < MIN_TEXT_BYTES {
            return None;
        }
        let input: Value = serde_json::from_str(input).ok()?;
        let arguments = Arguments::deserialize(&input).unwrap_or_default();
        let call = Self::with(tool, &arguments);
        let mut texts = Vec::new();
        // A stack of its own: the input may be nested as deep as the parser takes.
        let mut left: Vec<(Rc<str>, Value)> = vec![("input".into(), input)];
        while let Some((name, value)) = left.pop() {
            match value {
                Value::String(text) if text.len() >= MIN_TEXT_BYTES => {
                    texts.push((one_line(&name, MAX_CHARS), text));
                }
                Value::Array(items) => {
                    let items = items.into_iter().rev();
                    left.extend(items.map(|item| (Rc::clone(&name), item)));
                }
                Value::Object(members) => {
                    let members = members.into_iter().rev();
                    left.extend(members.map(|(name, value)| (name.into(), value)));
                }
                _ => {}
            }
        }
        (!texts.is_empty()).then_some((call, texts))
    }

    /// Whether two calls read or write the same file, as far as their paths tell: one may be relative.
    pub(super) fn is_of_file(&self, other: Option<&str>) -> bool {
        let (Some(file), Some(other)) = (self.file.as_deref(), other) else {
            return false;
        };
        let (long, short) = match file.len() > other.len() {
            true => (file, other),
            false => (other, file),
        };
        let short = short.trim_start_matches("./");
        let rest = long.strip_suffix(short);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '\\']))
    }
}

impl Arguments {
    fn script(&self) -> Option<String> {
        match self.command.as_ref().or(self.cmd.as_ref())? {
            Value::String(script) => Some(script.clone()),
            Value::Array(words) => words.last()?.as_str().map(str::to_owned),
            _ => None,
        }
    }

    /// The folder in which a script is run.
    fn workdir(&self) -> Option<&str> {
        self.workdir.as_ref()?.as_str()
    }

    fn names_a_part(&self) -> bool {
        let parts = [
            &self.offset,
            &self.limit,
            &self.view_range,
            &self.start_line,
        ];
        parts.into_iter().any(Option::is_some)
    }

    fn file(&self) -> Option<String> {
        let searches = self.pattern.is_some() || self.query.is_some();
        let path = self.path.as_ref().filter(|_| !searches);
        let named = [
            &self.file_path,
            &self.notebook_path,
            &self.target_file,
            &self.filename,
        ];
        let named = named.into_iter().find_map(Option::as_ref);
        Some(named.or(path)?.as_str()?.to_owned())
    }

    fn other(&self) -> Option<&str> {
        let others = [&self.pattern, &self.query, &self.url, &self.path];
        others.into_iter().find_map(Option::as_ref)?.as_str()
    }
}

/// The script that a tool call's input, JSON text, has a shell run.
pub(super) fn script_of(input: &str) -> Option<String> {
    serde_json::from_str::<Arguments>(input).ok()?.script()
}

/// A tool's name in lower case and without underscores.
pub(super) fn plain_name(tool: &str) -> String {
    tool.to_ascii_lowercase().replace('_', "")
}

/// As many folders at the end of a path as fit, and the file's name.
pub(super) fn end_of_path(path: &str) -> String {
    if path.chars().count() <= MAX_PATH_CHARS {
        return one_line(path, MAX_PATH_CHARS);
    }
    let slashes = path.rmatch_indices(['/', '\\']).map(|(at, _)| &path[at..]);
    let fits = |end: &&str| end.chars().count() <= MAX_PATH_CHARS;
    match slashes.take_while(fits).last() {
        Some(end) => format!("…{}", one_line(end, MAX_PATH_CHARS)),
        None => {
            let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
            format!("…/{}", one_line(name, MAX_PATH_CHARS))
        }
    }
}

/// The text without double quotes, line breaks and other control characters, cut to `max` characters.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let plain = |c: char| match c {
        '"' => '\'',
        c if c.is_control() => ' ',
        c => c,
    };
    let mut chars = text.trim().chars().map(plain);
    let mut line: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(tool: &str, input: &str) -> String {
        Call::of(Some(tool), Some(input)).label
    }

    #[test]
    fn the_argument_that_says_most_is_named() {
        let of = |input| label("T", input);
        assert_eq!(of(r#"{"file_path":"/a/b.rs","limit":3}"#), "T /a/b.rs");
        assert_eq!(of(r#"{"path":"src","pattern":"x y"}"#), "T x y");
        assert_eq!(of(r#"{"command":["bash","-lc","ls\n-l"]}"#), "T ls -l");
        assert_eq!(of(r#"{"command":"cd /a && grep \"x\""}"#), "T grep 'x'");
        assert_eq!(of(r#"{"other":1}"#), "T");
        assert_eq!(of("not json"), "T");
        assert_eq!(Call::of(None, None).label, "text");
    }

    #[test]
    fn of_a_long_argument_the_end_of_the_path_or_the_beginning_is_shown() {
        let path = r#"{"file_path":"/Users/dev/projects/wingmen/src/tui/wingman.go"}"#;
        assert_eq!(label("Read", path), "Read …/wingmen/src/tui/wingman.go");
        let path = format!(r#"{{"file_path":"/a/{}.rs"}}"#, "é".repeat(100));
        assert!(label("Read", &path).starts_with("Read …/éé"));
        let command = format!(r#"{{"command":"echo {}"}}"#, "é".repeat(100));
        assert!(label("Bash", &command).starts_with("Bash echo é"));
        assert!(label("Bash", &command).chars().count() < 50);
    }

    #[test]
    fn the_file_of_a_call_is_known_where_it_reads_or_writes_one() {
        let file = |tool: &str, input: &str| {
            let call = Call::of(Some(tool), Some(input));
            (call.file, call.reads_file)
        };
        let a = || Some("/x/a.rs".to_owned());
        assert_eq!(file("Read", r#"{"file_path":"/x/a.rs"}"#), (a(), true));
        assert_eq!(file("read", r#"{"path":"/x/a.rs"}"#), (a(), true));
        assert_eq!(file("Edit", r#"{"file_path":"/x/a.rs"}"#), (a(), false));
        let sed = r#"{"cmd":"cd /x && sed -n '1,40p' /x/a.rs"}"#;
        assert_eq!(file("exec_command", sed), (a(), true));
        let grep = r#"{"pattern":"x","path":"/x/a.rs"}"#;
        assert_eq!(file("Grep", grep), (None, false));
        let part = |input: &str| Call::of(Some("Read"), Some(input)).reads_part;
        assert!(part(r#"{"file_path":"/x/a.rs","offset":20,"limit":10}"#) && part(sed));
        assert!(!part(r#"{"file_path":"/x/a.rs"}"#));
    }

    #[test]
    fn the_place_of_a_file_tells_files_of_different_folders_apart() {
        let place = |tool: &str, input: &str| Call::of(Some(tool), Some(input)).place;
        let in_a = place("exec_command", r#"{"cmd":"cat a.rs","workdir":"/r/a"}"#);
        let in_b = place("exec_command", r#"{"cmd":"cat a.rs","workdir":"/r/b"}"#);
        assert_eq!(in_a.as_deref(), Some("/r/a/a.rs"));
        assert_eq!(in_b.as_deref(), Some("/r/b/a.rs"));
        let of_shell = r#"{"command":["bash","-lc","cat a.rs"],"workdir":"/r/a"}"#;
        assert_eq!(place("shell", of_shell), in_a);
        assert_eq!(place("Bash", r#"{"command":"cat a.rs"}"#), None);
        let view = place("view", r#"{"path":"./a.rs"}"#);
        assert_eq!(view.as_deref(), Some("a.rs"));
        assert_eq!(place("Edit", r#"{"file_path":"/r/a/a.rs"}"#), None);
    }

    #[test]
    fn a_relative_path_is_the_same_file() {
        let call = |path: &str| Call {
            file: Some(path.to_owned()),
            ..Call::default()
        };
        assert!(call("/x/src/a.rs").is_of_file(Some("src/a.rs")));
        assert!(call("./src/a.rs").is_of_file(Some("/x/src/a.rs")));
        assert!(!call("/x/src/ba.rs").is_of_file(Some("a.rs")));
        assert!(!call("/x/a.rs").is_of_file(None));
    }

    #[test]
    fn the_long_texts_of_an_input_are_found_wherever_they_are() {
        let long = "line\n".repeat(60);
        let input = serde_json::json!({
            "file_path": "a", "edits": [{"old_string": "x", "new_string": long}], "content": long,
        });
        let (_, texts) = Call::with_texts("Edit", &input.to_string()).unwrap();
        let names: Vec<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&"new_string") && names.contains(&"content"));
        assert!(texts.iter().all(|(_, text)| *text == long));
        assert!(Call::with_texts("Edit", &"not JSON".repeat(99)).is_none());
    }
}
