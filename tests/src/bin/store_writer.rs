//! Writes to an embedded store until it is killed: each time a form of its own, and the next revision of one record. After each write it says
//! which.
//!
//! Arguments: the store's folder, and the first part of the entries' names.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::store::{EmbeddedStore, Entry, Key, Life, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().context("no folder")?;
    let name = args.next().context("no name")?;
    let store = EmbeddedStore::open(Path::new(&folder), Duration::from_secs(3600), 1 << 30)?;
    for number in 0_u32.. {
        let name = format!("{name}-{number}");
        let mut id = [0; 16];
        id[..name.len()].copy_from_slice(name.as_bytes());
        let form = Entry::without_revisions(Key::Form(FormId::from_bytes(id)), name.into());
        let record = Entry {
            key: Key::Sent(PrefixId::from_bytes([b's'; 16])),
            rev: number,
            value: format!(r#"{{"rev":{number}}}"#).into(),
            life: Life::Full,
        };
        store.write(&[form, record]).await?;
        writeln!(std::io::stdout(), "{number}")?;
    }
    Ok(())
}
