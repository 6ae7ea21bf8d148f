//! One reading a second.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::drain_rate::RateWindow;
use super::screen::Screen;
use super::{QueueCli, text};

/// Between two readings.
const INTERVAL: Duration = Duration::from_secs(1);

impl QueueCli {
    /// Shows the queue's state every second, and where Redis is away, that: over the one before where there is a terminal,
    /// otherwise one after the other.
    ///
    /// # Errors
    /// When nothing can be printed, or Redis refuses this login.
    pub(super) async fn watch(&self) -> anyhow::Result<()> {
        let mut screen = Screen::stdout().filter(|_| !self.json);
        let mut readings = RateWindow::default();
        let mut beats = interval(INTERVAL);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            match self.admin.status().await {
                Ok(status) => {
                    let shown = self.shown(&status, Some(readings.add(&status)));
                    self.show(&mut screen, &shown, text::status(&shown))?;
                }
                Err(error) if error.is_passing() => {
                    let shown = json!({"error": error.to_string()});
                    self.show(&mut screen, &shown, text::away(&self.place(), &error))?;
                }
                Err(error) => return self.reach(Err(error)),
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
