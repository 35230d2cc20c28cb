//! Writes every check's seeds under `corpus/NAME`, for cargo-fuzz to begin from.

use std::path::Path;

fn main() -> std::io::Result<()> {
    for check in shells_fuzz::CHECKS {
        let folder = Path::new("corpus").join(check.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (check.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
