//! The server: reads originals from the store, and answers by the protocol. It keeps no sessions, so any replica answers any request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::prefix::unescaped;
use headroom_shared::contract::retrieval::TOOL;
use headroom_shared::store::{Key, Store, StoreError};
use http::{Request as HttpRequest, Response};
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::Semaphore;

use super::answer::{NoPart, answer};
use super::arguments::{BadArguments, Part, Request};
use super::tool::tool;
use crate::metrics::retrieval::{Outcome, RetrievalCounts};

/// How long the store may take. A model waits for any tool.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a text may be searched: it is looked at after each line.
const SEARCH_TIME: Duration = Duration::from_secs(5);
/// How long an answer may take in all, with the wait for a turn and the search of a last line that is very long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How many texts are read and searched at the same time: each may be as large as a request's body, and its answer too.
const AT_ONCE: usize = 4;

/// The retrieval of originals from a store.
#[derive(Debug, Clone)]
pub(crate) struct Retrieval {
    store: Arc<dyn Store>,
    counts: RetrievalCounts,
    turns: Arc<Semaphore>,
}

/// Why a call has no answer. Its text is for the model.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error(transparent)]
    BadArguments(#[from] BadArguments),
    #[error(transparent)]
    NoPart(#[from] NoPart),
    #[error(
        "this text is gone, or never was here: check the id, or run the tool call again that it is the output of"
    )]
    Gone,
    #[error(
        "the store of the originals does not answer: try again, or run the tool call again that the text is the output of"
    )]
    StoreAway,
}

impl NoAnswer {
    const fn outcome(&self) -> Outcome {
        match self {
            Self::BadArguments(_) | Self::NoPart(_) => Outcome::Refused,
            Self::Gone => Outcome::Gone,
            Self::StoreAway => Outcome::StoreAway,
        }
    }
}

impl Retrieval {
    /// From this store, counted there.
    pub(crate) fn new(store: Arc<dyn Store>, counts: RetrievalCounts) -> Self {
        Self {
            store,
            counts,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Answers one HTTP request whose body was read. Its host and origin must have been checked.
    pub(crate) async fn respond(
        &self,
        request: HttpRequest<Full<Bytes>>,
    ) -> Response<BoxBody<Bytes, Infallible>> {
        let retrieval = self.clone();
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .disable_allowed_hosts();
        let sessions = Arc::new(NeverSessionManager::default());
        let service = StreamableHttpService::new(move || Ok(retrieval.clone()), sessions, config);
        service.handle(request).await
    }

    /// The answer to a call.
    async fn call(&self, arguments: &rmcp::model::JsonObject) -> Result<String, NoAnswer> {
        let request = Request::new(arguments)?;
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.answer(request)).await;
        answered.unwrap_or(Err(NoAnswer::NoPart(NoPart::OutOfTime)))
    }

    /// What is answered to a request, when it is its turn.
    async fn answer(&self, request: Request) -> Result<String, NoAnswer> {
        let Request { original, part } = request;
        // It is never closed.
        let turn = self.turns.clone().acquire_owned().await;
        let text = self.read(original).await?;
        let answered = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            answer_from(&text, &part)
        });
        // The answer can't be made of a text that is not what the store should hold.
        answered.await.unwrap_or(Err(NoAnswer::Gone))
    }

    /// The escaped text of this name, which lives a full life from now on.
    async fn read(&self, original: OriginalId) -> Result<Bytes, NoAnswer> {
        let key = [Key::Original(original)];
        let read = within_time(self.store.read(&key)).await;
        let mut texts = read.map_err(|error| {
            tracing::warn!(%error, "an original could not be read");
            NoAnswer::StoreAway
        })?;
        let text = texts.pop().flatten().ok_or(NoAnswer::Gone)?;
        if let Err(error) = within_time(self.store.touch(&key)).await {
            tracing::debug!(%error, "the life of an original could not be renewed");
        }
        Ok(text)
    }
}

/// What is answered to who asks for this part of an escaped text.
fn answer_from(escaped: &[u8], part: &Part) -> Result<String, NoAnswer> {
    let text = unescaped(escaped).ok_or(NoAnswer::Gone)?;
    Ok(answer(&text, part, Instant::now() + SEARCH_TIME)?)
}

async fn within_time<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let done = tokio::time::timeout(STORE_TIMEOUT, work).await;
    done.unwrap_or_else(|_| Err(StoreError::timeout("reading an original", STORE_TIMEOUT)))
}

impl ServerHandler for Retrieval {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let server = Implementation::new("headroom", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities).with_server_info(server)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == TOOL).then(tool)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool()]))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if call.name != TOOL {
            let message = format!("there is no such tool: {TOOL} is");
            return Err(ErrorData::invalid_params(message, None));
        }
        let arguments = call.arguments.unwrap_or_default();
        let result = match self.call(&arguments).await {
            Ok(text) => {
                self.counts.found(text.len());
                CallToolResult::success(vec![ContentBlock::text(text)])
            }
            Err(error) => {
                self.counts.failed(error.outcome());
                CallToolResult::error(vec![ContentBlock::text(error.to_string())])
            }
        };
        Ok(result.into())
    }
}
