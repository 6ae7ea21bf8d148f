//! The folder in which a client works: sources of this repository, and files that tools print.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

/// Where sources are taken from, below the repository.
const SOURCES: [&str; 3] = ["proxy/src", "shared/src", "tests/src"];

/// A working folder and a home, both new. They go when this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    work: TempDir,
    home: TempDir,
    /// Its sources relative to it, the largest first.
    pub(crate) sources: Vec<String>,
}

impl Folder {
    /// Makes and fills it.
    pub(crate) fn new() -> Self {
        let work = TempDir::new().expect("a temporary folder");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut sources = Vec::new();
        for folder in SOURCES {
            copy(&repository, Path::new(folder), work.path(), &mut sources);
        }
        sources.sort_by_key(|(size, path)| (std::cmp::Reverse(*size), path.clone()));
        let write = |name: &str, text: &str| {
            fs::write(work.path().join(name), text).expect("the folder is writable");
        };
        write("users.json", &pretty_json(160));
        write("events.json", &compact_json(120));
        write("tsconfig.json", TSCONFIG);
        write("packages.txt", &packages());
        write("services.txt", &services());
        Self {
            work,
            home: TempDir::new().expect("a temporary folder"),
            sources: sources.into_iter().map(|(_, path)| path).collect(),
        }
    }

    /// The working folder.
    pub(crate) fn work(&self) -> &Path {
        self.work.path()
    }

    /// The home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A file's absolute path.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.work().join(file)
    }

    /// A line that stands in a source once, somewhere behind its first lines.
    pub(crate) fn unique_line(&self, source: &str) -> String {
        let text = fs::read_to_string(self.path(source)).expect("a source");
        let once = |line: &&str| line.trim().len() > 20 && text.matches(line).count() == 1;
        let line = text.lines().skip(60).find(once);
        line.expect("a line that stands there once").to_owned()
    }
}

fn copy(from: &Path, folder: &Path, to: &Path, sources: &mut Vec<(usize, String)>) {
    fs::create_dir_all(to.join(folder)).expect("the folder is writable");
    for entry in fs::read_dir(from.join(folder)).expect("the repository's sources") {
        let name = folder.join(entry.expect("an entry").file_name());
        let path = from.join(&name);
        if path.is_dir() {
            copy(from, &name, to, sources);
        } else if name.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read(&path).expect("a source");
            fs::write(to.join(&name), &text).expect("the folder is writable");
            sources.push((text.len(), name.display().to_string()));
        }
    }
}

/// As many programs write it: indented by two, one member a line.
fn pretty_json(rows: usize) -> String {
    let row = |id: usize| {
        json!({"id": id, "name": format!("user{id}"), "email": format!("user{id}@example.com"),
               "active": !id.is_multiple_of(3), "score": id as f64 / 4.0})
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    serde_json::to_string_pretty(&rows).expect("JSON") + "\n"
}

const KINDS: [&str; 3] = ["opened", "closed", "merged"];

/// As many programs write it: on one line.
fn compact_json(rows: usize) -> String {
    let row = |id: usize| {
        json!({"seq": id, "kind": KINDS[id % KINDS.len()], "actor": {"login": format!("dev{}", id % 7), "id": 4000 + id % 7},
               "repo": "acme/backend", "at": format!("2026-11-{:02}T{:02}:14:09Z", 1 + id % 28, id % 24)})
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    json!({"total": rows.len(), "items": rows}).to_string() + "\n"
}

/// The layout of a well-known formatter: short arrays on one line.
const TSCONFIG: &str = r#"{
  "$schema": "https://json.schemastore.org/tsconfig",
  "compilerOptions": {
    "target": "ES2022",
    "lib": ["ES2022", "DOM", "DOM.Iterable"],
    "module": "NodeNext",
    "moduleResolution": "NodeNext",
    "types": ["node", "vitest/globals"],
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "noImplicitOverride": true,
    "verbatimModuleSyntax": true,
    "esModuleInterop": true,
    "skipLibCheck": true,
    "forceConsistentCasingInFileNames": true,
    "outDir": "./dist",
    "rootDir": "./src",
    "paths": { "@app/*": ["./src/*"], "@test/*": ["./test/*"] }
  },
  "include": ["src/**/*.ts", "test/**/*.ts"],
  "exclude": ["node_modules", "dist"],
  "references": [{ "path": "./packages/core" }, { "path": "./packages/web" }]
}
"#;

/// Looks like `dpkg -l`, for systems without it.
fn packages() -> String {
    let mut text = String::from(
        "Desired=Unknown/Install/Remove/Purge/Hold\n||/ Name                       Version             Architecture Description\n",
    );
    for at in 0..300 {
        let name = format!("lib{}{at}", ["ssl", "png", "xml", "curl", "perl"][at % 5]);
        let version = format!("{}.{}.{}-{}", at % 9, at % 13, at % 7, at % 4 + 1);
        text.push_str(&format!(
            "ii  {name:<26} {version:<19} amd64        shared library number {at}\n"
        ));
    }
    text
}

/// Looks like `/etc/services`, for systems without it.
fn services() -> String {
    let row = |at: usize| {
        format!(
            "svc-{at:<12}{}/{}\t\t\t# Service number {at}\n",
            1000 + at * 3,
            ["tcp", "udp"][at % 2]
        )
    };
    (0..330).map(row).collect()
}
