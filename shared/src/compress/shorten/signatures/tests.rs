use super::*;
use crate::compress::shorten::{is_shortened_of, show};
use crate::contract::id::{BlockId, OriginalId};

/// The grammar of a file of source code.
fn grammar(file: &str) -> tree_sitter::Language {
    match language::of_file(file) {
        Some(Language::Code(language)) => language,
        Some(Language::Markdown) | None => panic!("{file} is no source code"),
    }
}

fn numbered(code: &str) -> String {
    let lines = code.lines().enumerate();
    lines
        .map(|(n, line)| format!("{:>6}→{line}\n", n + 1))
        .collect()
}

/// The lines that stay of a file with this code.
fn shown_of(file: &str, code: &str) -> Vec<String> {
    let text = numbered(code);
    let input = format!(r#"{{"file_path":"/x/{file}"}}"#);
    let source = Source {
        text: &text,
        tool: Some("Read"),
        input: Some(&input),
    };
    let original = OriginalId::of(BlockId::from_bytes([0xab; 16]));
    let Some(selection) = signatures(source, Deadline::NEVER) else {
        return code.lines().map(str::to_owned).collect();
    };
    let shortened = show(&text, &selection, original);
    assert!(is_shortened_of(&shortened, &text, original));
    let lines = shortened.lines().skip(1).filter_map(code_of);
    lines.map(str::to_owned).collect()
}

#[test]
fn rust_keeps_types_and_heads() {
    let code = "use a::b;\n\n/// What it is.\n/// More of that, in many words.\n/// And more of that, in more words.\npub struct A {\n    /// A field.\n    b: u8,\n}\n\nimpl A {\n    pub fn f(\n        &self,\n    ) -> u8 {\n        let x = self.b + self.b + self.b;\n        x + 1\n    }\n\n    fn g() { 1 }\n}\n\nconst X: u8 = 1;\n";
    let expected = "use a::b;\n\n/// What it is.\npub struct A {\n    /// A field.\n    b: u8,\n}\n\nimpl A {\n    pub fn f(\n        &self,\n    ) -> u8 {\n    fn g() { 1 }\n}\n\nconst X: u8 = 1;";
    assert_eq!(shown_of("a.rs", code).join("\n"), expected);
}

#[test]
fn python_keeps_classes_and_the_first_line_of_their_functions_docs() {
    let code = "import a\n\nclass A(B):\n    x: int = 1\n\n    def f(self):\n        \"\"\"Does it.\n\n        In many words.\n        \"\"\"\n        y = self.x + self.x + self.x\n        return y\n\n    def g(self):\n        return self.x + self.x + self.x + self.x + 1\n";
    let expected = "import a\n\nclass A(B):\n    x: int = 1\n\n    def f(self):\n        \"\"\"Does it.\n    def g(self):";
    assert_eq!(shown_of("a.py", code).join("\n"), expected);
}

#[test]
fn markdown_keeps_headings_with_a_line_below() {
    let prose = "And more is said of it, in some words.\n".repeat(3);
    let code = "```sh\n# no heading\nmake all the things that there are\n```\n";
    let text = format!(
        "# A\n\nWhat it is.\n{prose}{code}## B\nHow it is done.\n\n{prose}### C\n### D\n{prose}"
    );
    let line = prose.lines().next().unwrap();
    let expected = [
        "# A",
        "",
        "What it is.",
        "## B",
        "How it is done.",
        "### C",
        "### D",
        line,
    ];
    assert_eq!(shown_of("a.md", &text), expected);
}

#[test]
fn the_bodies_of_other_languages_go() {
    let body = "  first(of, the, statements, of, it);\n  second(of, the, statements, of, it);\n}\n";
    for (file, before, head) in [
        (
            "a.ts",
            "interface A { x: number }",
            "export const f = (a: A): void => {",
        ),
        ("a.tsx", "type A = { x: number };", "function F(a: A) {"),
        ("a.js", "import a from 'a';", "async function* f(a) {"),
        ("a.go", "package a", "func (a A) f() error {"),
        ("a.c", "#include <a.h>", "static int f(int a) {"),
        ("a.cpp", "#include <a>", "int A::f(int a) const {"),
        ("a.java", "import a.B;", ""),
    ] {
        let code = match head {
            "" => format!("{before}\nclass A {{\n  void f() {{\n{body}}}\n"),
            head => format!("{before}\n{head}\n{body}"),
        };
        let shown = shown_of(file, &code).join("\n");
        assert!(!shown.contains("statements"), "{file}: {shown}");
        assert!(
            shown.contains(before) && shown.contains(head),
            "{file}: {shown}"
        );
    }
}

/// Code of which the lines that say `goes` are the bodies of functions, and all others are not.
const CODE: [(&str, &str); 11] = [
    (
        "a.py",
        r#"try:
    import stays_in_a_try_statement
except ImportError:
    stays = None
with stays_open() as a:
    for b in a:
        stays_in_a_for_statement(b)
    while a:
        stays_in_a_while_statement()
if stays_if(a):
    stays_in_an_if_statement()
    def f():
        goes_as_the_body_of_a_function(1)
        goes_as_well()
else:
    stays_in_an_else_clause_of_it()
match a:
    case 1:
        stays_in_a_case_of_a_match()
"#,
    ),
    (
        "a.cpp",
        r#"namespace stays {
int stays_in_a_namespace(int a, int b, int c, int d);
int f() {
  goes_as_the_body(of, a, function);
  goes_as_well();
}
}
extern "C" {
int stays_in_an_extern_block(int a, int b, int c);
}
class EXPORT A {
  int stays_as_a_member_of_a_class_with_a_macro;
};
class EXPORT A::B {
  int stays_as_a_member_of_a_class_within_another;
};
class EXPORT A::B<int> {
  int stays_as_a_member_of_a_class_for_a_type;
};
A::operator bool() const {
  goes_as_the_body_of_an_operator(a, b, c, d);
  goes_as_well();
}
int& A::f() {
  goes_as_the_body_of_a_method(a, b, c, d, e);
  goes_as_well();
}
auto g = [](int a) {
  goes_as_the_body_of_a_lambda(a);
  goes_as_well();
};
"#,
    ),
    (
        "b.cpp",
        r#"for (int a : stays) {
  stays_in_a_for_statement(a, a, a, a, a, a, a, a);
}
"#,
    ),
    (
        "a.c",
        r#"struct stays {
  int stays_in_a_struct_of_more_than_a_line;
};
int f(int a) {
  goes_as_the_body(of, a, function);
  goes_as_well();
}
"#,
    ),
    (
        "a.js",
        r#"if (stays) {
  stays_in_an_if_statement(a, b, c, d, e, f);
}
for (const a of stays) {
  stays_in_a_for_statement(a, b, c, d, e);
}
try {
  stays_in_a_try_statement(a, b, c, d, e, f, g);
} catch {
  stays_in_a_catch_clause(a, b, c, d, e, f, g);
} finally {
  stays_in_a_finally_clause(a, b, c, d, e, f, g);
}
class A {
  static {
    stays_in_a_static_block(a, b, c, d, e, f, g);
  }
  f() {
    goes_as_the_body_of_a_method(a);
    goes_as_well();
  }
}
const g = (a) => {
  goes_as_the_body_of_a_function(a);
  goes_as_well();
};
h(function* () {
  goes_as_the_body_of_a_function(a);
  goes_as_well();
});
"#,
    ),
    (
        "a.ts",
        r#"export namespace Stays {
  export const stays_in_a_namespace: number = 123456789;
}
if (stays) {
  stays_in_an_if_statement(a, b, c, d, e, f);
}
class A {
  constructor(a: number) {
    goes_as_the_body_of_a_constructor(a);
    goes_as_well();
  }
}
const g = (a: number): void => {
  goes_as_the_body_of_a_function(a);
  goes_as_well();
};
"#,
    ),
    (
        "a.tsx",
        r#"const g = function (a: number) {
  goes_as_the_body_of_a_function(a);
  goes_as_well();
};
const stays = (
  <Stays one="1" two="2" three="3" four="4"></Stays>
);
"#,
    ),
    (
        "a.go",
        r#"package stays
var (
	stays_in_a_group_of_variables = map[string]int{
		"stays in a literal of more than a line": 1,
	}
)
func (a A) F() {
	goesAsTheBodyOfAMethod(a, 1)
	goesAsWell()
}
var g = func() {
	goesAsTheBodyOfAFunction(1)
	goesAsWell()
}
"#,
    ),
    (
        "a.java",
        r#"class A {
  static {
    staysInAnInitializer(of, the, class, that, it, is, in);
  }
  A() {
    goesAsTheBodyOfAConstructor(1);
    goesAsWell();
  }
  void f() {
    goesAsTheBodyOfAMethod(1, 2, 3);
    goesAsWell();
  }
  Runnable stays = () -> {
    goesAsTheBodyOfALambda(1, 2, 3);
    goesAsWell();
  };
}
enum B {
  STAYS_IN_AN_ENUM_OF_MORE_THAN_A_LINE_OF_CODE {
    int stays_in_the_class_of_a_constant = 1;
  };
}
"#,
    ),
    (
        "a.rs",
        r#"mod stays {
    pub const STAYS_IN_A_MODULE: &str = "of more than a line";
}
impl A {
    const STAYS_IN_AN_IMPL: &str = "of more than a line, too";
    fn f() {
        goes_as_the_body_of_a_function(1);
        goes_as_well();
    }
}
static STAYS: Lazy = Lazy::new(|| {
    goes_as_the_body_of_a_closure(1);
    goes_as_well()
});
"#,
    ),
    (
        "b.rs",
        r#"const {
    stays_in_a_block_of_constants(that, are, not, functions);
};
"#,
    ),
];

#[test]
fn nothing_but_the_bodies_of_functions_goes() {
    for (file, code) in CODE {
        let shown = shown_of(file, code);
        let stay = code.lines().filter(|line| !line.contains("goes"));
        let are_ends = |line: &&str| !["}", "};", "});"].contains(&line.trim());
        for line in stay.filter(are_ends) {
            assert!(
                shown.iter().any(|it| it == line),
                "{file}: {line}: {shown:#?}"
            );
        }
        assert!(
            !shown.iter().any(|line| line.contains("goes")),
            "{file}: {shown:#?}"
        );
    }
}

#[test]
fn other_texts_have_no_signatures() {
    let code = "fn f() {\n    let a = \"a long line of a body that would be left out\";\n}\n";
    let of = |tool, input| {
        let source = Source {
            text: code,
            tool: Some(tool),
            input: Some(input),
        };
        signatures(source, Deadline::NEVER)
    };
    assert!(of("Read", r#"{"file_path":"a.rs"}"#).is_some());
    assert!(of("Read", r#"{"file_path":"a.txt"}"#).is_none());
    assert!(of("Edit", r#"{"file_path":"a.rs"}"#).is_none());
    assert!(of("Bash", r#"{"command":"cat a.rs"}"#).is_some());
    assert!(of("Read", "not JSON").is_none());
}

#[test]
fn a_part_of_a_file_and_what_a_client_says_below_it_are_no_trouble() {
    let code = "        x(), y();\n    }\n\n    fn f() {\n        first_line_of(a, body, that, is, long);\n        second_line_of(a, body);\n    }\n\n    fn g() {";
    let text = numbered(code) + "\n<system-reminder>\nbe careful\n</system-reminder>\n";
    let source = Source {
        text: &text,
        tool: Some("Read"),
        input: Some(r#"{"file_path":"a.rs","offset":7}"#),
    };
    let original = OriginalId::of(BlockId::from_bytes([0xab; 16]));
    let shortened = show(
        &text,
        &signatures(source, Deadline::NEVER).unwrap(),
        original,
    );
    assert!(is_shortened_of(&shortened, &text, original));
    assert!(!shortened.contains("second_line_of"), "{shortened}");
    assert!(shortened.contains("fn f() {") && shortened.contains("\nbe careful\n"));
}

#[test]
fn deep_nesting_ends() {
    let code = "fn f() {\n".to_owned() + &"((((".repeat(20_000) + "\n}\n";
    let source = Source {
        text: &code,
        tool: Some("Read"),
        input: Some(r#"{"file_path":"a.rs"}"#),
    };
    let _ = signatures(source, Deadline::NEVER);
}

#[test]
fn of_many_comments_the_first_line_stays() {
    let code = "// line of a comment that says something\n".repeat(5_000) + "struct A;\n";
    let shown = shown_of("a.rs", &code);
    assert_eq!(
        shown,
        ["// line of a comment that says something", "struct A;"]
    );
}

#[test]
fn deep_nesting_ends_in_every_language() {
    for (file, unit) in [
        ("a.tsx", "<a>("),
        ("a.java", "(a<b"),
        ("a.go", "a[b]("),
        ("a.cpp", "[a]{"),
        ("a.rs", "-"),
        ("a.c", "{"),
        ("a.js", "["),
        ("a.py", "if a:\n "),
    ] {
        let code = unit.repeat(MAX_BYTES / unit.len());
        let lines: Vec<&str> = code.lines().collect();
        let language = grammar(file);
        let _ = bodies::shown(&lines, &language, Deadline::NEVER);
    }
}

#[test]
fn whether_code_is_parsed_depends_on_the_code_alone() {
    let language = grammar("a.rs");
    let is_parsed = |unit: &str, deadline| {
        let code = unit.repeat(100_000 / unit.len());
        bodies::shown(&[&code], &language, deadline).is_some()
    };
    assert!(is_parsed("let name = value; ", Deadline::NEVER));
    // More steps for each byte than any code takes that people write.
    assert!(!is_parsed("a<b<", Deadline::NEVER));
    let over = Deadline::after(std::time::Duration::ZERO);
    assert!(!is_parsed("let name = value; ", over));
}
