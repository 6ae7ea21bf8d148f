//! The shape of a table: the keys and values that the objects of an array have in common.

use super::parse::{Document, Index, Kind};
use crate::compress::tokens::{Tokens, estimate};

/// Objects with more keys are written out.
const MAX_COLUMNS: usize = 128;

/// What a table must save at least.
const MIN_GAIN: Tokens = Tokens::whole(5);

/// What a separator costs, which stands also where a row has no value under a key.
const SEPARATOR: Tokens = Tokens::thousandths(500);

/// A key that objects share.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) key: Index,
    pub(super) cells: Cells,
}

/// What the objects have under a key.
#[derive(Debug)]
pub(super) enum Cells {
    /// Anything.
    Plain,
    /// All the same value; no object lacks it.
    Constant(Index),
    /// Mostly objects that share these keys; never arrays, which would look like their rows.
    Row(Vec<Column>),
    /// Mostly arrays of such objects; no array in them.
    Rows(Vec<Column>),
}

/// The columns of a table for these elements of an array, or `None` if they are better written out.
pub(super) fn table(document: &Document<'_>, elements: &[Index]) -> Option<Vec<Column>> {
    let objects = objects(document, elements)?;
    let found = Gathered::of(document, &objects);
    found.pays(document).then(|| found.columns(document))
}

/// The objects among values, at least two; `None` also if there is an array among them.
fn objects(document: &Document<'_>, values: &[Index]) -> Option<Vec<Index>> {
    let mut objects = Vec::new();
    for value in values {
        match document.kind(*value) {
            Kind::Object => objects.push(*value),
            Kind::Array => return None,
            Kind::Scalar => {}
        }
    }
    (objects.len() > 1).then_some(objects)
}

/// For each member of an object the place of its key in `keys`; `None` if the keys are not in that order, or not among them.
pub(super) fn places<'k>(
    document: &Document<'_>,
    object: Index,
    keys: impl Iterator<Item = &'k str>,
) -> Option<Vec<Option<Index>>> {
    let mut members = document.members(object).peekable();
    let places = keys
        .map(|key| {
            let (_, value) = members.next_if(|(k, _)| document.text(*k) == key)?;
            Some(value)
        })
        .collect();
    members.peek().is_none().then_some(places)
}

/// The values of objects by key.
struct Gathered {
    keys: Vec<Index>,
    cells: Vec<Vec<Index>>,
    rows: usize,
}

impl Gathered {
    fn of(document: &Document<'_>, objects: &[Index]) -> Self {
        let mut gathered = Self {
            keys: Vec::new(),
            cells: Vec::new(),
            rows: 0,
        };
        for object in objects {
            gathered.add_keys(document, *object);
        }
        gathered.cells = vec![Vec::new(); gathered.keys.len()];
        for object in objects {
            let keys = gathered.keys.iter().map(|key| document.text(*key));
            if let Some(places) = places(document, *object, keys) {
                gathered.rows += 1;
                for (cells, value) in gathered.cells.iter_mut().zip(places) {
                    cells.extend(value);
                }
            }
        }
        gathered
    }

    /// Merges an object's keys into `keys`, unless their order differs or they are too many.
    fn add_keys(&mut self, document: &Document<'_>, object: Index) {
        let known = self.keys.len();
        let mut merged = Vec::with_capacity(known);
        let mut from = 0;
        for (key, _) in document.members(object) {
            let same = |other: &Index| document.text(*other) == document.text(key);
            match self.keys[from..].iter().position(same) {
                Some(at) => {
                    merged.extend_from_slice(&self.keys[from..=from + at]);
                    from += at + 1;
                }
                None if merged.iter().any(same) || merged.len() == MAX_COLUMNS => return,
                None => merged.push(key),
            }
        }
        merged.extend_from_slice(&self.keys[from..]);
        if merged.len() <= MAX_COLUMNS {
            self.keys = merged;
        }
    }

    /// Whether saying the keys once is cheaper than saying them in every row.
    fn pays(&self, document: &Document<'_>) -> bool {
        let mut saved = Tokens::default();
        let mut cost = MIN_GAIN;
        for (key, cells) in self.keys.iter().zip(&self.cells) {
            let key = estimate(document.text(*key)) + SEPARATOR;
            saved = saved + key * cells.len();
            cost = cost + key + SEPARATOR * (self.rows - cells.len());
        }
        self.rows > 1 && saved > cost
    }

    fn columns(self, document: &Document<'_>) -> Vec<Column> {
        let rows = self.rows;
        let columns = self.keys.into_iter().zip(self.cells);
        columns
            .map(|(key, values)| Column {
                key,
                cells: cells(document, &values, rows),
            })
            .collect()
    }
}

fn cells(document: &Document<'_>, values: &[Index], rows: usize) -> Cells {
    let constant = |first: &Index| {
        let first = document.text(*first);
        values.len() == rows && values.iter().all(|value| document.text(*value) == first)
    };
    if let Some(first) = values.first().filter(|first| constant(first)) {
        return Cells::Constant(*first);
    }
    if let Some(columns) = table(document, values) {
        return Cells::Row(columns);
    }
    let arrays = values.iter().filter(|v| document.kind(**v) == Kind::Array);
    let elements: Vec<Index> = arrays.flat_map(|array| document.children(*array)).collect();
    match table(document, &elements) {
        Some(columns) => Cells::Rows(columns),
        None => Cells::Plain,
    }
}
