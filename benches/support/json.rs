//! Results as a file.

use std::path::Path;

use serde_json::Value;

pub fn write_json(path: &Path, document: &Value) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, format!("{document:#}\n"))
}
