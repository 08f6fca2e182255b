//! The country of an address, by a file in MaxMind's format. The address is asked about and kept nowhere.

use std::fs::{self, Metadata};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use analytics_domain::Timestamp;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use thiserror::Error;

/// How often the file is looked at, in milliseconds.
const LOOK_EVERY: i64 = 10_000;

/// The largest file that is read: files of cities have some 130 MB.
const BYTES_MAX: u64 = 1 << 30;

/// After so many networks without a country, a file is taken to hold none.
const NETWORKS_TRIED: usize = 10_000;

/// A country by its two letters (ISO 3166-1 alpha-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Country([u8; 2]);

impl Country {
    /// The letters.
    pub(crate) fn letters(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn of_letters(letters: &str) -> Option<Self> {
        let letters: [u8; 2] = letters.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }
}

/// Why a file of countries cannot be used.
#[derive(Debug, Error)]
pub enum CountriesError {
    /// The system does not give it.
    #[error(
        "GEOIP_FILE: {path} cannot be read ({source}); put a file of countries in MaxMind's format there, as \
         GeoLite2-Country.mmdb, or unset GEOIP_FILE"
    )]
    Unreadable {
        /// The path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is a folder, or something else that is no file, or much too large.
    #[error("GEOIP_FILE: {path} is no file of at most 1 GiB; name the .mmdb file itself")]
    NoFile {
        /// The path.
        path: String,
    },
    /// It is not in this format, or broken.
    #[error(
        "GEOIP_FILE: {path} is no whole file in MaxMind's format ({reason}); unpack the archive that it came in, or download it \
         anew"
    )]
    Broken {
        /// The path.
        path: String,
        /// What its reader said.
        reason: String,
    },
    /// It tells something else of addresses.
    #[error("GEOIP_FILE: {path} holds no countries, it is of the type {kind:?}; take one of countries or cities")]
    NoCountries {
        /// The path.
        path: String,
        /// The type that it says it is of.
        kind: String,
    },
}

/// What tells a file from the one that was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    bytes: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            changed: metadata.modified().ok(),
            bytes: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(metadata),
        }
    }
}

/// A file of countries in memory, read anew where it was replaced.
pub struct Countries {
    path: PathBuf,
    reader: RwLock<Arc<Reader<Vec<u8>>>>,
    /// The file that was read last, also where it could not be used.
    stamp: Mutex<Option<Stamp>>,
    looked_millis: AtomicI64,
}

impl Countries {
    /// Reads the file.
    ///
    /// # Errors
    /// [`CountriesError`], each with what to do.
    pub fn open(path: &Path) -> Result<Self, CountriesError> {
        let (reader, stamp) = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            reader: RwLock::new(Arc::new(reader)),
            stamp: Mutex::new(Some(stamp)),
            looked_millis: AtomicI64::new(i64::MIN),
        })
    }

    /// The country of an address, where the file knows one.
    pub(crate) fn of(&self, address: IpAddr) -> Option<Country> {
        let reader = Arc::clone(&self.reader.read().unwrap_or_else(PoisonError::into_inner));
        country(&reader, address)
    }

    /// Whether it is time to look whether the file was replaced; true for one caller at a time.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let (now, last) = (now.as_millis(), self.looked_millis.load(Ordering::Relaxed));
        now.saturating_sub(last) >= LOOK_EVERY
            && self.looked_millis.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Reads the file anew where it is another one than before; one that cannot be used is told once, and the one before is
    /// kept. This waits for the disk.
    pub(crate) fn look(&self) {
        let now = fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if now == *stamp {
            return;
        }
        *stamp = now;
        match read(&self.path) {
            Ok((reader, read)) => {
                *stamp = Some(read);
                let built = reader.metadata().build_epoch;
                *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(reader);
                tracing::info!(built, "the file of countries was replaced and read anew");
            }
            Err(error) => {
                let error = error.to_string();
                tracing::warn!(error, "the file of countries cannot be used; the one before it is kept in memory");
            }
        }
    }
}

fn read(path: &Path) -> Result<(Reader<Vec<u8>>, Stamp), CountriesError> {
    let name = || path.display().to_string();
    let unreadable = |source| CountriesError::Unreadable { path: name(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(CountriesError::NoFile { path: name() });
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let broken = |error: MaxMindDbError| CountriesError::Broken { path: name(), reason: error.to_string() };
    let reader = Reader::from_source(bytes).map_err(broken)?;
    let mut networks = reader.networks(Default::default()).map_err(broken)?.take(NETWORKS_TRIED);
    let first = networks.find_map(|network| match network {
        Ok(network) => network.decode_path::<&str>(&ISO_CODE).ok().flatten().and_then(Country::of_letters).map(Ok),
        Err(error) => Some(Err(error)),
    });
    match first {
        Some(found) => drop(found.map_err(broken)?),
        None => {
            return Err(CountriesError::NoCountries { path: name(), kind: reader.metadata().database_type.clone() });
        }
    }
    Ok((reader, Stamp::of(&metadata)))
}

/// Where files of countries and of cities have the two letters.
const ISO_CODE: [PathElement<'static>; 2] = [PathElement::Key("country"), PathElement::Key("iso_code")];

fn country(reader: &Reader<Vec<u8>>, address: IpAddr) -> Option<Country> {
    // A record that is broken tells nothing; the others still do.
    let found = reader.lookup(address).ok()?;
    found.decode_path::<&str>(&ISO_CODE).ok()?.and_then(Country::of_letters)
}

#[cfg(test)]
mod tests {
    use analytics_testkit::mmdb;

    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countries.mmdb");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn letters(countries: &Countries, address: &str) -> Option<String> {
        countries.of(address.parse().unwrap()).map(|country| country.letters().to_owned())
    }

    #[test]
    fn knows_the_country_of_an_address() {
        let bytes = mmdb::countries(&[("192.0.2.0/24", "DE"), ("198.51.100.0/25", "FR"), ("2001:db8::/32", "NZ")]);
        let (_folder, path) = file(&bytes);
        let countries = Countries::open(&path).unwrap();
        for (address, country) in [
            ("192.0.2.1", Some("DE")),
            ("192.0.2.255", Some("DE")),
            ("192.0.3.1", None),
            ("198.51.100.127", Some("FR")),
            ("198.51.100.128", None),
            ("2001:db8::1", Some("NZ")),
            ("2001:db9::1", None),
            ("127.0.0.1", None),
            ("::1", None),
        ] {
            assert_eq!(letters(&countries, address).as_deref(), country, "{address}");
        }
    }

    #[test]
    fn what_is_no_country_is_none() {
        let (_folder, path) = file(&mmdb::countries(&[("192.0.2.0/24", "DE"), ("203.0.113.0/24", "deu")]));
        assert_eq!(letters(&Countries::open(&path).unwrap(), "203.0.113.1"), None);
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let told = |path: &Path| Countries::open(path).err().expect("it cannot be used").to_string();
        let (folder, path) = file(b"<html>not found</html>");
        assert!(told(&path).contains("no whole file in MaxMind's format"), "{}", told(&path));
        assert!(told(&path).contains("countries.mmdb") && told(&path).starts_with("GEOIP_FILE"), "{}", told(&path));
        assert!(told(folder.path()).contains("name the .mmdb file itself"), "{}", told(folder.path()));
        let nowhere = folder.path().join("nowhere.mmdb");
        assert!(told(&nowhere).contains("cannot be read") && told(&nowhere).contains("unset GEOIP_FILE"));
        let whole = mmdb::countries(&[("192.0.2.0/24", "DE")]);
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Countries::open(&path).is_err(), "{length} bytes of {}", whole.len());
        }
        fs::write(&path, mmdb::countries(&[("192.0.2.0/24", "Germany")])).unwrap();
        assert!(told(&path).contains("holds no countries"), "{}", told(&path));
    }

    #[test]
    fn a_file_that_takes_its_place_is_read_and_a_broken_one_is_not() {
        let (folder, path) = file(&mmdb::countries(&[("192.0.2.0/24", "DE")]));
        let countries = Countries::open(&path).unwrap();
        let begin = Timestamp::from_micros(1_793_613_600_000_000);
        let after = |seconds: i64| begin.saturating_add_micros(seconds * 1_000_000);
        assert!(countries.is_due(begin) && !countries.is_due(begin) && !countries.is_due(after(9)));
        assert!(countries.is_due(after(10)) && !countries.is_due(after(10)));
        countries.look();
        assert_eq!(letters(&countries, "192.0.2.1").as_deref(), Some("DE"));
        let next = folder.path().join("next");
        fs::write(&next, mmdb::countries(&[("192.0.2.0/24", "PT")])).unwrap();
        fs::rename(&next, &path).unwrap();
        countries.look();
        assert_eq!(letters(&countries, "192.0.2.1").as_deref(), Some("PT"));
        fs::write(&path, b"half").unwrap();
        countries.look();
        fs::remove_file(&path).unwrap();
        countries.look();
        assert_eq!(letters(&countries, "192.0.2.1").as_deref(), Some("PT"));
        fs::write(&path, mmdb::countries(&[("192.0.2.0/24", "CV")])).unwrap();
        countries.look();
        assert_eq!(letters(&countries, "192.0.2.1").as_deref(), Some("CV"));
    }
}
