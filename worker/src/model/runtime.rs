//! Finds and loads ONNX Runtime, which is no part of this program.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::error::Error as _;
use std::fmt::Display;
use std::path::PathBuf;

use ort::LoadDynamicError;

use super::error::{ModelError, first_line};

/// The variable with the library's path.
const PATH: &str = "ORT_DYLIB_PATH";

/// Loads the library into this process; once it is there, this does nothing.
///
/// # Errors
/// Where it is not found, or too old.
pub(super) fn load() -> Result<(), ModelError> {
    let path = path();
    let environment = ort::init_from(&path).map_err(|error| ModelError::Runtime {
        path,
        reason: reason(&error),
    })?;
    environment
        .with_name("headroom")
        .with_telemetry(false)
        .commit();
    Ok(())
}

/// Why it could not be loaded: what the system says, if it is that which refuses.
fn reason(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, .. } => {
            first_line(error.source().map_or(error as &dyn Display, |it| it as _))
        }
        other => first_line(other),
    }
}

/// Where the library is: as set, or the platform's name for it, which the system searches.
fn path() -> PathBuf {
    let set = std::env::var_os(PATH).filter(|path| !path.is_empty());
    set.map_or_else(
        || PathBuf::from(format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}")),
        PathBuf::from,
    )
}
