//! Turns the command-line parser's error about a bad setting into one clear line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::runtime::last_line;

/// Settings that hold secrets: their values are never shown.
const SECRET: [&str; 1] = ["HEADROOM_REDIS_URL"];

/// Why a program does not start: help was asked for, or a setting is bad.
#[derive(Debug)]
pub struct Refused(clap::Error);

impl Refused {
    /// Prints the help, the version or the one line about the bad setting, and gives the code to exit with: 0 for what was
    /// asked for, 2 for a bad setting.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        if self.0.use_stderr() {
            last_line::write(&self.line());
            return ExitCode::from(2);
        }
        let _ = self.0.print();
        ExitCode::SUCCESS
    }

    /// The one line about the bad setting.
    #[must_use]
    pub fn line(&self) -> String {
        let text = |kind| match self.0.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let (Some(arg), Some(value)) = (
            text(ContextKind::InvalidArg),
            text(ContextKind::InvalidValue),
        ) else {
            let rendered = self.0.to_string();
            let said: Vec<&str> = rendered
                .lines()
                .map(str::trim)
                .take_while(|line| !line.starts_with("Usage"))
                .filter(|line| !line.is_empty())
                .collect();
            return without_logins(&said.join(" "));
        };
        let (flag, variable) = arg.split_once(" <").map_or((arg, arg), |(flag, name)| {
            (flag, name.trim_end_matches('>'))
        });
        // A URL may hold a login, and its query a key.
        let shown = if SECRET.contains(&variable) || value.contains(['@', '?']) {
            "(not shown)".to_owned()
        } else {
            format!("{value:?}")
        };
        format!("error: {variable} (or {flag}) is {shown}: {}", self.takes())
    }

    fn takes(&self) -> String {
        if let Some(source) = std::error::Error::source(&self.0) {
            let said = source.to_string();
            return if said.starts_with("takes ") {
                said
            } else {
                format!("takes a valid value ({said})")
            };
        }
        match (self.0.kind(), self.0.get(ContextKind::ValidValue)) {
            (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) => {
                format!("takes {}", valid.join(" or "))
            }
            _ => "takes a valid value".to_owned(),
        }
    }
}

/// A line without the words that may be a URL with a login.
fn without_logins(line: &str) -> String {
    let words = line.split(' ');
    let shown = words.map(|word| {
        if word.contains('@') {
            "(not shown)"
        } else {
            word
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Prints why a program ends, in one line, and gives the code to exit with: 1.
#[must_use]
pub fn fail(program: &str, error: &dyn AsRef<dyn std::error::Error + 'static>) -> ExitCode {
    let chain = std::iter::successors(Some(error.as_ref()), |error| error.source());
    let line: Vec<String> = chain.map(ToString::to_string).collect();
    last_line::write(&format!("{program}: error: {}", line.join(": ")));
    ExitCode::FAILURE
}

/// Reads a program's settings from flags and environment.
///
/// # Errors
/// When help or version was asked for, or when a setting is bad.
pub fn parse<T: clap::Parser>(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<T, Refused> {
    T::try_parse_from(args).map_err(Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::config::{LogSettings, StoreSettings};

    #[derive(Debug, clap::Parser)]
    struct Settings {
        #[command(flatten)]
        store: StoreSettings,
        #[command(flatten)]
        log: LogSettings,
    }

    fn line(args: &[&str]) -> String {
        parse::<Settings>([&["program"], args].concat())
            .unwrap_err()
            .line()
    }

    #[test]
    fn a_bad_setting_is_one_line_with_variable_value_and_what_it_takes() {
        assert_eq!(
            line(&["--retention-hours", "many"]),
            "error: HEADROOM_RETENTION_HOURS (or --retention-hours) is \"many\": takes whole hours, 1 to 87600"
        );
        assert_eq!(
            line(&["--log-format", "xml"]),
            "error: HEADROOM_LOG_FORMAT (or --log-format) is \"xml\": takes pretty or json"
        );
        assert_eq!(
            line(&["--namespace", "a b"]),
            "error: HEADROOM_NAMESPACE (or --namespace) is \"a b\": takes 1 to 64 letters, digits, '-', '_', '.' or ':'"
        );
        let secret = line(&["--redis-url", "http://me:hunter2@x"]);
        assert!(
            secret.starts_with(
                "error: HEADROOM_REDIS_URL (or --redis-url) is (not shown): takes redis://"
            ),
            "{secret}"
        );
        assert!(line(&["--wrong"]).contains("--wrong"));
        for args in [
            &["redis://me:hunter2@x"][..],
            &["--redis-ulr=redis://me:hunter2@x"],
            &["--redis-ulr", "redis://me:hunter2@x"],
            &["--namespace", "https://x?key=hunter2"],
        ] {
            let said = line(args);
            assert!(
                said.starts_with("error: ") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
}
