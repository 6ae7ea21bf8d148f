//! The retrieval tool: by which a model fetches the original of a shortened text.

/// The tool's name, as the server tells it.
pub const TOOL: &str = "headroom_retrieve";

/// Whether a tool, as a client names it, is the retrieval tool. Clients put the server's name before it: `mcp__headroom__headroom_retrieve`.
#[must_use]
pub fn is_retrieval_tool(name: &str) -> bool {
    name.strip_suffix(TOOL)
        .is_some_and(|server| server.is_empty() || server.ends_with(['_', '.', '-', '/', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_put_the_servers_name_before_the_tools() {
        for name in [
            TOOL,
            "mcp__headroom__headroom_retrieve",
            "headroom.headroom_retrieve",
        ] {
            assert!(is_retrieval_tool(name), "{name}");
        }
        for name in [
            "",
            "retrieve",
            "headroom_retrieve_all",
            "xheadroom_retrieve",
        ] {
            assert!(!is_retrieval_tool(name), "{name}");
        }
    }
}
