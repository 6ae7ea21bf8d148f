//! The end of a job: what it leaves in the store, and the next element with it.

use std::sync::atomic::Ordering;

use super::scripts;
use super::work_queue::{RedisWorkQueue, minus};
use crate::contract::job::Envelope;
use crate::queue::limits::ms;
use crate::queue::work_queue::ResultEntry;
use crate::queue::{Element, Finished};
use crate::store::StoreError;

impl RedisWorkQueue {
    /// Writes what a job leaves in the store, which is the same however often it is written.
    pub(super) async fn write(&self, entries: &[ResultEntry<'_>]) -> Result<(), StoreError> {
        let mut write = redis::pipe();
        for (key, value) in entries {
            let set = write.cmd("SET").arg(self.keys.entry(*key)).arg(&**value);
            set.arg("PX").arg(ms(self.bounds.result_ttl)).ignore();
        }
        let write = async |mut connection| write.exec_async(&mut connection).await;
        self.pool.repeat("write a result", write).await
    }

    /// Ends a job, writes what it leaves in the store, and claims the next element if `and_claim` says so.
    pub(super) async fn end(
        &self,
        (element, envelope): (&Element, &Envelope),
        entries: &[ResultEntry<'_>],
        and_claim: bool,
    ) -> Result<(Finished, Option<Element>), StoreError> {
        let found = and_claim.then(|| self.held().next_adopted()).flatten();
        let mut script = scripts::FINISH.key(&self.active);
        script
            .key(self.keys.payload(&envelope.id))
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .key(self.keys.jobs())
            .key(self.keys.paused())
            .arg(element.bytes())
            .arg(&envelope.id)
            .arg(self.keys.done())
            .arg(envelope.prefix.to_string())
            .arg(minus(envelope.bytes))
            .arg(u8::from(and_claim && found.is_none()))
            .arg(ms(self.bounds.result_ttl));
        for (key, value) in entries {
            script.key(self.keys.entry(*key)).arg(&**value);
        }
        let before = self.pool.generation();
        let ended = self.pool.run("finish a job", &script).await;
        if and_claim && (ended.is_err() || self.pool.generation() != before) {
            self.may_claim_late();
        }
        let (mine, paused, claimed): (bool, bool, Option<Vec<u8>>) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                found
                    .into_iter()
                    .for_each(|found| self.held().return_adopted(found));
                return Err(error);
            }
        };
        self.held().end(element);
        if paused {
            self.paused.store(true, Ordering::Relaxed);
        }
        let next = claimed.map(|bytes| Element::new(bytes.into())).or(found);
        let next = next.filter(|element| self.held().start(element));
        Ok((
            if mine {
                Finished::Done
            } else {
                Finished::DoneAgain
            },
            next,
        ))
    }
}
