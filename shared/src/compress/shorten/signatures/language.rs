//! Which language a file is written in, by its name's ending.

/// What tells which lines of a file are its signatures.
pub(super) enum Language {
    /// Source code, of which this grammar tells the functions.
    Code(tree_sitter::Language),
    /// Prose with headings.
    Markdown,
}

/// The language of a file; `None` where its ending is none of those that are known.
pub(super) fn of_file(path: &str) -> Option<Language> {
    let (_, ending) = path.rsplit_once('.')?;
    let language = match ending {
        "c" | "h" => tree_sitter_c::LANGUAGE,
        "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" => tree_sitter_cpp::LANGUAGE,
        "go" => tree_sitter_go::LANGUAGE,
        "java" => tree_sitter_java::LANGUAGE,
        "cjs" | "js" | "jsx" | "mjs" => tree_sitter_javascript::LANGUAGE,
        "py" | "pyi" => tree_sitter_python::LANGUAGE,
        "rs" => tree_sitter_rust::LANGUAGE,
        "cts" | "mts" | "ts" => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        "tsx" => tree_sitter_typescript::LANGUAGE_TSX,
        "markdown" | "md" | "mdx" => return Some(Language::Markdown),
        _ => return None,
    };
    Some(Language::Code(language.into()))
}
