//! Writes to an embedded store until it is killed. After each write it says which.
//!
//! Arguments: the store's folder, and the first part of the entries' names.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use headroom_shared::contract::id::FormId;
use headroom_shared::store::{EmbeddedStore, Entry, Key, Store};

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
        let entry = Entry::without_revisions(Key::Form(FormId::from_bytes(id)), name.into());
        store.write(&[entry]).await?;
        writeln!(std::io::stdout(), "{number}")?;
    }
    Ok(())
}
