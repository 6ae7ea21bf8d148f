//! A replay as a page for a browser: one file that asks for nothing else.

use serde_json::{Value, json};

use super::Report;
use crate::replay::policy::Policy;
use crate::replay::session::Outcome;

/// The page, with a place for its data.
const PAGE: &str = include_str!("page.html");
/// Stands in the page where the data go.
const DATA: &str = "/*DATA*/null";
/// A session's bill is drawn with at most so many points.
const POINTS: usize = 200;

/// The report as a page.
pub(crate) fn html(report: &Report) -> String {
    let session = |outcome: &Outcome| {
        json!({
            "id": outcome.id, "client": outcome.client, "model": outcome.model, "requests": outcome.requests(),
            "direct": points(outcome.bill(Policy::Direct)),
            "headroom": points(outcome.bill(Policy::Headroom)),
            "bound": points(outcome.bill(Policy::Bound)),
        })
    };
    let data = json!({
        "sessions": report.sessions.iter().map(session).collect::<Vec<_>>(),
        "policies": super::json(report)["policies"],
    });
    PAGE.replacen(DATA, &script_text(&data), 1)
}

/// Some of a bill's points, with the first and the last.
fn points(bill: &[f64]) -> Vec<f64> {
    let Some(last) = bill.len().checked_sub(1) else {
        return Vec::new();
    };
    let count = bill.len().min(POINTS);
    let at = |point: usize| bill[point * last / (count - 1).max(1)];
    (0..count)
        .map(at)
        .map(|usd| (usd * 1e6).round() / 1e6)
        .collect()
}

/// JSON that can stand in a script: nothing in it ends the script or is markup.
fn script_text(data: &Value) -> String {
    data.to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_keeps_its_first_and_last_point() {
        let bill: Vec<f64> = (1..=1000).map(f64::from).collect();
        let few = points(&bill);
        assert_eq!((few.len(), few[0], few[POINTS - 1]), (POINTS, 1.0, 1000.0));
        assert_eq!(points(&bill[..1]), [1.0]);
        assert_eq!(points(&bill[..3]), [1.0, 2.0, 3.0]);
        assert!(points(&[]).is_empty());
    }

    #[test]
    fn a_session_s_name_does_not_end_the_script() {
        let text = script_text(&json!("</script><b>\u{2028}"));
        assert_eq!(text, r#""\u003c/script>\u003cb>\u2028""#);
        assert_eq!(PAGE.matches(DATA).count(), 1);
    }
}
