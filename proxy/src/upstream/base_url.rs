//! Reads base URLs, from settings and from requests.

use url::Url;

/// Reads a base URL that requests can be sent to.
///
/// # Errors
/// What it takes, where `text` is none: what it says may hold a password.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let takes = || "takes a base URL, such as https://api.example.com".to_owned();
    let url: Url = text.parse().map_err(|_| takes())?;
    let good = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
    if good && url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err(takes())
    }
}
