//! Reads an element of the queue and its job's payload.

use std::sync::Arc;

use super::{Element, Job, Loaded};
use crate::contract::job::{self, Envelope, Payload};

/// The envelope in an element, or why it holds none that this program can work with.
pub(super) fn read(element: &Element, max_bytes: usize) -> Result<Envelope, String> {
    let envelope = parse(element, max_bytes)?;
    if envelope.v != job::VERSION {
        return Err(format!(
            "an envelope of version {}, this program reads {}",
            envelope.v,
            job::VERSION
        ));
    }
    Ok(envelope)
}

/// The envelope in an element, of whatever version, or why it holds none.
pub(super) fn parse(element: &Element, max_bytes: usize) -> Result<Envelope, String> {
    let length = element.bytes().len();
    if length > max_bytes {
        return Err(format!(
            "an envelope has at most {max_bytes} bytes, this has {length}"
        ));
    }
    serde_json::from_slice(element.bytes())
        .map_err(|error| format!("not an envelope: {}", malformed(&error)))
}

/// What is wrong with a JSON text. The parser's own message may quote the text.
fn malformed(error: &serde_json::Error) -> String {
    let problem = if error.is_data() {
        "wrong fields"
    } else {
        "no JSON"
    };
    format!(
        "{problem} at line {} column {}",
        error.line(),
        error.column()
    )
}

/// The job of an element whose envelope is good, or why its payload is unusable.
pub(super) fn loaded(
    element: Element,
    envelope: Envelope,
    payload: Option<&[u8]>,
    crashes: u32,
) -> Loaded {
    let payload = match payload {
        None => Err("its payload is gone".to_owned()),
        Some(payload) => match serde_json::from_slice::<Payload>(payload) {
            Ok(payload) if payload.v == job::VERSION => Ok(payload),
            Ok(payload) => Err(format!(
                "a payload of version {}, this program reads {}",
                payload.v,
                job::VERSION
            )),
            Err(error) => Err(format!("not a payload: {}", malformed(&error))),
        },
    };
    match payload {
        Ok(payload) => Loaded::Job(Arc::new(Job {
            element,
            envelope,
            payload,
            crashes,
        })),
        Err(reason) => Loaded::Unusable { element, reason },
    }
}
