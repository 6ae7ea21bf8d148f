//! The Lua scripts. Each documents its KEYS, its ARGV and what it returns; all of its keys are declared.

use std::sync::LazyLock;

use redis::{Cmd, Pipeline, Script, ScriptInvocation, pipe};

use crate::contract::job::Envelope;
use crate::contract::keys::Keys;

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file))),+)));)*
    };
}

scripts! {
    ENQUEUE = "queued_bytes.lua" "enqueue.lua";
    DROP_IF_FULL = "drop_if_full.lua";
    COALESCE = "coalesce.lua";
    CLAIM = "claim.lua";
    LOAD = "load.lua";
    FINISH = "queued_bytes.lua" "finish.lua";
    RETRY = "queued_bytes.lua" "retry.lua";
    DEAD_LETTER = "queued_bytes.lua" "dead_letter.lua";
    HEARTBEAT = "heartbeat.lua";
    REAP = "queued_bytes.lua" "reap.lua";
    RECOUNT = "recount.lua";
    PROMOTE = "promote.lua";
    ISOLATE = "isolate.lua";
    RELEASE = "release.lua";
    RELEASE_ALL = "release_all.lua";
    STATUS = "status.lua";
    LIST = "list.lua";
    REPLAY = "queued_bytes.lua" "replay.lua";
    DROP = "queued_bytes.lua" "drop.lua";
    PAUSE = "pause.lua";
}

/// The call of [`DROP`] for this element, which is the job's envelope or its entry in the dead-letter list.
pub(super) fn drop_job<'a>(
    keys: &Keys,
    element: &'a [u8],
    envelope: &'a Envelope,
) -> ScriptInvocation<'a> {
    let mut call = DROP.key(keys.jobs());
    call.key(keys.refresh_jobs())
        .key(keys.delayed())
        .key(keys.dead())
        .key(keys.pending(envelope.prefix))
        .key(keys.payload(&envelope.id))
        .key(keys.crashes())
        .key(keys.attempts())
        .key(keys.stats())
        .arg(element)
        .arg(&envelope.id)
        .arg(envelope.bytes);
    call
}

/// A script with large arguments as the first command of a pipeline.
pub(super) fn pipeline(script: &Script, keys: &[String], args: &[&[u8]]) -> Pipeline {
    let mut pipeline = pipe();
    pipeline.add_command(command(script, keys, args));
    pipeline
}

/// A script with large arguments as a command: they are copied once less than by [`Script::arg`].
pub(super) fn command(script: &Script, keys: &[String], args: &[&[u8]]) -> Cmd {
    let hash = script.get_hash();
    let keys_bytes: usize = keys.iter().map(String::len).sum();
    let args_bytes: usize = args.iter().map(|arg| arg.len()).sum();
    // The name, the hash, and how many keys there are in at most twenty digits.
    let head_bytes = "EVALSHA".len() + hash.len() + 20;
    let bytes = head_bytes + keys_bytes + args_bytes;
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), bytes);
    command.arg("EVALSHA").arg(hash).arg(keys.len());
    command.arg(keys).arg(args);
    command
}
