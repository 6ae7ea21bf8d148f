//! Whether providers can be reached.

use super::check::Check;
use crate::upstream::Reached;

/// What that means of one of them.
pub(super) fn check(reached: &Reached) -> Check {
    let host = reached.base.authority();
    let through = reached.through.as_ref();
    let way = through.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    let Some(error) = &reached.failed else {
        return Check::ok("provider", format!("{host} can be reached{way}"));
    };
    let fix = if through.is_some() {
        "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and at that proxy"
    } else {
        "look at the network, at ANTHROPIC_TARGET_API_URL and OPENAI_TARGET_API_URL, and whether this machine needs HTTPS_PROXY"
    };
    Check::failed(
        "provider",
        format!("{host} can't be reached{way}: {error}"),
        fix,
    )
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn what_can_t_be_reached_is_told_with_the_way_to_it() {
        let mut reached = Reached {
            base: "https://api.example/v1".parse().unwrap(),
            through: None,
            failed: None,
        };
        assert_eq!(check(&reached).detail, "api.example can be reached");
        reached.through = Some("proxy:3128".to_owned());
        reached.failed = Some("refused".to_owned());
        let failed = check(&reached);
        assert_eq!(failed.status, Status::Failed);
        assert_eq!(
            failed.detail,
            "api.example can't be reached through the proxy proxy:3128: refused"
        );
        assert!(failed.fix.unwrap().contains("HTTPS_PROXY"));
    }
}
