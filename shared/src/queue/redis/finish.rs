//! Acknowledges a job: stores its result, and claims the next element in the same step.

use std::sync::atomic::Ordering;

use super::scripts;
use super::work_queue::RedisWorkQueue;
use crate::contract::job::Envelope;
use crate::queue::limits::ms;
use crate::queue::work_queue::ResultEntry;
use crate::queue::{Element, Finished};
use crate::redis::Retry;
use crate::store::{Life, StoreError, provisional_life_ms};

impl RedisWorkQueue {
    /// Writes a job's result, which is the same however often it is written. What is new of it has a provisional life.
    pub(super) async fn write_result(&self, entries: &[ResultEntry<'_>]) -> Result<(), StoreError> {
        let life = provisional_life_ms(ms(self.bounds.result_ttl));
        let mut write = redis::pipe();
        for (key, value) in entries {
            let name = self.keys.entry(*key);
            let replace = write.cmd("SET").arg(&name).arg(&**value);
            replace.arg("XX").arg("KEEPTTL").ignore();
            let add = write.cmd("SET").arg(&name).arg(&**value);
            add.arg("NX").arg("PX").arg(life).ignore();
        }
        self.pool.query("write a result", Retry::Once, &write).await
    }

    /// Acknowledges a job, writes its result unless that `is_written`, gives it this life or the shorter one of its request, and claims the
    /// next element if `and_claim` says so.
    pub(super) async fn acknowledge(
        &self,
        (element, envelope): (&Element, &Envelope),
        (entries, is_written, life): (&[ResultEntry<'_>], bool, Life),
        and_claim: bool,
    ) -> Result<(Finished, Option<Element>), StoreError> {
        let adopted = and_claim.then(|| self.held().next_adopted()).flatten();
        let full_ms = ms(self.bounds.result_ttl);
        let provisional_ms = provisional_life_ms(full_ms);
        let life_ms = match life {
            Life::Provisional => provisional_ms,
            Life::Full => full_ms,
        };
        let mut script = scripts::FINISH.key(&self.active);
        script
            .key(self.keys.payload(&envelope.id))
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .key(self.keys.jobs())
            .key(self.keys.refresh_jobs())
            .key(self.keys.paused())
            .key(self.keys.sent(envelope.prefix))
            .arg(element.bytes())
            .arg(&envelope.id)
            .arg(self.keys.done())
            .arg(envelope.prefix.to_string())
            .arg(envelope.bytes)
            .arg(u8::from(and_claim && adopted.is_none()))
            .arg(life_ms)
            .arg(provisional_ms)
            .arg(if is_written { entries.len() } else { 0 });
        for (key, value) in entries {
            let value = if is_written { &[] } else { &**value };
            script.key(self.keys.entry(*key)).arg(value);
        }
        let before = self.pool.generation();
        let reply = self.pool.query("finish a job", Retry::Once, &script);
        let reply = reply.await;
        if and_claim && (reply.is_err() || self.pool.generation() != before) {
            self.note_lost_claim();
        }
        let (was_held, paused, claimed): (bool, bool, Option<Vec<u8>>) = match reply {
            Ok(reply) => reply,
            Err(error) => {
                adopted
                    .into_iter()
                    .for_each(|element| self.held().return_adopted(element));
                return Err(error);
            }
        };
        self.held().end(element);
        if paused {
            self.paused.store(true, Ordering::Relaxed);
        }
        let next = claimed.map(|bytes| Element::new(bytes.into())).or(adopted);
        let next = next.filter(|element| self.held().start(element));
        let finished = if was_held {
            Finished::Done
        } else {
            Finished::DoneAgain
        };
        Ok((finished, next))
    }
}
