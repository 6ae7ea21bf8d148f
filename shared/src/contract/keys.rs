//! The name of every Redis key, in one place.

use crate::contract::id::{FormId, OriginalId, PrefixId, SentBlockId};
use crate::store::Key;

/// Names the keys of one deployment: they all begin with its namespace.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The first part of every name.
    prefix: String,
}

impl Keys {
    /// The keys of the deployment with this namespace.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            prefix: namespace.to_owned(),
        }
    }

    /// The same for a cluster: the namespace is a hash tag, which puts all keys of a deployment into one slot. A job's
    /// acknowledgement and its result are one step, so the store's keys are among them.
    #[must_use]
    pub fn in_one_slot(namespace: &str) -> Self {
        Self {
            prefix: format!("{{{namespace}}}"),
        }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}:{rest}", self.prefix)
    }

    /// The key of an entry of the store.
    #[must_use]
    pub fn entry(&self, key: Key) -> String {
        match key {
            Key::Sent(prefix) => self.sent(prefix),
            Key::Opened(prefix) => self.opened(prefix),
            Key::Compressed(prefix) => self.compressed(prefix),
            Key::Form(form) => self.form(form),
            Key::SentForm(block) => self.sent_form(block),
            Key::Original(original) => self.original(original),
            Key::Totals => self.totals(),
        }
    }

    /// String: the deployment's secret, made at first start.
    #[must_use]
    pub fn secret(&self) -> String {
        self.name("secret")
    }

    /// String: the name of the data that Redis holds, and since when. It is made with the secret, and again after a loss of all data.
    #[must_use]
    pub fn data_name(&self) -> String {
        self.name("data-name")
    }

    /// String with a life of a second: it is written to see whether a user may write.
    #[must_use]
    pub fn trial(&self) -> String {
        self.name("trial")
    }

    /// String with a life: a sent record.
    #[must_use]
    pub fn sent(&self, prefix: PrefixId) -> String {
        self.name(&format!("sent:{prefix}"))
    }

    /// String with a life: there are sent records of conversations that open with this prefix, which ends before the model's
    /// first message.
    #[must_use]
    pub fn opened(&self, prefix: PrefixId) -> String {
        self.name(&format!("opened:{prefix}"))
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

    /// String with a life: the form that a block of a conversation was last sent in.
    #[must_use]
    pub fn sent_form(&self, block: SentBlockId) -> String {
        self.name(&format!("sent-form:{block}"))
    }

    /// String with a life: the original text of a block that was sent in a shortened form.
    #[must_use]
    pub fn original(&self, original: OriginalId) -> String {
        self.name(&format!("original:{original}"))
    }

    /// String with a life: what the proxies have counted together.
    #[must_use]
    pub fn totals(&self) -> String {
        self.name("totals")
    }

    /// List: envelopes of waiting jobs, newest left, claimed from the right.
    #[must_use]
    pub fn jobs(&self) -> String {
        self.name("jobs")
    }

    /// List: envelopes of waiting refreshes, which are claimed when [`Self::jobs`] is empty; newest left, claimed from the right.
    #[must_use]
    pub fn refresh_jobs(&self) -> String {
        self.name("jobs:refresh")
    }

    /// The list that a new job is pushed to, by whether it is a refresh.
    #[must_use]
    pub fn pushed_to(&self, is_refresh: bool) -> String {
        if is_refresh {
            self.refresh_jobs()
        } else {
            self.jobs()
        }
    }

    /// List: what one worker process holds now.
    #[must_use]
    pub fn active(&self, worker: &str) -> String {
        self.name(&format!("active:{worker}"))
    }

    /// Sorted set: worker id by its last heartbeat, in Redis's own milliseconds.
    #[must_use]
    pub fn workers(&self) -> String {
        self.name("workers")
    }

    /// Hash: worker id to a JSON description of the worker.
    #[must_use]
    pub fn worker_info(&self) -> String {
        self.name("worker-info")
    }

    /// Sorted set: envelopes that failed for a transient reason, by the time of their next attempt.
    #[must_use]
    pub fn delayed(&self) -> String {
        self.name("delayed")
    }

    /// List: the dead letters with their reasons, newest first.
    #[must_use]
    pub fn dead(&self) -> String {
        self.name("dead")
    }

    /// Hash: envelope id to how often its worker died holding it.
    #[must_use]
    pub fn crashes(&self) -> String {
        self.name("crashes")
    }

    /// Hash: envelope id to how often it failed for a transient reason.
    #[must_use]
    pub fn attempts(&self) -> String {
        self.name("attempts")
    }

    /// String with a life: the payload of the job with this envelope id.
    #[must_use]
    pub fn payload(&self, id: &str) -> String {
        self.name(&format!("job:{id}"))
    }

    /// String with a life: an envelope of this prefix waits; its value is that envelope's id.
    #[must_use]
    pub fn pending(&self, prefix: PrefixId) -> String {
        self.name(&format!("pending:{prefix}"))
    }

    /// Hash: the queue's counters.
    #[must_use]
    pub fn stats(&self) -> String {
        self.name("stats")
    }

    /// String: while it is there, nothing is claimed.
    #[must_use]
    pub fn paused(&self) -> String {
        self.name("paused")
    }

    /// Channel: prefixes whose compressed prefix has been stored.
    #[must_use]
    pub fn done(&self) -> String {
        self.name("done")
    }
}
