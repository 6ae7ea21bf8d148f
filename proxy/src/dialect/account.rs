//! The account that Claude Code names in a request's body.

use crate::scan::{Cursor, NotInDialect};

/// The account in `metadata.user_id`, which is a JSON document with `account_uuid`, or `user_…_account_…_session_…`.
pub(crate) fn claude_account(body: &[u8]) -> Option<String> {
    let user_id = user_id(body).ok()??;
    let document: Option<serde_json::Value> = serde_json::from_str(&user_id).ok();
    let account = match &document {
        Some(document) => document.get("account_uuid")?.as_str()?,
        None => {
            let (_, account) = user_id.split_once("_account_")?;
            account.split("_session_").next()?
        }
    };
    (!account.is_empty()).then(|| account.to_owned())
}

/// `metadata.user_id`, if it is a string.
fn user_id(body: &[u8]) -> Result<Option<String>, NotInDialect> {
    let mut found = None;
    Cursor::new(body).object(|cursor, key| {
        let value = cursor.value()?;
        if key == b"metadata" {
            let metadata: Option<serde_json::Value> =
                serde_json::from_slice(cursor.slice(&value)).ok();
            let user_id = metadata.as_ref().and_then(|it| it.get("user_id")?.as_str());
            found = user_id.map(str::to_owned);
        }
        Ok(())
    })?;
    Ok(found)
}
