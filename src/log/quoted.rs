//! Paths in the commands that messages name.

use crate::io::Directory;

/// The path of a file of the directory, or of the directory itself, quoted for a shell.
pub(crate) fn quoted(directory: &dyn Directory, file: &str) -> String {
    let path = if file.is_empty() { directory.path().to_owned() } else { directory.path_of(file) };
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%".contains(c);
    match path.chars().all(is_plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}
