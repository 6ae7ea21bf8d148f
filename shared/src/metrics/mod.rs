//! What both programs show at `/metrics`: the text formats, the queue's figures, and what process this is.

mod process;
mod queue;
mod text;

pub use self::process::{Started, register_log, register_ready};
pub use self::queue::register_queue;
pub use self::text::{Page, page};
