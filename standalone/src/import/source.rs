//! The file of an import: opened, unpacked, and known by its digest.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Format;

/// Why the file cannot be read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Opening or reading failed.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The name does not tell the format.
    #[error("{path} does not tell its format; add --format csv or --format ndjson")]
    UnknownFormat {
        /// The file.
        path: String,
    },
    /// The CSV header cannot be read.
    #[error("the header row of {path} cannot be read")]
    Header {
        /// The file.
        path: String,
        /// The reader's error.
        #[source]
        source: csv::Error,
    },
}

/// A file that can be read more than once; standard input is kept in a temporary file.
#[derive(Debug)]
pub struct Source {
    /// Its name, for messages.
    pub name: String,
    /// SHA-256 of the file as it lies there, packed or not.
    pub digest: [u8; 32],
    /// Its length as it lies there, in bytes.
    pub length: u64,
    file: File,
    packed: bool,
}

impl Source {
    /// Opens a file, or takes standard input for `-`, and makes its digest.
    ///
    /// # Errors
    /// [`SourceError::Read`].
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let failed = |source| SourceError::Read { path: name.clone(), source };
        let mut file =
            if path == Path::new("-") { spool(io::stdin().lock()) } else { File::open(path) }.map_err(failed)?;
        let mut digest = Sha256::new();
        let length = io::copy(&mut file, &mut digest).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let mut magic = [0; 2];
        let packed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        file.rewind().map_err(failed)?;
        Ok(Self { digest: digest.finalize().into(), length, file, packed, name })
    }

    /// The unpacked bytes from the beginning; `count` is told the bytes read of the file as it lies there.
    ///
    /// # Errors
    /// [`SourceError::Read`].
    pub fn reader(&self, count: impl Fn(u64) + 'static) -> Result<Box<dyn Read>, SourceError> {
        let failed = |source| SourceError::Read { path: self.name.clone(), source };
        let mut file = self.file.try_clone().map_err(failed)?;
        file.rewind().map_err(failed)?;
        let counted = BufReader::with_capacity(1 << 16, Counted { inner: file, count });
        Ok(if self.packed { Box::new(BufReader::new(MultiGzDecoder::new(counted))) } else { Box::new(counted) })
    }

    /// The format that the name tells.
    ///
    /// # Errors
    /// [`SourceError::UnknownFormat`].
    pub fn guess_format(&self) -> Result<Format, SourceError> {
        let name = self.name.to_ascii_lowercase();
        let name = PathBuf::from(name.strip_suffix(".gz").unwrap_or(&name));
        match name.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Ok(Format::Csv),
            Some("ndjson" | "jsonl" | "json") => Ok(Format::Ndjson),
            _ => Err(SourceError::UnknownFormat { path: self.name.clone() }),
        }
    }
}

/// Copies a stream that cannot be read twice into a file that vanishes with the process.
fn spool(mut stream: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut stream, &mut file)?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}

struct Counted<F> {
    inner: File,
    count: F,
}

impl<F: Fn(u64)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        (self.count)(read as u64);
        Ok(read)
    }
}
