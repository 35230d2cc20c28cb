//! Values that nobody may see: no `Display`, a `Debug` that tells nothing, and zeros where it lay once it is dropped.

use std::fmt;
use std::path::Path;

use engine::error::SetupError;
use zeroize::Zeroizing;

/// Largest file that is read as a value, in bytes: an Ed25519 key in PEM has about 120.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `value`.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value, for the one place that signs with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Lets no other process of the user read this one's memory, and leaves no core file: before a key comes into it.
///
/// # Errors
/// When the system refuses.
pub fn shield() -> Result<(), SetupError> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(|error| SetupError::io("this process", "hiding its memory", error.into()))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A key of an exchange's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The API key.
    pub key: Secret,
    /// The HMAC secret, or an Ed25519 key as PKCS#8 PEM.
    pub secret: Secret,
}

/// The value that a file holds, without one trailing newline.
///
/// # Errors
/// When the file cannot be read, is empty, is no text, or is too long for a value.
pub fn read_file(name: &str, path: &Path) -> Result<String, SetupError> {
    let refuse = |reason: String| SetupError::Invalid(format!("{name}={}: {reason}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| refuse(format!("reading it: {error}")))?.len();
    if length > FILE_BYTES_MAX {
        return Err(refuse(format!("{length} bytes are too many for a value")));
    }
    let bytes = std::fs::read(path).map_err(|error| refuse(format!("reading it: {error}")))?;
    // The error would carry the bytes: it is dropped.
    let mut text = String::from_utf8(bytes).map_err(|_| refuse("holds no text".to_owned()))?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.is_empty() { Err(refuse("is empty".to_owned())) } else { Ok(text) }
}

/// The mode of a file of secrets in `folder`: its owner's, and its group's where the folder is the group's and nobody
/// else's, so that a process under a user of its own reads what another one writes for it.
#[must_use]
pub fn mode_in(folder: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    let shared = std::fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o057 == 0o050);
    if shared { 0o640 } else { 0o600 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2".to_owned());
        let credentials = Credentials { key: secret.clone(), secret };
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert_eq!(credentials.secret.expose(), "hunter2");
    }

    #[test]
    fn a_shielded_process_leaves_no_core_and_lets_nobody_in() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        shield().expect("allowed");
        assert_eq!(dumpable_behavior().expect("told"), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn one_newline_is_dropped_and_bad_files_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            read_file("X_FILE", &path).map_err(|error| error.to_string())
        };
        assert_eq!(read(b"abc\n").as_deref(), Ok("abc"));
        assert_eq!(read(b"abc\n\n").as_deref(), Ok("abc\n"));
        for bad in [&b""[..], b"\n", b"secret\xff", &[b'a'; 70_000]] {
            let error = read(bad).expect_err("refused");
            assert!(error.starts_with("X_FILE=") && !error.contains("secret"), "{error}");
        }
        let error = read_file("X_FILE", &folder.path().join("none")).expect_err("missing").to_string();
        assert!(error.contains("No such file"), "{error}");
    }
}
