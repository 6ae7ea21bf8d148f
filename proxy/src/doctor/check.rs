//! One thing that was looked at, and how it is shown.

use std::fmt::Write as _;

use headroom_shared::runtime::terminal::sanitized;
use serde::Serialize;
use serde_json::json;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// What is so.
    pub(super) detail: String,
    /// What to do, where something is to be done.
    pub(super) fix: Option<String>,
}

/// Whether that is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    /// Everything works, but perhaps not as it is meant.
    Warning,
    Failed,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            fix: None,
        }
    }

    pub(super) fn warning(
        name: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warning,
            fix: Some(fix.into()),
            ..Self::ok(name, detail)
        }
    }

    pub(super) fn failed(
        name: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Failed,
            ..Self::warning(name, detail, fix)
        }
    }
}

/// A line for each, and one more for what to do.
pub(super) fn lines(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match check.status {
            Status::Ok => '\u{2713}',
            Status::Warning => '!',
            Status::Failed => '\u{2717}',
        };
        // Writing to a string does not fail.
        let _ = write!(text, "{mark} {}: {}", check.name, sanitized(&check.detail));
        if let Some(fix) = &check.fix {
            let _ = write!(text, " \u{2192} {}", sanitized(fix));
        }
        text.push('\n');
    }
    text
}

/// All of them as one JSON document.
pub(super) fn json(checks: &[Check]) -> String {
    format!(
        "{:#}\n",
        json!({"ok": !has_failed(checks), "checks": checks})
    )
}

/// Whether one of them has failed.
pub(super) fn has_failed(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.status == Status::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_reports_say_the_same() {
        let checks = [
            Check::ok("one", "it is fine"),
            Check::warning("two", "it is\nodd", "look at it"),
        ];
        assert_eq!(
            lines(&checks),
            "\u{2713} one: it is fine\n! two: it is\u{fffd}odd \u{2192} look at it\n"
        );
        let shown: serde_json::Value = json(&checks).parse().unwrap();
        assert_eq!(
            shown,
            json!({"ok": true, "checks": [
                {"name": "one", "status": "ok", "detail": "it is fine", "fix": null},
                {"name": "two", "status": "warning", "detail": "it is\nodd", "fix": "look at it"},
            ]})
        );
        let failed = [Check::failed("three", "it is broken", "repair it")];
        assert!(lines(&failed).starts_with('\u{2717}'));
        assert!(json(&failed).contains("\"ok\": false"));
    }
}
