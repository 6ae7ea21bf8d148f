//! The server: reads originals from the store, and answers by the protocol. It keeps no sessions, so any replica answers any request.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::prefix::unescaped;
use headroom_shared::contract::retrieval::TOOL;
use headroom_shared::store::{Key, Store, StoreError};
use http::{Request as HttpRequest, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::answer::{NoPart, answer};
use super::arguments::{BadArguments, Part, Request};
use super::tool::tool;
use super::turns::{Client, Turns};
use crate::memory::{BodyMemory, MemoryBudget, OverBudget};
use crate::metrics::retrieval::{Outcome, RetrievalCounts};

/// How long the store may take. A model waits for any tool.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a text may be searched: the clock is looked at before each line, and within long ones.
const SEARCH_TIME: Duration = Duration::from_secs(5);
/// How long an answer may take in all, with the wait for a turn.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The retrieval of originals from a store.
#[derive(Debug, Clone)]
pub(crate) struct Retrieval {
    store: Arc<dyn Store>,
    counts: RetrievalCounts,
    memory: MemoryBudget,
    turns: Arc<Turns>,
}

/// The retrieval for one HTTP request.
#[derive(Debug, Clone)]
struct OneRequest {
    retrieval: Retrieval,
    client: Client,
    /// What its response takes of the memory for bodies.
    memory: Arc<Mutex<Option<BodyMemory>>>,
}

/// The text of an answer, and the memory that it takes.
type Answered = (String, BodyMemory);

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
    #[error(
        "there is no memory for this text, because other requests take it: try again in a few seconds"
    )]
    OverMemory,
}

impl NoAnswer {
    const fn outcome(&self) -> Outcome {
        match self {
            Self::BadArguments(_) | Self::NoPart(_) => Outcome::Refused,
            Self::Gone => Outcome::Gone,
            Self::StoreAway => Outcome::StoreAway,
            Self::OverMemory => Outcome::OverMemory,
        }
    }
}

impl Retrieval {
    /// From this store, counted there, within this memory.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        counts: RetrievalCounts,
        memory: MemoryBudget,
    ) -> Self {
        Self {
            store,
            counts,
            memory,
            turns: Arc::new(Turns::new()),
        }
    }

    /// Answers one HTTP request whose body was read. Its host and origin must have been checked.
    pub(crate) async fn respond(
        &self,
        request: HttpRequest<Full<Bytes>>,
    ) -> Response<BoxBody<Bytes, Infallible>> {
        let one = OneRequest {
            retrieval: self.clone(),
            client: request.extensions().get().copied().unwrap_or_default(),
            memory: Arc::default(),
        };
        let memory = one.memory.clone();
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .disable_allowed_hosts();
        let sessions = Arc::new(NeverSessionManager::default());
        let service = StreamableHttpService::new(move || Ok(one.clone()), sessions, config);
        let response = service.handle(request).await;
        let memory = memory.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(memory) = memory else {
            return response;
        };
        // It is one JSON text, which is there already, and takes the memory until it is sent.
        let (parts, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        let body = Full::new(memory.held_by(body.to_bytes()));
        Response::from_parts(parts, body.boxed())
    }

    /// The answer to a call.
    async fn call(
        &self,
        client: Client,
        arguments: &rmcp::model::JsonObject,
    ) -> Result<Answered, NoAnswer> {
        let request = Request::new(arguments)?;
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.answer(client, request)).await;
        answered.unwrap_or(Err(NoAnswer::NoPart(NoPart::OutOfTime)))
    }

    /// What is answered to a request, when it is its turn.
    async fn answer(&self, client: Client, request: Request) -> Result<Answered, NoAnswer> {
        let Request { original, part } = request;
        let turn = self.turns.take(client, &part).await;
        let text = self.read(original).await?;
        let memory = self.memory_for(&text)?;
        let answered = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            Ok((answer_from(&text, &part)?, memory))
        });
        // The answer can't be made of a text that is not what the store should hold.
        answered.await.unwrap_or(Err(NoAnswer::Gone))
    }

    /// Memory for an escaped text, the text itself, the answer, and the response.
    fn memory_for(&self, text: &Bytes) -> Result<BodyMemory, NoAnswer> {
        let taken = self.memory.body().and_then(|mut memory| {
            // With as many again that a body takes.
            memory.grow(2 * text.len())?;
            Ok(memory)
        });
        taken.map_err(|OverBudget| NoAnswer::OverMemory)
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

impl ServerHandler for OneRequest {
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
        let Retrieval { counts, .. } = &self.retrieval;
        let result = match self.retrieval.call(self.client, &arguments).await {
            Ok((text, memory)) => {
                counts.found(text.len());
                *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
                CallToolResult::success(vec![ContentBlock::text(text)])
            }
            Err(error) => {
                counts.failed(error.outcome());
                CallToolResult::error(vec![ContentBlock::text(error.to_string())])
            }
        };
        Ok(result.into())
    }
}
