//! The last line: what the session cost, what it would have cost without us, and why nothing more was saved.

use crate::running::{Cost, Stats};

/// Below this share of the cost nothing was saved or lost that anyone would notice.
const NOTICEABLE: f64 = 0.0005;

/// Whose requests were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of this command.
    ThisCommand,
    /// Those of all clients of the proxy in the meantime.
    AllClients,
}

/// What a proxy has counted between two times.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Session {
    requests: u64,
    /// Those that went out as they came, and were left to workers.
    deferred: u64,
    cost: Cost,
    /// How many of them were billed at the prices of another model.
    guessed: u64,
}

/// The line. `past` is the variable by which the client asks somebody else.
pub(super) fn line(before: &Stats, after: &Stats, scope: Scope, past: Option<&str>) -> String {
    let Some(session) = between(before, after) else {
        return "the proxy was started anew in the meantime: what the session cost before is not known"
            .to_owned();
    };
    let whose = match scope {
        Scope::ThisCommand => "",
        Scope::AllClients => " (all clients of this proxy)",
    };
    if session.requests == 0 {
        let why = past.map_or_else(String::new, |past| {
            format!(": {past} is set, so the client asks somebody else")
        });
        return format!("no request went through the proxy{why}");
    }
    let mut parts = vec![cost(&session) + whose, requests(&session)];
    parts.extend(left_whole(before, after));
    if session.deferred > 0 {
        let requests = counted(session.deferred, "large request", "large requests");
        parts.push(format!(
            "{requests} sent whole, to be compressed in the background"
        ));
    }
    parts.join("; ")
}

fn between(before: &Stats, after: &Stats) -> Option<Session> {
    let request = |name: &str| {
        let count = |stats: &Stats| stats.requests.get(name).copied().unwrap_or_default();
        count(after).checked_sub(count(before))
    };
    let (old, new) = (&before.cost, &after.cost);
    let guessed = new.models.iter().filter(|(_, cost)| cost.guessed_prices);
    let guessed = guessed.map(|(model, cost)| {
        let old = old.models.get(model).map_or(0, |cost| cost.requests);
        cost.requests.saturating_sub(old)
    });
    Some(Session {
        requests: request("total")?,
        deferred: request("deferred")? + request("dropped")?,
        cost: Cost {
            requests: new.total.requests.checked_sub(old.total.requests)?,
            usd: new.total.usd - old.total.usd,
            shadow_usd: new.total.shadow_usd - old.total.shadow_usd,
            guessed_prices: new.total.guessed_prices,
        },
        guessed: guessed.sum(),
    })
}

/// What the requests cost, and would have cost.
fn cost(session: &Session) -> String {
    let Cost {
        requests,
        usd,
        shadow_usd,
        ..
    } = session.cost;
    if requests == 0 {
        return "cost not known: no answer stated its tokens".to_owned();
    }
    let change = usd / shadow_usd - 1.0;
    let compared = if !change.is_finite() || change.abs() < NOTICEABLE {
        "as much as direct".to_owned()
    } else {
        let sign = if change < 0.0 { '\u{2212}' } else { '+' };
        let percent = change.abs() * 100.0;
        format!(
            "would have cost {} direct ({sign}{percent:.1} %)",
            dollars(shadow_usd)
        )
    };
    let guess = match session.guessed {
        0 => "",
        guessed if guessed == requests => " at guessed prices",
        _ => " at prices that are in part guessed",
    };
    format!(
        "cost {}{guess} with what the model wrote, {compared}",
        dollars(usd)
    )
}

fn requests(session: &Session) -> String {
    let requests = counted(session.requests, "request", "requests");
    match session.cost.requests {
        0 => requests,
        billed if billed < session.requests => format!("{requests}, {billed} of them billed"),
        _ => requests,
    }
}

/// How many texts were sent in the original at first, and why.
fn left_whole(before: &Stats, after: &Stats) -> Option<String> {
    let (old, new) = (&before.blocks_uncompressed, &after.blocks_uncompressed);
    let mut left: Vec<(u64, &str)> = new
        .iter()
        .map(|(reason, count)| {
            let old = old.get(reason).copied().unwrap_or_default();
            (count.saturating_sub(old), in_words(reason))
        })
        .filter(|(count, _)| *count > 0)
        .collect();
    left.sort_by(|(a, _), (b, _)| b.cmp(a));
    let total: u64 = left.iter().map(|(count, _)| count).sum();
    let why: Vec<String> = left
        .into_iter()
        .map(|(count, why)| format!("{why} {count}"))
        .collect();
    (total > 0).then(|| {
        let texts = counted(total, "text", "texts");
        format!("{texts} left whole: {}", why.join(", "))
    })
}

/// A reason of `blocks_uncompressed` for a reader.
fn in_words(reason: &str) -> &str {
    match reason {
        "entry_budget" => "no time",
        "store_late" => "store too slow",
        "floor" => "too little to gain",
        "no_gain" => "nothing to gain",
        "unsure" => "may be cached as they are",
        "references_off" => "may not refer to earlier texts",
        "conversation_lost" => "forms were lost",
        "fleet_late" => "workers too slow",
        other => other,
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// An amount with two digits that count at least.
fn dollars(usd: f64) -> String {
    if usd.abs() < 0.1 {
        format!("${usd:.4}")
    } else {
        format!("${usd:.2}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stats(requests: &Value, left: &Value, cost: &Value) -> Stats {
        let document = json!({
            "proxy": {"version": "1", "tier": "lossless", "under_way": 0, "anthropic": "https://a.example", "openai": "https://b.example"},
            "store": "embedded", "requests": requests, "blocks_uncompressed": left, "cost": cost,
        });
        serde_json::from_value(document).unwrap()
    }

    fn cost(requests: u64, usd: f64, shadow_usd: f64, guessed: bool) -> Value {
        let one = json!({"requests": requests, "usd": usd, "shadow_usd": shadow_usd, "guessed_prices": guessed});
        let mut all = one.clone();
        all["models"] = json!({"m": one});
        all
    }

    fn requests(total: u64, deferred: u64) -> Value {
        json!({"total": total, "deferred": deferred, "dropped": 0})
    }

    #[test]
    fn the_difference_is_told() {
        let before = stats(
            &requests(5, 0),
            &json!({"floor": 1, "entry_budget": 0}),
            &cost(5, 1.0, 1.5, false),
        );
        let after = stats(
            &requests(17, 1),
            &json!({"floor": 3, "entry_budget": 1}),
            &cost(16, 1.84, 2.52, false),
        );
        assert_eq!(
            line(&before, &after, Scope::ThisCommand, None),
            "cost $0.84 with what the model wrote, would have cost $1.02 direct (\u{2212}17.6 %); 12 requests, 11 of them billed; \
             3 texts left whole: too little to gain 2, no time 1; 1 large request sent whole, to be compressed in the background"
        );
        let said = line(&before, &after, Scope::AllClients, None);
        assert!(
            said.contains("(\u{2212}17.6 %) (all clients of this proxy); 12"),
            "{said}"
        );
        let said = line(&after, &before, Scope::ThisCommand, None);
        assert!(said.contains("started anew"), "{said}");
    }

    #[test]
    fn no_more_is_told_than_is_known() {
        let none = stats(&requests(0, 0), &json!({}), &cost(0, 0.0, 0.0, false));
        for (total, billed, says) in [
            (
                1,
                cost(1, 0.02, 0.02, true),
                "cost $0.0200 at guessed prices with what the model wrote, as much as direct; 1 request",
            ),
            (
                2,
                cost(0, 0.0, 0.0, false),
                "cost not known: no answer stated its tokens; 2 requests",
            ),
            (
                3,
                cost(3, 0.0, 0.0, false),
                "cost $0.0000 with what the model wrote, as much as direct; 3 requests",
            ),
            (
                4,
                cost(4, 0.22, 0.2, false),
                "cost $0.22 with what the model wrote, would have cost $0.20 direct (+10.0 %); 4 requests",
            ),
        ] {
            let after = stats(&requests(total, 0), &json!({}), &billed);
            assert_eq!(line(&none, &after, Scope::ThisCommand, None), says);
        }
        let said = line(&none, &none, Scope::ThisCommand, Some("A_CLOUD"));
        assert_eq!(
            said,
            "no request went through the proxy: A_CLOUD is set, so the client asks somebody else"
        );
    }
}
