//! Conversations turn by turn: which form each block is sent in, and that none changes.

mod block_kinds;
mod bound_sessions;
mod claude_shapes;
mod client_edits;
mod cold_start;
mod count_tokens;
mod fleet_wait;
mod fuzz_replay;
mod lost_conversations;
mod lost_data;
mod markers_and_compaction;
mod recoverable;
mod refresh;
mod refused;
mod replay;
mod replay_command;
mod replicas;
mod restart;
mod separated_records;
mod totals;
mod uncompressed;
