//! Settings: where requests go.

use url::Url;

use super::allowed::AllowedUpstreams;
use super::base_url::base_url;
use super::proxies::Proxies;

/// Where requests go.
#[derive(Debug, Clone, clap::Args)]
pub struct Upstreams {
    /// Base URL of Anthropic's API.
    #[arg(long = "anthropic-target-api-url", env = "ANTHROPIC_TARGET_API_URL", value_name = "ANTHROPIC_TARGET_API_URL", default_value = "https://api.anthropic.com", hide_env_values = true, value_parser = base_url)]
    pub anthropic: Url,

    /// Base URL of `OpenAI`'s API. Requests of a `ChatGPT` login (/backend-api/…) go to <https://chatgpt.com> where this is not set.
    #[arg(long = "openai-target-api-url", env = "OPENAI_TARGET_API_URL", value_name = "OPENAI_TARGET_API_URL", default_value = OPENAI, hide_env_values = true, value_parser = base_url)]
    pub openai: Url,

    /// Hosts or host:port, separated by commas, that requests may name as their upstream in x-headroom-base-url [default: none].
    #[arg(
        long = "allowed-upstreams",
        env = "HEADROOM_ALLOWED_UPSTREAMS",
        value_name = "HEADROOM_ALLOWED_UPSTREAMS",
        default_value = "",
        hide_default_value = true
    )]
    pub allowed: AllowedUpstreams,

    /// The proxies that they are reached through, by the variables that other programs know, too.
    #[arg(skip)]
    pub proxies: Proxies,
}

/// `OpenAI`'s own API.
const OPENAI: &str = "https://api.openai.com";
/// The API of a `ChatGPT` login.
const CHATGPT: &str = "https://chatgpt.com";

impl Upstreams {
    /// Base URL of the API of a `ChatGPT` login, where requests to `OpenAI` go to `OpenAI` itself.
    ///
    /// # Errors
    /// Never: both URLs are constants.
    pub(crate) fn chatgpt(&self) -> Result<Option<Url>, url::ParseError> {
        let own = self.openai == OPENAI.parse()?;
        own.then(|| CHATGPT.parse()).transpose()
    }
}
