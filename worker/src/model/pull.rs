//! Downloads a model from a hub.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Repo, RepoType};
use sha2::{Digest as _, Sha256};

/// The folder within the target that holds downloads on their way; what is there goes on where it stopped.
const ON_THEIR_WAY: &str = ".download";

/// A file of a model, and where repositories have it: the first of these that is there is taken.
const FILES: [(&str, &[&str]); 3] = [
    ("model.onnx", &["model.onnx", "onnx/model.onnx"]),
    ("tokenizer.json", &["tokenizer.json"]),
    ("config.json", &["config.json"]),
];

/// Downloads the files of a model, all of the repository's newest commit, into the folder `to`, which is made if it is missing. The hub is
/// Hugging Face, or the one that `HF_ENDPOINT` names. Each file is moved to its place when it is whole.
///
/// # Errors
/// Where the hub does not answer, the repository has not all files, or what came is not what the hub says the file is.
pub(crate) fn pull(repository: &str, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("can't make the folder {}", to.display()))?;
    let to = fs::canonicalize(to)?;
    let on_their_way = to.join(ON_THEIR_WAY);
    let api = ApiBuilder::from_env()
        .with_cache_dir(on_their_way.clone())
        .with_progress(std::io::stderr().is_terminal())
        .build()?;
    let repo = Repo::model(repository.to_owned());
    let info = api.repo(repo).info();
    let info = info.with_context(|| format!("can't look {repository} up in the hub"))?;
    let commit = Repo::with_revision(repository.to_owned(), RepoType::Model, info.sha.clone());
    let commit = api.repo(commit);
    for (name, places) in FILES {
        let place = place(&info, places);
        let place = place.with_context(|| format!("{repository} has no {name}"))?;
        download(&api, &commit, place, &to.join(name))
            .with_context(|| format!("can't download {place} of {repository}"))?;
    }
    fs::remove_dir_all(&on_their_way)?;
    Ok(())
}

/// Which of these files the repository has.
fn place<'a>(info: &RepoInfo, places: &[&'a str]) -> Option<&'a str> {
    let has = |place: &&str| info.siblings.iter().any(|it| it.rfilename == *place);
    places.iter().copied().find(has)
}

fn download(api: &Api, commit: &ApiRepo, place: &str, to: &Path) -> anyhow::Result<()> {
    let expected = api.metadata(&commit.url(place))?;
    let downloaded = fs::canonicalize(commit.download(place)?)?;
    let checked = check(&downloaded, expected.size(), expected.etag());
    if checked.is_err() {
        // The next attempt begins anew.
        let _ = fs::remove_file(&downloaded);
    }
    checked?;
    Ok(fs::rename(&downloaded, to)?)
}

/// Compares a file with what the hub says of it. Of large files the hub's tag is their SHA-256 digest.
fn check(file: &Path, size: usize, tag: &str) -> anyhow::Result<()> {
    let got = fs::metadata(file)?.len();
    if got != size as u64 {
        bail!("{got} bytes came, and the file has {size}");
    }
    let is_digest = tag.len() == 64 && tag.chars().all(|c| c.is_ascii_hexdigit());
    if is_digest && !digest(file)?.eq_ignore_ascii_case(tag) {
        bail!("what came has another SHA-256 digest than the file");
    }
    Ok(())
}

/// The SHA-256 digest of a file, in hexadecimal digits.
fn digest(file: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    loop {
        let bytes = reader.fill_buf()?;
        let count = bytes.len();
        if count == 0 {
            break;
        }
        hasher.update(bytes);
        reader.consume(count);
    }
    Ok(const_hex::encode(hasher.finalize()))
}
