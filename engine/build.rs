//! Gives the engine its build hash: FNV-1a over every source file and the lock file, in path order.
//!
//! Two processes map each other's memory only when these are equal (reliability.md §1.3, C30). Hashing the sources
//! rather than the program lets five different binaries of one checkout agree.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let lock = root.join("../Cargo.lock");
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files)?;
    if lock.exists() {
        files.push(lock);
    }
    files.sort();
    let mut hash = OFFSET;
    for file in &files {
        // The path inside the package, so that two checkouts of one commit agree.
        let name = file.strip_prefix(&root).unwrap_or(file).to_string_lossy();
        for byte in name.bytes().chain(fs::read(file)?) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    println!("cargo:rustc-env=ENGINE_BUILD_HASH={hash:016x}");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=../Cargo.lock");
    Ok(())
}
