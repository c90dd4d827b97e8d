//! The partition key of a user record.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A partition key: immutable text that is cheap to clone.
///
/// The user records of one aggregate that name the same key share one allocation. Dereferences to `str`; `Debug` and
/// `Display` show the text, so mind where you log it. The default is the empty key.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey(Arc<str>);

impl Deref for PartitionKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PartitionKey {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for PartitionKey {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, formatter)
    }
}

impl fmt::Debug for PartitionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

impl PartialEq<str> for PartitionKey {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for PartitionKey {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl From<&str> for PartitionKey {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for PartitionKey {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<PartitionKey> for Arc<str> {
    fn from(key: PartitionKey) -> Self {
        key.0
    }
}

impl From<Arc<str>> for PartitionKey {
    fn from(text: Arc<str>) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn behaves_like_its_text() {
        let key = PartitionKey::from("user-7");
        assert_eq!(key, "user-7");
        assert_eq!(key, *"user-7");
        assert_eq!(key, PartitionKey::from(String::from("user-7")));
        assert_eq!(key.len(), 6);
        assert_eq!(format!("{key:>8} {key:?}"), "  user-7 \"user-7\"");
        assert_eq!(key.cmp(&"user-8".into()), Ordering::Less);
        assert_eq!(PartitionKey::default(), "");
    }

    #[test]
    fn maps_can_be_asked_with_plain_text() {
        assert_eq!(BTreeMap::from([(PartitionKey::from("k"), 1)]).get("k"), Some(&1));
    }

    #[test]
    fn a_clone_shares_the_text() {
        let key = PartitionKey::from("k");
        assert_eq!(key.clone().as_ptr(), key.as_ptr());
    }
}
