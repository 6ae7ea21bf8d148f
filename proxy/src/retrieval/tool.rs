//! How a client is told of the tool.

use headroom_shared::contract::retrieval::TOOL;
use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::arguments::{ID, LINES, PATTERN};

const DESCRIPTION: &str = "Returns the original of a tool result that was shortened. A shortened one begins with \
    [headroom_retrieve(\"<id>\") …] and names the lines it leaves out. Call this with that id when you need them; lines or pattern returns \
    a part, which is shorter than the whole.";

/// The most characters of an answer that Claude Code is asked to pass on as they are, which is as many as it grants.
const MAX_RESULT_CHARS: u64 = 500_000;

/// The tool, as a list of tools has it.
pub(super) fn tool() -> Tool {
    let annotations = ToolAnnotations::with_title("Retrieve a shortened text")
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    // What Claude Code reads: that its search for tools need not find this one first, and that an answer may be long.
    let meta = object(json!({
        "anthropic/alwaysLoad": true,
        "anthropic/maxResultSizeChars": MAX_RESULT_CHARS,
    }));
    Tool::new(TOOL, DESCRIPTION, input_schema())
        .with_annotations(annotations)
        .with_meta(MetaObject(meta))
}

fn input_schema() -> JsonObject {
    let string = |description: &str| json!({"type": "string", "description": description});
    object(json!({
        "type": "object",
        "properties": {
            ID: string("The id in the first line of the shortened text: 16 hexadecimal digits."),
            LINES: string("Lines to return: \"41-77\", \"41\", \"41-\", or several with commas between. Without it, all."),
            PATTERN: string("A regular expression: of the lines, only those that match are returned, numbered, each with two lines around it."),
        },
        "required": [ID],
        "additionalProperties": false,
    }))
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}
