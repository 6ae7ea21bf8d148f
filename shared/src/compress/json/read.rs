//! Reads tables back into arrays of objects. A space after an opening bracket stays.

use super::parse::{MAX_DEPTH, scalar_len};

/// The minified JSON of a text with tables.
pub(super) fn one(text: &str) -> Option<String> {
    let mut reader = Reader::new(text);
    reader.value()?;
    reader.rest.is_empty().then_some(reader.text)
}

/// The same for several values, one a line; if all of the text is one table, its rows are these values.
pub(super) fn many(text: &str) -> Option<String> {
    let mut reader = Reader::new(text);
    match reader.table(LINES) {
        Some(()) if reader.rest.is_empty() => Some(reader.text),
        _ => value_by_value(text),
    }
}

fn value_by_value(text: &str) -> Option<String> {
    let mut reader = Reader::new(text);
    reader.value()?;
    while reader.takes('\n') {
        reader.text.push('\n');
        reader.value()?;
    }
    reader.rest.is_empty().then_some(reader.text)
}

const TABLE: &str = "table{";

/// How an array is written.
#[derive(Clone, Copy)]
struct Array {
    open: &'static str,
    between: char,
    close: &'static str,
}

const ARRAY: Array = Array {
    open: "[",
    between: ',',
    close: "]",
};

const LINES: Array = Array {
    open: "",
    between: '\n',
    close: "",
};

struct Column<'a> {
    key: &'a str,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Plain,
    Constant(String),
    Row(Vec<Column<'a>>),
    Rows(Vec<Column<'a>>),
}

struct Reader<'a> {
    rest: &'a str,
    text: String,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            text: String::with_capacity(text.len() * 2),
            depth: 0,
        }
    }

    fn value(&mut self) -> Option<()> {
        self.depth += 1;
        // A table adds one level to those of the array that it replaces.
        if self.depth > 2 * MAX_DEPTH {
            return None;
        }
        match self.rest.as_bytes().first()? {
            b'{' => self.object()?,
            b'[' => self.array(Self::value)?,
            b't' if self.rest.starts_with(TABLE) => self.table(ARRAY)?,
            _ => {
                let scalar = self.scalar()?;
                self.text.push_str(scalar);
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn object(&mut self) -> Option<()> {
        self.list('{', '}', |reader, n| {
            reader.comma(n);
            let key = reader.scalar()?;
            reader.text.push_str(key);
            reader.take(':')?;
            reader.text.push(':');
            reader.value()
        })
    }

    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.list('[', ']', |reader, n| {
            reader.comma(n);
            element(reader)
        })
    }

    /// Brackets around items with commas between; both brackets are copied.
    fn list(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self, usize) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.text.push(open);
        self.opening_space();
        let mut n = 0;
        while !self.takes(close) {
            if n > 0 {
                self.take(',')?;
            }
            item(self, n)?;
            n += 1;
        }
        self.text.push(close);
        Some(())
    }

    fn table(&mut self, array: Array) -> Option<()> {
        self.rest = self.rest.strip_prefix("table")?;
        let columns = self.columns()?;
        self.take('[')?;
        self.text.push_str(array.open);
        if !array.open.is_empty() {
            self.opening_space();
        }
        let mut n = 0;
        while !self.takes(']') {
            if n > 0 {
                self.take('\n')?;
                self.text.push(array.between);
            }
            self.row(&columns)?;
            n += 1;
        }
        self.text.push_str(array.close);
        Some(())
    }

    fn columns(&mut self) -> Option<Vec<Column<'a>>> {
        self.take('{')?;
        let mut columns = Vec::new();
        while !self.takes('}') {
            if !columns.is_empty() {
                self.take(',')?;
            }
            let key = self.scalar()?;
            let cells = if self.takes('=') {
                Cells::Constant(self.apart(Self::value)?)
            } else if self.takes(':') {
                self.nested()?
            } else {
                Cells::Plain
            };
            columns.push(Column { key, cells });
        }
        Some(columns)
    }

    fn nested(&mut self) -> Option<Cells<'a>> {
        self.depth += 1;
        if self.depth > 2 * MAX_DEPTH {
            return None;
        }
        let cells = if self.takes('[') {
            let columns = self.columns()?;
            self.take(']')?;
            Cells::Rows(columns)
        } else {
            Cells::Row(self.columns()?)
        };
        self.depth -= 1;
        Some(cells)
    }

    /// An element of a table: a row of these columns, or any other value.
    fn row(&mut self, columns: &[Column<'_>]) -> Option<()> {
        if !self.rest.starts_with('[') {
            return self.value();
        }
        self.take('[')?;
        self.text.push('{');
        self.opening_space();
        let (mut cells, mut members) = (0, 0);
        for column in columns {
            if let Cells::Constant(value) = &column.cells {
                self.key(column.key, &mut members);
                self.text.push_str(value);
                continue;
            }
            if cells > 0 {
                self.take(',')?;
            }
            cells += 1;
            if !self.rest.starts_with([',', ']']) {
                self.key(column.key, &mut members);
                self.cell(&column.cells)?;
            }
        }
        self.take(']')?;
        self.text.push('}');
        Some(())
    }

    fn cell(&mut self, cells: &Cells<'_>) -> Option<()> {
        match cells {
            Cells::Row(columns) => self.row(columns),
            Cells::Rows(columns) if self.rest.starts_with('[') => {
                self.array(|reader| reader.row(columns))
            }
            Cells::Rows(_) | Cells::Plain | Cells::Constant(_) => self.value(),
        }
    }

    fn key(&mut self, key: &str, members: &mut usize) {
        self.comma(*members);
        *members += 1;
        self.text.push_str(key);
        self.text.push(':');
    }

    /// What a step writes, apart from what has been written.
    fn apart(&mut self, step: impl FnOnce(&mut Self) -> Option<()>) -> Option<String> {
        let written = self.text.len();
        step(self)?;
        Some(self.text.split_off(written))
    }

    /// The space that may stand after an opening bracket.
    fn opening_space(&mut self) {
        if self.takes(' ') {
            self.text.push(' ');
        }
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.text.push(',');
        }
    }

    fn scalar(&mut self) -> Option<&'a str> {
        let (scalar, rest) = self
            .rest
            .split_at_checked(scalar_len(self.rest.as_bytes())?)?;
        self.rest = rest;
        Some(scalar)
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.takes(expected).then_some(())
    }

    fn takes(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}
