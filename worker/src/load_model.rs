//! Loads the model that the settings name.

use std::path::Path;
use std::sync::Arc;

use headroom_shared::runtime::config::WorkerSettings;

use crate::shortener::Shortener;

/// What a build without the model says.
#[cfg(not(feature = "model"))]
pub(crate) const NO_SUPPORT: &str = "this build has no model support (cargo's feature `model`)";

/// The model that the settings name, for all threads. Where it can't be loaded, an error is logged, and there is none: then nothing is left out of
/// texts.
#[must_use]
pub fn load(settings: &WorkerSettings) -> Option<Arc<dyn Shortener>> {
    let dir = settings.model.dir.as_deref()?;
    match load_from(dir, settings) {
        Ok(shortener) => {
            tracing::info!(
                model.dir = %dir.display(),
                model.identity = shortener.identity(),
                "loaded the model"
            );
            Some(shortener)
        }
        Err(reason) => {
            tracing::error!(
                "HEADROOM_MODEL is set, but the model is not used, and compression stays lossless: {reason}"
            );
            None
        }
    }
}

#[cfg(feature = "model")]
fn load_from(dir: &Path, settings: &WorkerSettings) -> Result<Arc<dyn Shortener>, String> {
    let model = crate::model::Model::load(dir, &settings.model, settings.threads.get());
    match model {
        Ok(model) => Ok(Arc::new(model)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(not(feature = "model"))]
fn load_from(_dir: &Path, _settings: &WorkerSettings) -> Result<Arc<dyn Shortener>, &'static str> {
    Err(NO_SUPPORT)
}
