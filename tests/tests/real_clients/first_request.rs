//! What Claude Code's first request holds before the conversation, and how large it takes the model's window for, behind a base
//! URL.

use comfy_table::{LineStyle, Table, presets};
use headroom_tests::provider::Provider;
use serde_json::Value;

use crate::folder::Folder;
use crate::programs::{Client, Places, Words};

/// A first request.
#[derive(Debug)]
pub(crate) struct FirstRequest {
    model: &'static str,
    env: String,
    body_bytes: usize,
    tools: usize,
    /// Bytes of its `tools`.
    pub(crate) tools_bytes: usize,
    /// The model's context window in tokens, as the client reports it.
    window: u64,
}

/// The first request with these environment variables.
pub(crate) async fn of(folder: &Folder, model: &'static str, env: &[(&str, &str)]) -> FirstRequest {
    let provider = Provider::start().await;
    let url = provider.url();
    let places = Places {
        home: folder.home(),
        work: folder.work(),
    };
    let words = Words {
        prompt: "Hello.",
        env,
        ..Words::default()
    };
    let addr = url.trim_start_matches("http://");
    let said = Client::Claude(model).run(places, addr, words).await;
    let request = provider.next().await;
    let body: Value = serde_json::from_slice(&request.body).expect("a body");
    let tools = body["tools"].as_array().map_or(0, Vec::len);
    FirstRequest {
        model,
        env: env
            .iter()
            .map(|(name, value)| format!("{name}={value} "))
            .collect(),
        body_bytes: request.body.len(),
        tools,
        tools_bytes: body["tools"].to_string().len(),
        window: window(&said).expect("the client reports the window"),
    }
}

/// The window in the report with which the client ends.
fn window(said: &str) -> Option<u64> {
    let report: Value = said.trim().parse().ok()?;
    let usage = report["modelUsage"].as_object()?;
    usage.values().next()?["contextWindow"].as_u64()
}

/// All of them for a reader.
pub(crate) fn table(requests: &[FirstRequest]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.style_mut().row_separator = LineStyle::none();
    table.set_header([
        "model",
        "body",
        "tools",
        "bytes of tools",
        "window",
        "environment",
    ]);
    for request in requests {
        table.add_row([
            request.model.to_owned(),
            request.body_bytes.to_string(),
            request.tools.to_string(),
            request.tools_bytes.to_string(),
            request.window.to_string(),
            request.env.clone(),
        ]);
    }
    format!("Claude Code's first request behind a base URL\n{table}")
}
