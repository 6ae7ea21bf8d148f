//! Writes a minified document with tables.

use super::parse::{Document, Index, Kind};
use super::shape::{self, Cells, Column};
use crate::compress::Deadline;

/// What was written that a reader must be told of.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Used {
    /// Tables.
    pub(super) tables: bool,
    /// Columns with the same value in all rows.
    pub(super) constants: bool,
    /// Rows within rows.
    pub(super) nested: bool,
}

/// A minified document with tables where they pay, its values on lines of their own; and what it uses for that.
pub(super) fn with_tables(document: &Document<'_>, deadline: Deadline) -> (String, Used) {
    let mut writer = Writer::new(document, deadline);
    let top: Vec<Index> = document.top().collect();
    match shape::table(document, &top) {
        Some(columns) => writer.table(None, &top, &columns),
        None => writer.join(top.into_iter(), '\n', Writer::value),
    }
    (writer.text, writer.used)
}

struct Writer<'a> {
    document: &'a Document<'a>,
    deadline: Deadline,
    text: String,
    used: Used,
}

impl<'a> Writer<'a> {
    fn new(document: &'a Document<'a>, deadline: Deadline) -> Self {
        Self {
            document,
            deadline,
            text: String::new(),
            used: Used::default(),
        }
    }

    fn value(&mut self, value: Index) {
        let document = self.document;
        match document.kind(value) {
            Kind::Scalar => self.text.push_str(document.text(value)),
            Kind::Object => {
                self.open('{', Some(value));
                for (n, (key, value)) in document.members(value).enumerate() {
                    if n > 0 {
                        self.text.push(',');
                    }
                    self.text.push_str(document.text(key));
                    self.text.push(':');
                    self.value(value);
                }
                self.text.push('}');
            }
            Kind::Array => self.array(value),
        }
    }

    fn array(&mut self, array: Index) {
        let elements: Vec<Index> = self.document.children(array).collect();
        match shape::table(self.document, &elements) {
            Some(columns) => self.table(Some(array), &elements, &columns),
            None => self.bracketed(Some(array), elements.into_iter(), ',', Self::value),
        }
    }

    /// The elements of an array, or, for `None`, the values of the document.
    fn table(&mut self, array: Option<Index>, elements: &[Index], columns: &[Column]) {
        self.used.tables = true;
        self.text.push_str("table");
        self.columns(columns);
        let elements = elements.iter().copied();
        self.bracketed(array, elements, '\n', |writer, element| {
            writer.row(element, columns);
        });
    }

    fn columns(&mut self, columns: &[Column]) {
        self.text.push('{');
        for (n, column) in columns.iter().enumerate() {
            if n > 0 {
                self.text.push(',');
            }
            self.text.push_str(self.document.text(column.key));
            match &column.cells {
                Cells::Plain => {}
                Cells::Constant(value) => {
                    self.used.constants = true;
                    self.text.push('=');
                    self.value(*value);
                }
                Cells::Row(columns) => {
                    self.used.nested = true;
                    self.text.push(':');
                    self.columns(columns);
                }
                Cells::Rows(columns) => {
                    self.used.nested = true;
                    self.text.push_str(":[");
                    self.columns(columns);
                    self.text.push(']');
                }
            }
        }
        self.text.push('}');
    }

    /// An element of a table: its row, or itself if it is none of the table's objects.
    fn row(&mut self, element: Index, columns: &[Column]) {
        let document = self.document;
        let keys = columns.iter().map(|column| document.text(column.key));
        let places = match document.kind(element) {
            Kind::Object => shape::places(document, element, keys),
            Kind::Array | Kind::Scalar => None,
        };
        let Some(places) = places else {
            return self.value(element);
        };
        let cells = columns
            .iter()
            .zip(places)
            .filter(|(column, _)| !matches!(column.cells, Cells::Constant(_)));
        self.bracketed(Some(element), cells, ',', |writer, (column, value)| {
            if let Some(value) = value {
                writer.cell(value, &column.cells);
            }
        });
    }

    fn cell(&mut self, value: Index, cells: &Cells) {
        match cells {
            Cells::Row(columns) => self.row(value, columns),
            Cells::Rows(columns) if self.document.kind(value) == Kind::Array => {
                let elements = self.document.children(value);
                self.bracketed(Some(value), elements, ',', |writer, element| {
                    writer.row(element, columns);
                });
            }
            Cells::Rows(_) | Cells::Plain | Cells::Constant(_) => self.value(value),
        }
    }

    /// Items that stand for what is within an object or array, if any.
    fn bracketed<T>(
        &mut self,
        of: Option<Index>,
        items: impl Iterator<Item = T>,
        between: char,
        write: impl FnMut(&mut Self, T),
    ) {
        self.open('[', of);
        self.join(items, between, write);
        self.text.push(']');
    }

    /// An opening bracket, with what the document has after that of this object or array.
    fn open(&mut self, bracket: char, of: Option<Index>) {
        self.text.push(bracket);
        if let Some(of) = of {
            self.text.push_str(self.document.opening_space(of));
        }
    }

    fn join<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        between: char,
        mut write: impl FnMut(&mut Self, T),
    ) {
        for (n, item) in self.deadline.limit(items).enumerate() {
            if n > 0 {
                self.text.push(between);
            }
            write(self, item);
        }
    }
}
