//! Finds and loads ONNX Runtime, which is no part of this program.

use std::path::PathBuf;

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
        reason: first_line(&error),
    })?;
    environment
        .with_name("headroom")
        .with_telemetry(false)
        .commit();
    Ok(())
}

/// Where the library is: as set, or the platform's name for it, which the system searches.
fn path() -> PathBuf {
    let set = std::env::var_os(PATH).filter(|path| !path.is_empty());
    set.map_or_else(|| PathBuf::from(libloading_name()), PathBuf::from)
}

fn libloading_name() -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}")
}
