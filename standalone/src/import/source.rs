//! The file of an import: opened and unpacked.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use thiserror::Error;

use super::Format;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

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
    /// The CSV header cannot be used.
    #[error("the header row of {path} cannot be used: {reason}")]
    Header {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A file, or standard input.
pub struct Source {
    /// Its name, for messages.
    pub name: String,
    /// Its length as it lies there, in bytes; `None` of a stream.
    pub length: Option<u64>,
    input: Input,
}

enum Input {
    /// Can be read from its beginning as often as one likes.
    File(File),
    /// Can be read once.
    Stream(Box<dyn Read>),
}

impl Source {
    /// Opens a file, or takes standard input for `-`. What is no file on disk and has to be read `again` is copied into one
    /// that vanishes with the process.
    ///
    /// # Errors
    /// [`SourceError::Read`].
    pub fn open(path: &Path, again: bool) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let (length, input) = open(path, again).map_err(|source| SourceError::Read { path: name.clone(), source })?;
        Ok(Self { name, length, input })
    }

    /// The unpacked bytes from the beginning; `count` is told the bytes read of the file as it lies there.
    ///
    /// # Errors
    /// [`SourceError::Read`].
    pub fn reader(&mut self, count: impl Fn(u64) + 'static) -> Result<Box<dyn Read>, SourceError> {
        let raw: io::Result<Box<dyn Read>> = match &mut self.input {
            Input::File(file) => {
                file.rewind().and_then(|()| file.try_clone()).map(|file| Box::new(file) as Box<dyn Read>)
            }
            Input::Stream(stream) => Ok(std::mem::replace(stream, Box::new(io::empty()))),
        };
        let counted = raw.map(|inner| BufReader::with_capacity(1 << 16, Counted { inner, count }));
        counted.and_then(unpacked).map_err(|source| SourceError::Read { path: self.name.clone(), source })
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

fn open(path: &Path, again: bool) -> io::Result<(Option<u64>, Input)> {
    let stream: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if about.is_file() {
            return Ok((Some(about.len()), Input::File(file)));
        }
        Box::new(file)
    };
    if again {
        let file = spool(stream)?;
        return Ok((Some(file.metadata()?.len()), Input::File(file)));
    }
    Ok((None, Input::Stream(stream)))
}

/// Copies a stream into a file that vanishes with the process.
fn spool(mut stream: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut stream, &mut file)?;
    file.flush()?;
    Ok(file)
}

/// Unpacks what begins as gzip does.
fn unpacked(mut raw: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut begin = Vec::with_capacity(GZIP.len());
    raw.by_ref().take(GZIP.len() as u64).read_to_end(&mut begin)?;
    let packed = begin == GZIP;
    let whole = Cursor::new(begin).chain(raw);
    Ok(if packed { Box::new(MultiGzDecoder::new(BufReader::new(whole))) } else { Box::new(whole) })
}

struct Counted<R, F> {
    inner: R,
    count: F,
}

impl<R: Read, F: Fn(u64)> Read for Counted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        (self.count)(read as u64);
        Ok(read)
    }
}
