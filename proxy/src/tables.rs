//! Tables for a person at a terminal.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

/// An empty table with this header, whose columns at these positions are figures.
pub(crate) fn table(header: &[&str], figures: impl IntoIterator<Item = usize>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.style_mut().row_separator = LineStyle::none();
    table.set_header(header);
    for column in figures {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
