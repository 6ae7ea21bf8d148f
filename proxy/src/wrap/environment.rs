//! Variables and files of the user that say how clients are set up.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use url::Url;

/// What was read, once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    pub(crate) variables: BTreeMap<String, String>,
    /// Claude Code's settings, `settings.json`.
    pub(crate) claude_settings: Option<ReadFile>,
    /// Codex's settings, `config.toml`.
    pub(crate) codex_config: Option<ReadFile>,
    /// Codex's login, `auth.json`.
    pub(crate) codex_login: Option<ReadFile>,
}

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Environment {
    /// Reads the variables of this process, and the files to which they lead.
    pub(crate) fn read() -> Self {
        let variables = std::env::vars_os();
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let mut environment = Self {
            variables: variables.filter_map(text).collect(),
            ..Self::default()
        };
        let claude = environment.folder("CLAUDE_CONFIG_DIR", ".claude");
        let codex = environment.folder("CODEX_HOME", ".codex");
        let file = |folder: &Option<PathBuf>, name: &str| {
            let path = folder.as_ref()?.join(name);
            let text = fs::read_to_string(&path).ok()?;
            Some(ReadFile { path, text })
        };
        environment.claude_settings = file(&claude, "settings.json");
        environment.codex_config = file(&codex, "config.toml");
        environment.codex_login = file(&codex, "auth.json");
        environment
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// A base URL in a variable.
    ///
    /// # Errors
    /// When it holds none.
    pub(crate) fn base(&self, name: &str) -> anyhow::Result<Option<Url>> {
        self.variable(name).map(|text| base(name, text)).transpose()
    }

    fn folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.variable(variable).map(PathBuf::from);
        named.or_else(|| Some(directories::BaseDirs::new()?.home_dir().join(below_home)))
    }
}

/// Reads the base URL that a setting of this name holds.
///
/// # Errors
/// When it holds none; what it holds is not shown, because it may be a secret.
pub(crate) fn base(name: &str, text: &str) -> anyhow::Result<Url> {
    let read = crate::upstream::base_url(text);
    read.map_err(|takes| anyhow::anyhow!("{name} is (not shown): {takes}"))
}

#[cfg(test)]
impl Environment {
    /// One with these variables.
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            variables: variables.iter().map(owned).collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
impl ReadFile {
    /// A file at this path.
    pub(crate) fn at(path: &str, text: &str) -> Option<Self> {
        Some(Self {
            path: path.into(),
            text: text.to_owned(),
        })
    }
}
