//! Tool output in the shapes that coding agents read every day: numbered source, search hits, test logs and records.

use std::fmt::Write;

use serde_json::{Value, json};

const ENTITIES: [&str; 8] = [
    "order", "invoice", "refund", "shipment", "coupon", "customer", "basket", "payment",
];
const ACTIONS: [&str; 13] = [
    "load", "store", "price", "cancel", "archive", "confirm", "split", "merge", "notify", "audit",
    "retry", "export", "round",
];
const FUNCTIONS: [&str; 4] = [
    "\
/// Does the {action} of {entity} {n} in the order of its lines.
pub fn {action}_{entity}_{n}(lines: &[Line], rate: Rate) -> Result<Cents, {Entity}Error> {
    let net: Cents = lines.iter().map(|line| line.quantity * line.unit_price).sum();
    let tax = rate.of(net).ok_or({Entity}Error::Rate{n})?;
    Ok(round_cents(net + tax - {n}))
}
",
    "\
/// Loads what the {action} needs, at most {n} rows.
pub async fn {action}_{entity}_rows_{n}(db: &Pool, id: {Entity}Id) -> Result<Vec<Row>, {Entity}Error> {
    let query = \"select * from {entity}_{action} where id = $1 limit {n}\";
    let rows = db.query(query, &[&id]).await.map_err({Entity}Error::Database)?;
    tracing::debug!(rows = rows.len(), \"{action} of {entity}\");
    Ok(rows)
}
",
    "\
impl {Entity}{n} {
    pub(crate) fn can_{action}(&self) -> bool {
        matches!(self.state, State::Open | State::Paid) && self.{action}s < {n}
    }
}
",
    "\
#[test]
fn {action}_{entity}_{n}_keeps_the_total() {
    let before = fixture(\"{entity}-{n}\");
    let after = {action}_{entity}_{n}(&before.lines, Rate::percent({n})).unwrap();
    assert_eq!(after, Cents({n}99));
}
",
];

/// A source file about `entity`, with a column of line numbers as file readers print it.
pub(super) fn source(entity: &str, functions: usize) -> String {
    let mut code = format!(
        "//! Everything about {entity}s.\n\nuse crate::money::{{Cents, Rate, round_cents}};\n\n"
    );
    for index in 0..functions {
        let template = FUNCTIONS[index % FUNCTIONS.len()];
        let action = ACTIONS[(index * 5 + entity.len()) % ACTIONS.len()];
        code.push_str(&filled(template, entity, action, index * 7 + entity.len()));
        code.push('\n');
    }
    let mut text = String::new();
    for (index, line) in code.lines().enumerate() {
        put(&mut text, format_args!("{:>6}→{line}\n", index + 1));
    }
    text
}

/// The lines of many files in which `pattern` was found.
pub(super) fn hits(pattern: &str, count: usize) -> String {
    let mut text = String::new();
    for index in 0..count {
        let entity = ENTITIES[index * ENTITIES.len() / count];
        let action = ACTIONS[index % ACTIONS.len()];
        let line = 17 + index * 23;
        put(
            &mut text,
            format_args!(
                "src/{entity}s/{action}.rs:{line}:    let {action}ed = {pattern}({entity}.lines(), {index})?;\n"
            ),
        );
    }
    text
}

/// The log of a test run in which one case fails: what is built, the same warning again and again, a line a case.
pub(super) fn test_log(suite: &str, cases: usize) -> String {
    let mut text = String::new();
    for (index, entity) in ENTITIES.iter().enumerate() {
        put(
            &mut text,
            format_args!("   Compiling shop-{entity} v0.{index}.3 (crates/shop-{entity})\n"),
        );
    }
    text.push_str(&"warning: the rate of tax is not set, 19 % is taken\n".repeat(cases / 4));
    put(&mut text, format_args!("\nrunning {cases} tests\n"));
    for case in 0..cases {
        let entity = ENTITIES[case * ENTITIES.len() / cases];
        put(
            &mut text,
            format_args!("test {suite}::{entity}::case_{case:03} ... ok\n"),
        );
    }
    put(
        &mut text,
        format_args!(
            "\nthread '{suite}::order::total_with_coupon' panicked at src/orders.rs:212:5:\n\
             assertion `left == right` failed\n  left: Cents(1799)\n right: Cents(1800)\n\n\
             test result: FAILED. {cases} passed; 1 failed; 0 ignored; finished in 2.41s\n"
        ),
    );
    text
}

/// An array of like records, as a service answers.
pub(super) fn records(what: &str, count: usize) -> String {
    let record = |index: usize| {
        json!({
            "id": format!("{what}-{:05}", 40_000 + index * 37),
            "status": (["paid", "open", "shipped"][index % 3]),
            "currency": "EUR",
            "total_cents": 1799 + index * 613 % 9_000,
            "coupon": if index.is_multiple_of(4) { Value::from("WELCOME10") } else { Value::Null },
            "created_at": format!("2026-11-{:02}T{:02}:{:02}:00Z", 1 + index % 28, index % 24, index * 7 % 60),
            "customer": {"id": 9_000 + index * 11, "country": (["DE", "FR", "NL"][index % 3])},
        })
    };
    Value::from_iter((0..count).map(record)).to_string()
}

fn filled(template: &str, entity: &str, action: &str, number: usize) -> String {
    let (first, others) = entity.split_at(1);
    template
        .replace("{Entity}", &(first.to_uppercase() + others))
        .replace("{entity}", entity)
        .replace("{action}", action)
        .replace("{n}", &number.to_string())
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(line);
}
