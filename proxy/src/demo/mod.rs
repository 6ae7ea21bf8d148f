//! The demo.
/// Plays it.
///
/// # Errors
/// None yet.
pub async fn play() -> anyhow::Result<()> {
    Ok(())
}
