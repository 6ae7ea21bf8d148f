//! Sessions that clients have kept on this machine, read for a simulation: without network or key.

#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the readers come before the program that replays what they read"
    )
)]
pub(crate) mod transcripts;
