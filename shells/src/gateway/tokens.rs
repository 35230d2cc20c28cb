//! Bearer tokens: 256 random bits, shown once; the file keeps their SHA-256. They are found by comparing with every
//! hash in constant time, so that nothing can be learned from how long a refusal takes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::HEXLOWER;
use engine::error::SetupError;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::config::secret::mode_in;
use crate::operator::log::wall_clock;

/// What a token's text begins with, so that people and scanners of secrets know it.
const PREFIX: &str = "trading_";

/// Most tokens in a file, revoked ones included.
const TOKENS_MAX: usize = 1_000;

/// Longest name of a token, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What a token may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Read,
    /// Place, change and cancel orders.
    Trade,
    /// Halt, resume, set limits, start, stop and tune strategies.
    Operate,
}

impl Role {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
            Self::Operate => "operate",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = [Self::Read, Self::Trade, Self::Operate].into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| "expected read, trade or operate".to_owned())
    }
}

/// What the file keeps of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Names it in logs and to `revoke`; no secret.
    pub id: String,
    /// What it may do.
    pub role: Role,
    /// Whose it is, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of its text, in hexadecimal digits.
    pub sha256: String,
    /// When it was made.
    pub created_ns: i64,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ns: Option<i64>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    tokens: Vec<Token>,
}

/// The file of tokens.
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at `path`, which need not be there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Every token; `None` where there is no file.
    ///
    /// # Errors
    /// When others than its owner may read or write it, or it holds something else.
    pub fn read(&self) -> Result<Option<Vec<Token>>, SetupError> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SetupError::io(&self.path, "reading it", error)),
        };
        let (mode, most) = (metadata.mode() & 0o777, mode_in(self.folder()));
        if mode & !most != 0 {
            let reason =
                format!("its mode is {mode:o}, so others than its owner reach it: chmod {most:o} it");
            return Err(SetupError::file(&self.path, reason));
        }
        let text = fs::read(&self.path).map_err(|error| SetupError::io(&self.path, "reading it", error))?;
        let document: Document = serde_json::from_slice(&text)
            .map_err(|error| SetupError::file(&self.path, format!("is no file of tokens: {error}")))?;
        Ok(Some(document.tokens))
    }

    /// Makes a token and gives its text, which is kept nowhere.
    ///
    /// # Errors
    /// When the name does not do, or the file cannot be read or written.
    pub fn create(&self, role: Role, name: Option<String>) -> Result<(Token, Zeroizing<String>), SetupError> {
        if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control))
        {
            let reason = format!("a token's name is at most {NAME_BYTES_MAX} printable bytes");
            return Err(SetupError::Invalid(reason));
        }
        let (id, secret) = (random::<6>()?, Zeroizing::new(random::<32>()?));
        let id = HEXLOWER.encode(&id);
        let text = Zeroizing::new(format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret.as_slice())));
        let sha256 = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        let token = Token { id, role, name, sha256, created_ns: wall_clock().0, revoked_ns: None };
        self.change(|tokens| {
            if tokens.len() >= TOKENS_MAX {
                return Err(format!("holds {TOKENS_MAX} tokens, which is the most"));
            }
            tokens.push(token.clone());
            Ok(())
        })?;
        Ok((token, text))
    }

    /// Revokes the token called `id`. It is good for nothing from then on; its line stays.
    ///
    /// # Errors
    /// When there is none, it is revoked, or the file cannot be read or written.
    pub fn revoke(&self, id: &str) -> Result<Token, SetupError> {
        let mut revoked = None;
        self.change(|tokens| {
            let token = tokens.iter_mut().find(|token| token.id == id);
            let token = token.ok_or_else(|| format!("holds no token {id:?}"))?;
            if token.revoked_ns.is_some() {
                return Err(format!("token {id} is revoked already"));
            }
            token.revoked_ns = Some(wall_clock().0);
            revoked = Some(token.clone());
            Ok(())
        })?;
        revoked.ok_or_else(|| SetupError::file(&self.path, "was not changed"))
    }

    fn folder(&self) -> &Path {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or_else(|| Path::new("."))
    }

    /// Changes the file as a whole: whoever reads sees it before or after.
    fn change(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<(), String>) -> Result<(), SetupError> {
        let failed = |action| move |error| SetupError::io(&self.path, action, error);
        let folder = self.folder();
        fs::create_dir_all(folder).map_err(failed("making its directory"))?;
        let mode = mode_in(folder);
        let private =
            |path: &Path| OpenOptions::new().create(true).write(true).truncate(false).mode(mode).open(path);
        let lock = private(&self.path.with_extension("lock")).map_err(failed("locking it"))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed("locking it")(error.into()))?;
        let mut tokens = self.read()?.unwrap_or_default();
        change(&mut tokens).map_err(|reason| SetupError::file(&self.path, reason))?;
        let text = serde_json::to_vec_pretty(&Document { tokens })
            .map_err(|error| SetupError::file(&self.path, error.to_string()))?;
        let fresh = self.path.with_extension("new");
        let mut file = private(&fresh).map_err(failed("writing it"))?;
        file.set_len(0).map_err(failed("writing it"))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed("writing it"))?;
        fs::rename(&fresh, &self.path).map_err(failed("replacing it"))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("syncing its directory"))
    }
}

fn random<const N: usize>() -> Result<[u8; N], SetupError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| SetupError::Invalid("the machine gives no random bytes".to_owned()))?;
    Ok(bytes)
}

/// The tokens as a running gateway knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// There never was a file: this machine alone is served.
    Nobody,
    /// These.
    Tokens(Vec<Token>),
    /// The file cannot be used: nobody is served.
    Broken(String),
}

impl Known {
    /// The token with this text, if it is valid.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Token> {
        let Self::Tokens(tokens) = self else { return None };
        let sha256 = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        let mut found = None;
        for token in tokens {
            if bool::from(token.sha256.as_bytes().ct_eq(sha256.as_bytes())) && token.revoked_ns.is_none() {
                found = Some(token);
            }
        }
        found
    }

    /// Whether the token called `id` is still valid for `role`.
    #[must_use]
    pub fn holds(&self, id: &str, role: Role) -> bool {
        let Self::Tokens(tokens) = self else { return false };
        tokens.iter().any(|token| token.id == id && token.role >= role && token.revoked_ns.is_none())
    }
}

/// Reads the file again when it has changed.
pub struct Watched {
    file: TokenFile,
    seen: Option<(u64, i64, i64, u64, u32)>,
    /// What is known now.
    pub known: Known,
}

impl Watched {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it is there and cannot be used: a gateway does not start so.
    pub fn open(path: &Path) -> Result<Self, SetupError> {
        let file = TokenFile::new(path);
        let known = file.read()?.map_or(Known::Nobody, Known::Tokens);
        Ok(Self { seen: stamp(path), file, known })
    }

    /// Reads it again if it is another; `true` when something changed. A file that is gone leaves nobody in.
    pub fn refresh(&mut self) -> bool {
        let stamp = stamp(&self.file.path);
        if stamp == self.seen {
            return false;
        }
        self.seen = stamp;
        let before = std::mem::replace(&mut self.known, Known::Nobody);
        self.known = match self.file.read() {
            Ok(Some(tokens)) => Known::Tokens(tokens),
            Ok(None) if before == Known::Nobody => Known::Nobody,
            Ok(None) => Known::Broken("the file of tokens is gone".to_owned()),
            Err(error) => Known::Broken(error.to_string()),
        };
        self.known != before
    }
}

/// What changes when a file does.
fn stamp(path: &Path) -> Option<(u64, i64, i64, u64, u32)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec(), metadata.len(), metadata.mode()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_shown_once_and_only_its_hash_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/tokens.json");
        let file = TokenFile::new(&path);
        assert_eq!(file.read().expect("none"), None);
        let (token, text) = file.create(Role::Trade, Some("ann".to_owned())).expect("made");
        assert!(text.starts_with(&format!("trading_{}_", token.id)) && text.len() == 8 + 12 + 1 + 43);
        let kept = fs::read_to_string(&path).expect("written");
        assert!(!kept.contains(&text[21..]), "the secret is in the file");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        let known = Known::Tokens(file.read().expect("read").expect("there"));
        assert_eq!(known.find(&text), Some(&token));
        for wrong in ["", "trading_", &text[..text.len() - 1], &text.to_uppercase(), &token.sha256] {
            assert_eq!(known.find(wrong), None, "{wrong}");
        }
        assert!(known.holds(&token.id, Role::Read) && !known.holds(&token.id, Role::Operate));
    }

    #[test]
    fn a_folder_of_a_group_shares_its_tokens_with_the_group_and_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let chmod =
            |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        chmod(folder.path(), 0o750);
        let path = folder.path().join("tokens.json");
        let file = TokenFile::new(&path);
        file.create(Role::Read, None).expect("made");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o640);
        for (of_folder, of_file, does) in [(0o750, 0o640, true), (0o755, 0o640, false), (0o750, 0o644, false)]
        {
            chmod(folder.path(), of_folder);
            chmod(&path, of_file);
            assert_eq!(file.read().is_ok(), does, "{of_folder:o} {of_file:o}");
        }
    }

    #[test]
    fn revocation_and_damage_are_noticed_and_nobody_gets_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        let mut watched = Watched::open(&path).expect("no file is fine");
        assert_eq!(watched.known, Known::Nobody);
        let file = TokenFile::new(&path);
        let (token, text) = file.create(Role::Read, None).expect("made");
        assert!(watched.refresh() && watched.known.find(&text).is_some() && !watched.refresh());
        file.revoke(&token.id).expect("revoked");
        assert!(watched.refresh() && watched.known.find(&text).is_none());
        assert!(!watched.known.holds(&token.id, Role::Read));
        assert!(file.revoke(&token.id).is_err() && file.revoke("other").is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        assert!(watched.refresh() && matches!(&watched.known, Known::Broken(why) if why.contains("640")));
        assert!(Watched::open(&path).is_err(), "a gateway does not start so");
        fs::remove_file(&path).expect("removed");
        assert!(watched.refresh() && matches!(watched.known, Known::Broken(_)), "not open to all again");
    }
}
