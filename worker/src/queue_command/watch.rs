//! `queue status --watch`: shows the status every second.

use std::io;
use std::time::Duration;

use headroom_shared::queue::AdminQueue as _;
use serde::Serialize;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::drain_rate::RateWindow;
use super::screen::Screen;
use super::{QueueCli, text};

/// Time between two readings.
const INTERVAL: Duration = Duration::from_secs(1);

impl QueueCli {
    /// Shows the queue's status every second, or that Redis is away. On a terminal each is drawn over the one before, otherwise they follow
    /// each other.
    ///
    /// # Errors
    /// When nothing can be printed, or Redis refuses this login.
    pub(super) async fn watch(&self) -> anyhow::Result<()> {
        let mut screen = Screen::stdout().filter(|_| !self.json);
        let mut rate_window = RateWindow::default();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.admin.status().await {
                Ok(status) => {
                    let output = self.status_output(&status, Some(rate_window.add(&status)));
                    self.show(&mut screen, &output, text::status(&output))?;
                }
                Err(error) if error.is_passing() => {
                    let output = json!({"error": error.to_string()});
                    self.show(&mut screen, &output, text::away(&self.place(), &error))?;
                }
                Err(error) => return self.with_place(Err(error)),
            }
        }
    }

    fn show(
        &self,
        screen: &mut Option<Screen>,
        json: &impl Serialize,
        text: String,
    ) -> io::Result<()> {
        match screen {
            Some(screen) => screen.draw(&text),
            None => self.print(json, || text + "\n"),
        }
    }
}
