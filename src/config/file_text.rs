//! The text of a config file: bounded, and what is not text is told by its line.

use std::io::Read as _;
use std::path::Path;

/// Bytes a config may have; ten thousand targets take two million.
const MOST: u64 = 16 << 20;

/// Reads a file, or whatever stands in its place.
///
/// # Errors
/// A fragment: it cannot be read, is longer than any config, or is no text.
pub(super) fn file_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes));
    read.map_err(|err| format!("cannot be read: {err}"))?;
    if bytes.len() as u64 > MOST {
        return Err(format!("is longer than {} MB: is it the right file?", MOST >> 20));
    }
    String::from_utf8(bytes).map_err(|err| {
        let before = &err.as_bytes()[..err.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        format!("is not UTF-8: line {line} holds other bytes; save it as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_by_its_line_and_nothing_endless_is_read() {
        let latin = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(latin.path(), b"# fine\nid = \"caf\xe9\"\n").expect("written");
        let says = file_text(latin.path()).expect_err("it is Latin 1");
        assert!(says.contains("line 2"), "{says}");
        let says = file_text(Path::new("/dev/zero")).expect_err("it has no end");
        assert!(says.contains("longer than 16 MB"), "{says}");
    }
}
