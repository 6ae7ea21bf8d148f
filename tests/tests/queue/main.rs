//! The queue and its workers, and the operator's command.

mod admin;
mod command;
mod contract;
mod entries;
mod faults;
mod load;
mod queued_bytes;
mod refresh;
mod steps;
mod time_limit;
mod trouble;
mod watch;
mod worker;
