//! What the program says when it has started: where it listens, how to point a client at it, what it will do.

use std::net::SocketAddr;

use url::Url;

use crate::backend::Backend;
use crate::page_token::PageToken;
use crate::settings::{Settings, Upstreams};
use crate::upstream::proxies;

/// The few lines for a person at the terminal.
pub(crate) fn text(
    settings: &Settings,
    backend: &Backend,
    (address, token): (SocketAddr, &PageToken),
) -> String {
    let url = format!("http://{address}");
    let does = if let Some(evicts) = &backend.evicts {
        format!("Requests are forwarded uncompressed: {evicts}.")
    } else if settings.background.on {
        format!(
            "Tool output is compressed without loss: small requests at once, cold starts from {} tokens on by {}.",
            settings.background.min_tokens.get(),
            backend.workers_in_words(settings)
        )
    } else {
        "Compression is off: requests are forwarded as they come.".to_owned()
    };
    format!(
        "headroom-proxy listens on {url}\n\
         \n\
         \x20 Claude Code    ENABLE_TOOL_SEARCH=true ANTHROPIC_BASE_URL={url} claude\n\
         \x20                (--model 'NAME[1m]' keeps a window of a million tokens on models that have one)\n\
         \x20 Codex          {}\n\
         \x20 SDKs           set ANTHROPIC_BASE_URL={url} or OPENAI_BASE_URL={url}/v1\n\
         \n\
         {does}\n\
         Forms and sent records: {}. Stop with Ctrl-C.\n\
         What it saves, and the queue: {url}/#token={token}",
        codex(&url),
        backend.place
    )
}

/// The command that has Codex ask the proxy.
fn codex(url: &str) -> String {
    let provider = codex_provider(&format!("{url}/v1"), r#"env_key="OPENAI_API_KEY""#);
    format!("codex -c model_provider=headroom -c '{provider}'")
}

/// The setting by which Codex knows the proxy as a provider with this base URL, and `key`, the member that says where its key is. Over HTTP each
/// request holds the whole conversation, to which forms can refer.
pub(crate) fn codex_provider(base_url: &str, key: &str) -> String {
    format!(
        r#"model_providers.headroom={{name="Headroom",base_url="{base_url}",{key},wire_api="responses",supports_websockets=false}}"#
    )
}

/// The HTTP proxy on the way to a provider, if there is one.
fn through(upstreams: &Upstreams, base: &Url) -> Option<String> {
    let proxy = upstreams.proxies.of(&base.as_str().parse().ok()?);
    Some(proxies::name(&proxy.ok()??))
}

/// Logs every setting once.
pub(crate) fn log(settings: &Settings) {
    let Settings {
        command: _,
        host,
        port,
        allowed_hosts,
        store,
        limits,
        background,
        upstreams,
        websocket,
        prices,
        show_text,
        log,
    } = settings;
    let model = &background.workers.model;
    let through = |base| through(upstreams, base);
    tracing::info!(
        host,
        port,
        allowed_hosts = allowed_hosts.join(","),
        redis = store.redis_url.as_ref().map(tracing::field::display),
        namespace = store.namespace,
        retention.hours = store.retention_hours,
        data.dir = limits.data_dir.as_ref().map(|dir| tracing::field::display(dir.display())),
        store.max_bytes = limits.max_store_bytes.as_u64(),
        tenant.header = limits.tenant_header.as_ref().map(tracing::field::display),
        shared_records = limits.shared_records,
        body.max_bytes = limits.max_body_bytes,
        body.timeout_seconds = limits.body_timeout_seconds,
        memory.max_bytes = limits.max_memory(),
        store.budget_ms = limits.store_budget_ms,
        store.bound_budget_ms = limits.bound_store_budget_ms,
        entry.budget_ms = limits.entry_budget_ms,
        fleet.wait_ms = background.fleet_wait_ms,
        drain.seconds = limits.drain_seconds,
        compression = background.on,
        compression.min_tokens = background.min_tokens.get(),
        compression.tier = background.tier.name(),
        compression.refresh_tokens = background.refresh_tokens,
        compression.tail_tokens = background.tail_tokens,
        compression.max_queue = background.max_queue,
        compression.workers = background.workers.threads.get(),
        compression.job_timeout_seconds = background.workers.job_timeout_seconds,
        model.dir = model.dir.as_ref().map(|dir| tracing::field::display(dir.display())),
        model.threshold = model.threshold,
        model.keep_rate = model.keep_rate,
        websocket = websocket.name(),
        upstream.anthropic = %upstreams.anthropic,
        upstream.openai = %upstreams.openai,
        upstream.allowed = %upstreams.allowed,
        upstream.anthropic.proxy = through(&upstreams.anthropic),
        upstream.openai.proxy = through(&upstreams.openai),
        prices = prices.as_ref().map(|file| tracing::field::display(file.display())),
        show_text,
        log = log.filter,
        "settings"
    );
    settings.warn();
}
