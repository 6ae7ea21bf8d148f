//! The Redis of a deployment, and its workers.

use bytesize::ByteSize;
use headroom_shared::queue::QueueStatus;
use headroom_shared::queue::redis::{Diagnosis, UnmetRequirement};

use super::check::Check;

const REDIS: &str = "redis";
const MEMORY: &str = "redis_memory";
const RIGHTS: &str = "redis_rights";
const CLOCK: &str = "redis_clock";
const SECRET: &str = "secret";
const WORKERS: &str = "workers";
/// Clocks that differ by more, in milliseconds, are not set by a time server.
const CLOCK_DIFFERENCE: u64 = 2000;

/// What it means whether a Redis answers and fits.
pub(super) fn fits(at: &str, unmet: Option<&UnmetRequirement>) -> Check {
    match unmet {
        None => Check::ok(REDIS, format!("Redis at {at} answers and fits")),
        Some(UnmetRequirement::Store(error)) if error.is_refusal() => Check::failed(
            REDIS,
            format!("Redis at {at}: {error}"),
            "set user and password in HEADROOM_REDIS_URL, or the user's rights in Redis (docs/operations.md, \"a user of its own\")",
        ),
        Some(UnmetRequirement::Store(error)) => Check::failed(
            REDIS,
            format!("Redis at {at}: {error}"),
            "start it, or set HEADROOM_REDIS_URL to where it is; until then requests are forwarded uncompressed",
        ),
        Some(UnmetRequirement::Eviction(evicts)) => Check::failed(
            REDIS,
            format!("Redis at {at}: {evicts}"),
            "CONFIG SET maxmemory-policy noeviction, and in redis.conf",
        ),
        Some(unmet) => Check::failed(
            REDIS,
            format!("Redis at {at}: {unmet}"),
            "do what the error says",
        ),
    }
}

/// What was found of a Redis that answers, which takes no large jobs from so many percent of its memory on.
pub(super) fn diagnosis(found: &Diagnosis, nearly_full: u64) -> Vec<Check> {
    let mut checks = vec![memory(found.memory, nearly_full), rights(&found.refused)];
    checks.extend(found.clock_ahead_ms.map(clock));
    checks.push(Check::ok(
        SECRET,
        if found.has_secret {
            "Redis holds the deployment's secret, which all its proxies and workers share"
        } else {
            "Redis holds no secret of this namespace yet: the first request makes it"
        },
    ));
    checks
}

fn memory(memory: Option<(u64, u64)>, nearly_full: u64) -> Check {
    let Some((used, max)) = memory else {
        return Check::ok(MEMORY, "not known: this user may not call INFO");
    };
    let (used_bytes, max_bytes) = (ByteSize::b(used), ByteSize::b(max));
    if max == 0 {
        return Check::warning(
            MEMORY,
            format!("Redis uses {used_bytes}, and has no maxmemory"),
            "set maxmemory, so that it refuses writes before the machine has no memory left",
        );
    }
    let detail = format!("Redis uses {used_bytes} of {max_bytes}");
    let fix = "give it more maxmemory, or shorten HEADROOM_RETENTION_HOURS";
    if used > max {
        return Check::failed(MEMORY, format!("{detail} and refuses writes"), fix);
    }
    if used.saturating_mul(100) >= max.saturating_mul(nearly_full) {
        return Check::warning(MEMORY, format!("{detail}: large jobs are not taken"), fix);
    }
    Check::ok(MEMORY, detail)
}

fn rights(refused: &[&str]) -> Check {
    if refused.is_empty() {
        return Check::ok(RIGHTS, "this user may run the commands that were tried");
    }
    Check::failed(
        RIGHTS,
        format!("this user may not run {}", refused.join(", ")),
        "set its rights as in docs/operations.md, \"a user of its own\"",
    )
}

fn clock(ahead_ms: i64) -> Check {
    let (ms, side) = (
        ahead_ms.unsigned_abs(),
        if ahead_ms < 0 { "behind" } else { "ahead of" },
    );
    let seconds = ms / 1000;
    if ms > CLOCK_DIFFERENCE {
        return Check::warning(
            CLOCK,
            format!("Redis's clock is {seconds} s {side} this machine's"),
            "set both by a time server: records are dated by the proxies' clocks",
        );
    }
    Check::ok(CLOCK, "Redis's clock and this machine's agree")
}

/// What it means which workers there are, and what waits for them.
pub(super) fn workers(status: &QueueStatus) -> Vec<Check> {
    let alive = status.workers.iter().filter(|worker| worker.alive).count();
    let waiting = status.depth.waiting + status.depth.waiting_refresh;
    let detail = format!("{alive} workers are alive, {waiting} jobs wait");
    let mut checks = vec![if alive == 0 {
        Check::failed(
            WORKERS,
            detail,
            "start headroom-worker with the same HEADROOM_REDIS_URL and HEADROOM_NAMESPACE; until then large conversations stay uncompressed",
        )
    } else {
        Check::ok(WORKERS, detail)
    }];
    if status.paused.is_some() {
        checks.push(Check::warning(
            "pause",
            "somebody has paused the queue: workers claim nothing",
            "headroom-worker queue resume",
        ));
    }
    if status.depth.dead > 0 {
        checks.push(Check::warning(
            "dead_letters",
            format!("{} jobs were given up", status.depth.dead),
            "headroom-worker queue dead says why; queue replay --all tries them again",
        ));
    }
    checks
}

/// What it means that a proxy runs here with another store than the settings ask for.
pub(super) fn other_store(store: &str) -> Option<Check> {
    (store != "redis").then(|| {
        Check::warning(
            "proxy_store",
            "HEADROOM_REDIS_URL is set here, and the proxy that runs has an embedded store",
            "start it anew with HEADROOM_REDIS_URL",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn memory_is_enough_nearly_full_or_full() {
        for (found, status, says) in [
            (None, Status::Ok, "not known"),
            (Some((5, 0)), Status::Warning, "no maxmemory"),
            (Some((79, 100)), Status::Ok, "79 B of 100 B"),
            (Some((80, 100)), Status::Warning, "large jobs"),
            (Some((101, 100)), Status::Failed, "refuses writes"),
        ] {
            let check = memory(found, 80);
            assert_eq!(check.status, status, "{found:?}");
            assert!(check.detail.contains(says), "{}", check.detail);
        }
    }

    #[test]
    fn rights_and_clocks_are_told() {
        assert_eq!(rights(&[]).status, Status::Ok);
        let lacking = rights(&["EVAL", "SET"]);
        assert_eq!(lacking.status, Status::Failed);
        assert!(lacking.detail.ends_with("EVAL, SET"));
        assert_eq!(clock(-2000).status, Status::Ok);
        assert!(clock(-61_000).detail.contains("61 s behind"));
        assert!(clock(3_000).detail.contains("3 s ahead of"));
    }
}
