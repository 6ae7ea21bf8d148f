//! The dialects: what each provider's request format means. A new one is a file here and a line in [`DIALECTS`].

pub(crate) mod account;
pub(crate) mod anthropic;
#[cfg(test)]
mod block_tests;
mod chat;
pub(crate) mod credential;
pub(crate) mod prefix_mismatch;
mod responses;
mod search_results;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use headroom_shared::contract::usage::Usage;
use http::HeaderMap;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;

use crate::scan::{CacheLife, Grammar, MIN_TOOL_BYTES, MIN_USER_BYTES, Member, Part, Text, member};

/// A provider: where requests go, and how it words an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    Anthropic,
    OpenAi,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The conversation's next message.
    Turn,
    /// The conversation in fewer words.
    Compaction,
    /// How many tokens the conversation is.
    Count,
}

/// One request format: what its documents are made of, whose it is, and how its responses state the use of the cache.
pub(crate) trait Dialect: Grammar {
    /// The path that takes such requests at its provider: `/v1/…`.
    fn path(&self) -> &'static str;
    /// The other paths that take requests of the same format, and what they are asked for.
    fn other_paths(&self) -> &'static [(&'static str, Purpose)] {
        &[]
    }
    /// Whose it is.
    fn provider(&self) -> Provider;
    /// How its messages on a WebSocket are known, if it is spoken there.
    fn message_types(&self) -> Option<&'static MessageTypes> {
        None
    }
    /// The usage that a JSON document of the response (the whole of it, or one event's data) states. What it leaves out is 0.
    fn usage(&self, document: &Value) -> Option<Usage>;
}

/// The types of a dialect's messages on a WebSocket.
#[derive(Debug)]
pub(crate) struct MessageTypes {
    /// The client's that is a request: the same document as over HTTP, with its type.
    pub(crate) request: &'static str,
    /// The provider's that begins a response.
    pub(crate) begun: &'static str,
    /// The provider's that end one, whether it has begun or not.
    pub(crate) ended: &'static [&'static str],
    /// Those of them that refuse the request where no response has begun.
    pub(crate) refusals: &'static [&'static str],
    /// The codes of errors that ask to send the same again at another time, or on another connection.
    pub(crate) again: &'static [&'static str],
}

/// Every dialect.
pub(crate) static DIALECTS: [&dyn Dialect; 3] = [
    &anthropic::Messages,
    &chat::Completions,
    &responses::Responses,
];

/// Prefixes of paths that name the provider and are not its own.
pub(crate) const PROVIDER_PREFIXES: [(&str, Provider); 2] = [
    ("/anthropic", Provider::Anthropic),
    ("/openai", Provider::OpenAi),
];

/// Prefixes of the paths that Codex asks with a `ChatGPT` login.
const CHATGPT_PREFIXES: [&str; 2] = ["/backend-api", "/api/codex"];

/// What stands before the name of a deployment in Azure's paths.
pub(crate) const AZURE_DEPLOYMENTS: &str = "/openai/deployments/";

/// Prefixes below which an endpoint stands without `/v1`: none, the providers' names, and those of a `ChatGPT` login.
const UNVERSIONED: [&str; 5] = [
    "",
    "/anthropic",
    "/openai",
    "/backend-api/codex",
    "/api/codex",
];

/// A path of a dialect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) dialect: &'static dyn Dialect,
    /// The path at its provider.
    pub(crate) path: &'static str,
    pub(crate) purpose: Purpose,
}

impl Endpoint {
    /// The endpoint that a path leads to: a path that a provider has, with any prefix before it, or the same without `/v1` where clients
    /// leave that out. Slashes at its end do not count.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let asked = path.trim_end_matches('/');
        let matches = |endpoint: &Self| {
            asked.ends_with(endpoint.path)
                || asked
                    .strip_suffix(endpoint.unversioned())
                    .is_some_and(is_unversioned)
        };
        let endpoints = DIALECTS.into_iter().flat_map(|dialect| {
            let turn = (dialect.path(), Purpose::Turn);
            let paths = [turn].into_iter().chain(dialect.other_paths().to_vec());
            paths.map(move |(path, purpose)| Self {
                dialect,
                path,
                purpose,
            })
        });
        let named = Provider::named_by(path);
        let fits = |endpoint: &Self| named.is_none_or(|named| named == endpoint.dialect.provider());
        endpoints.into_iter().find(matches).filter(fits)
    }

    /// Whether the provider bills its requests. What is only counted saves nothing, and counts nowhere.
    pub(crate) fn is_billed(&self) -> bool {
        self.purpose != Purpose::Count
    }

    /// How requests to it on a WebSocket are known, if it takes any.
    pub(crate) fn message_types(&self) -> Option<&'static MessageTypes> {
        let types = self.dialect.message_types()?;
        (self.purpose == Purpose::Turn).then_some(types)
    }

    /// Its path without `/v1`.
    pub(crate) fn unversioned(&self) -> &'static str {
        self.path.strip_prefix("/v1").unwrap_or(self.path)
    }
}

/// Whether an endpoint may stand without `/v1` below this prefix: one of [`UNVERSIONED`], or a deployment of Azure's.
fn is_unversioned(prefix: &str) -> bool {
    let deployment = prefix.rsplit_once('/');
    let is_deployment = deployment.is_some_and(|(parent, name)| {
        !name.is_empty() && parent.ends_with(AZURE_DEPLOYMENTS.trim_end_matches('/'))
    });
    is_deployment || UNVERSIONED.contains(&prefix)
}

impl Provider {
    /// The provider that the beginning of a path names.
    fn named_by(path: &str) -> Option<Self> {
        let of_chatgpt = CHATGPT_PREFIXES.map(|prefix| (prefix, Self::OpenAi));
        let named = |(prefix, _): &&(&str, Self)| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let named = PROVIDER_PREFIXES.iter().chain(&of_chatgpt).find(named);
        named.map(|(_, provider)| *provider)
    }

    /// The provider that the credential in these headers surely belongs to. A key of another form may be a gateway's.
    pub(crate) fn of_credential(headers: &HeaderMap) -> Option<Self> {
        credential::provider(headers)
    }

    /// Whether the credentials in these headers surely belong to different providers.
    pub(crate) fn has_several_credentials(headers: &HeaderMap) -> bool {
        credential::are_of_several(headers)
    }

    /// The provider of a request: of its endpoint, if it asks one, else by its path and by the headers that the provider's clients always
    /// send.
    pub(crate) fn of(endpoint: Option<Endpoint>, path: &str, headers: &HeaderMap) -> Self {
        if let Some(endpoint) = endpoint {
            return endpoint.dialect.provider();
        }
        if let Some(provider) = Self::named_by(path).or_else(|| Self::of_credential(headers)) {
            return provider;
        }
        let anthropic_path = ["/api/", "/v1/messages", "/v1/complete", "/v1/organizations"];
        let by_path = anthropic_path.iter().any(|start| path.starts_with(start));
        let by_header = headers.contains_key("anthropic-version")
            || headers.contains_key("anthropic-beta")
            || headers.contains_key("x-api-key");
        if by_path || (by_header && !credential::is_plain_openai_key(headers)) {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }
}

/// Whether an object with these members is a call that code of the model's made, or the output of such a call.
fn is_from_code(members: &[Member<'_>], body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Caller<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    member(members, "caller").is_some_and(|value| {
        let caller: Result<Option<Caller<'_>>, _> = serde_json::from_slice(&body[value]);
        !caller.is_ok_and(|caller| caller.is_none_or(|caller| caller.kind == "direct"))
    })
}

/// The texts of a part that is a tool call's output, each long enough to be a block.
fn tool_texts<'a>(
    part: &'a Part<'_>,
    call: Option<&'a Range<usize>>,
) -> impl Iterator<Item = (Text, Option<Range<usize>>)> + 'a {
    let long = part
        .texts
        .iter()
        .filter(|text| text.span.len() >= MIN_TOOL_BYTES);
    long.map(move |text| (text.clone(), call.cloned()))
}

/// The text of a user's part, if it is long enough to be a block.
fn user_texts<'a>(part: &'a Part<'_>) -> impl Iterator<Item = (Text, Option<Range<usize>>)> + 'a {
    let long = part
        .texts
        .iter()
        .filter(|text| text.span.len() >= MIN_USER_BYTES);
    long.filter(|_| part.is_bare_text)
        .map(|text| (text.clone(), None))
}

/// The member by which Anthropic's clients ask for caching. Gateways take it in `OpenAI`'s formats, too.
const CACHE_CONTROL: &[u8] = b"cache_control";

/// The members by which `OpenAI`'s clients do: how long a prefix is to be kept, and up to where.
const OPENAI_MARKERS: [&[u8]; 3] = [
    b"prompt_cache_retention",
    b"prompt_cache_breakpoint",
    CACHE_CONTROL,
];

/// How long `OpenAI` may keep a prefix: an hour, or a day where the request asks for it (5 to 10 minutes or `24h` on earlier models, at
/// least 30 minutes on later ones).
fn automatic_life(markers: &[&[u8]]) -> CacheLife {
    let in_memory = |marker: &[u8]| marker.starts_with(b"\"in");
    let named = |marker: &[u8]| marker.starts_with(b"\"") && !in_memory(marker);
    let day = |marker: &&[u8]| named(marker) || memmem::find(marker, b"\"24h\"").is_some();
    let hours = if markers.iter().any(day) { 24 } else { 1 };
    CacheLife::Automatic(Duration::from_secs(hours * 3600))
}

/// The number at a JSON pointer in a document; 0 where there is none.
fn count(document: &Value, pointer: &str) -> u64 {
    let number = document.pointer(pointer).and_then(Value::as_u64);
    number.unwrap_or(0)
}
