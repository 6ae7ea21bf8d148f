//! The name of every Redis key, in one place.

use crate::id::{FormId, PrefixId};
use crate::store::Key;

/// Names the keys of one deployment: they all begin with its namespace.
#[derive(Debug, Clone)]
pub struct Keys {
    namespace: String,
}

impl Keys {
    /// The keys of the deployment with this namespace.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
        }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}:{rest}", self.namespace)
    }

    /// The key of an entry of the store.
    #[must_use]
    pub fn entry(&self, key: Key) -> String {
        match key {
            Key::Sent(prefix) => self.sent(prefix),
            Key::Compressed(prefix) => self.compressed(prefix),
            Key::Form(form) => self.form(form),
        }
    }

    /// String: the deployment's secret, made at first start.
    #[must_use]
    pub fn secret(&self) -> String {
        self.name("secret")
    }

    /// String with a life: a sent record.
    #[must_use]
    pub fn sent(&self, prefix: PrefixId) -> String {
        self.name(&format!("sent:{prefix}"))
    }

    /// String with a life: a compressed prefix.
    #[must_use]
    pub fn compressed(&self, prefix: PrefixId) -> String {
        self.name(&format!("compressed:{prefix}"))
    }

    /// String with a life: a form's text.
    #[must_use]
    pub fn form(&self, form: FormId) -> String {
        self.name(&format!("form:{form}"))
    }
}
