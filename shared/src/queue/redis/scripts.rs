//! The scripts. Each says in its head what it is given and what it returns; all of its keys are declared.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file))));)*
    };
}

scripts! {
    ENQUEUE = "enqueue.lua";
    TURN_AWAY = "turn_away.lua";
    COALESCE = "coalesce.lua";
    CLAIM = "claim.lua";
    TAKE = "take.lua";
    FINISH = "finish.lua";
    RETRY = "retry.lua";
    BURY = "bury.lua";
    BEAT = "beat.lua";
    REAP = "reap.lua";
    PROMOTE = "promote.lua";
    RELEASE = "release.lua";
    GIVE_BACK = "give_back.lua";
    LOOK = "look.lua";
    LIST = "list.lua";
    REPLAY = "replay.lua";
    DROP = "drop.lua";
    PAUSE = "pause.lua";
}
