//! What the programs that measure have in common: figures out of many values, tables and a file for them, and an end when they are told to.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use comfy_table::{CellAlignment, LineStyle, Table, presets};
use headroom_shared::runtime::{config, shutdown};
use serde::Serialize;

/// The value that so many percent of all do not exceed (the nearest rank); the default of none.
#[must_use]
pub fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// A table with this header, whose first columns, so many, are words and the others figures.
#[must_use]
pub fn table(header: &[&str], words: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.style_mut().row_separator = LineStyle::none();
    table.set_header(header);
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The file that a program's `--json` names.
#[derive(Debug)]
pub struct JsonFile(File);

impl JsonFile {
    /// Makes it before anything is measured, so that hours of measuring do not end in a wrong path.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path);
        let file = file.with_context(|| format!("can't write --json {}", path.display()))?;
        Ok(Self(file))
    }

    /// Writes a report.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(mut self, report: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(&self.0, report)?;
        Ok(writeln!(self.0)?)
    }
}

/// Runs a measurement until its end, or until the program is told to stop. What is dropped then takes its child processes with
/// it.
///
/// # Errors
/// Those of the measurement, and when it is stopped.
pub async fn until_told_to_stop(
    measure: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    // Biased: Ctrl-C stops child processes too, and that is no failure to speak of.
    tokio::select! {
        biased;
        () = shutdown::signal() => bail!("interrupted; all that it started has ended"),
        ended = Box::pin(measure) => ended,
    }
}

/// What a program of this name does: the measurement, on a runtime of its own, until its end or until it is told to stop.
pub fn run_program(name: &str, measure: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(until_told_to_stop(measure)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail(name, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(percentile(&values, 50), 3.0);
        assert_eq!(percentile(&values, 99), 5.0);
        assert_eq!(percentile(&values, 20), 1.0);
        assert_eq!(percentile::<f64>(&[], 50), 0.0);
    }
}
