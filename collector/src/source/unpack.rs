//! Bytes as they come from a disk or off the wire: unpacked, and never more than there is room for.
//!
//! A gzip file of a megabyte can hold a gigabyte of zeros. So nothing here reads on once the limit is reached, however
//! little has come in.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Largest window of zstd, which is kept in memory: the one that every decoder should support (RFC 8878, 3.1.1.1.2).
const WINDOW: u64 = 8 * 1024 * 1024;

/// Why bytes could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// There is more in them than there is room for.
    #[error("it is larger than {limit_mib} MiB unpacked")]
    TooLarge {
        /// The limit, in MiB.
        limit_mib: usize,
    },
    /// They could not be read, or are damaged or cut off.
    #[error("cannot unpack it as {encoding}: {error}; it may be cut off")]
    Broken {
        /// What they looked like.
        encoding: &'static str,
        /// Why.
        error: io::Error,
    },
    /// They could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A `Content-Encoding` that was not asked for.
    #[error("its content encoding is {0:?}; known are gzip and zstd")]
    Unknown(String),
}

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What the first bytes look like.
    fn seen(bytes: &[u8]) -> Self {
        if bytes.starts_with(&ZSTD) {
            Self::Zstd
        } else if bytes.starts_with(&GZIP) {
            Self::Gzip
        } else {
            Self::Plain
        }
    }
}

/// What `Accept-Encoding` may ask for: what [`decode`] understands.
pub const ACCEPTED: &str = "zstd, gzip";

/// A body of an HTTP answer, unpacked as its `Content-Encoding` says; none is the empty text. At most `limit` bytes.
///
/// # Errors
///
/// When there is more, it is damaged, or the encoding is none of [`ACCEPTED`].
pub fn decode<'b>(
    bytes: &'b [u8],
    content_encoding: &str,
    limit: usize,
) -> Result<Cow<'b, [u8]>, UnpackError> {
    let encoding = match content_encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Encoding::Plain,
        "gzip" | "x-gzip" => Encoding::Gzip,
        "zstd" => Encoding::Zstd,
        other => return Err(UnpackError::Unknown(other.chars().take(60).collect())),
    };
    if encoding != Encoding::Plain {
        return unpack(bytes, encoding, limit).map(Cow::Owned);
    }
    if bytes.len() > limit { Err(too_large(limit)) } else { Ok(Cow::Borrowed(bytes)) }
}

/// Everything that `reader` has, unpacked as its first bytes look. At most `limit` bytes.
///
/// # Errors
///
/// When there is more, it is damaged, or it cannot be read.
pub fn read(reader: impl Read, limit: usize) -> Result<Vec<u8>, UnpackError> {
    let mut reader = BufReader::new(reader);
    let mut head = Vec::new();
    // A pipe may give its bytes one by one.
    let wanted = u64::try_from(ZSTD.len()).unwrap_or(u64::MAX);
    reader.by_ref().take(wanted).read_to_end(&mut head)?;
    let encoding = Encoding::seen(&head);
    unpack(head.chain(reader), encoding, limit)
}

fn unpack(reader: impl BufRead, encoding: Encoding, limit: usize) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    match encoding {
        Encoding::Plain => read_limited(reader, limit, &mut bytes)?,
        Encoding::Gzip => {
            read_limited(MultiGzDecoder::new(reader), limit, &mut bytes).map_err(|error| error.of("gzip"))?
        }
        Encoding::Zstd => {
            unpack_zstd(reader, limit, &mut bytes).map_err(|error| error.of("zstd"))?;
        }
    }
    Ok(bytes)
}

/// One frame after the other.
fn unpack_zstd(mut reader: impl BufRead, limit: usize, bytes: &mut Vec<u8>) -> Result<(), UnpackError> {
    while !reader.fill_buf()?.is_empty() {
        let frame =
            StreamingDecoder::new_with_max_window_size(&mut reader, WINDOW).map_err(io::Error::other)?;
        read_limited(frame, limit, bytes)?;
    }
    Ok(())
}

fn read_limited(reader: impl Read, limit: usize, bytes: &mut Vec<u8>) -> Result<(), UnpackError> {
    // One byte above the limit tells just that size from a longer one.
    let room = (limit - bytes.len().min(limit)).saturating_add(1);
    reader.take(u64::try_from(room).unwrap_or(u64::MAX)).read_to_end(bytes)?;
    if bytes.len() > limit { Err(too_large(limit)) } else { Ok(()) }
}

const fn too_large(limit: usize) -> UnpackError {
    UnpackError::TooLarge { limit_mib: limit / 1024 / 1024 }
}

impl UnpackError {
    fn of(self, encoding: &'static str) -> Self {
        match self {
            Self::Read(error) => Self::Broken { encoding, error },
            other @ (Self::TooLarge { .. } | Self::Broken { .. } | Self::Unknown(_)) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn packed_bytes_are_seen_and_unpacked() {
        let text = "tierprobe_x 1\n".repeat(1000).into_bytes();
        for packed in [text.clone(), gzip(&text), zstd(&text)] {
            assert_eq!(read(packed.as_slice(), 1 << 20).unwrap(), text);
        }
        // Both formats allow several parts one after the other.
        for packed in [[gzip(&text), gzip(&text)].concat(), [zstd(&text), zstd(&text)].concat()] {
            assert_eq!(read(packed.as_slice(), 1 << 20).unwrap(), text.repeat(2));
        }
        assert_eq!(read(&b""[..], 10).unwrap(), b"");
        assert_eq!(read(&b"a"[..], 10).unwrap(), b"a");
    }

    #[test]
    fn bodies_are_unpacked_as_their_header_says() {
        let text = b"tierprobe_x 1\n";
        assert_eq!(decode(&gzip(text), "gzip", 100).unwrap().as_ref(), text);
        assert_eq!(decode(&zstd(text), "ZSTD", 100).unwrap().as_ref(), text);
        assert!(matches!(decode(text, "", 100), Ok(Cow::Borrowed(_))));
        assert!(matches!(decode(text, "", 13), Err(UnpackError::TooLarge { .. })));
        assert!(matches!(decode(text, "br", 100), Err(UnpackError::Unknown(_))));
        assert!(matches!(decode(text, "gzip", 100), Err(UnpackError::Broken { .. })));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        for bomb in [gzip(&zeros), zstd(&zeros)] {
            assert!(bomb.len() < 1 << 20);
            let error = read(bomb.as_slice(), 16 << 20).unwrap_err();
            assert_eq!(error.to_string(), "it is larger than 16 MiB unpacked");
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_refused() {
        let text = "tierprobe_x 1\n".repeat(1000).into_bytes();
        for packed in [gzip(&text), zstd(&text)] {
            for end in 4..packed.len() {
                assert!(read(&packed[..end], 1 << 20).is_err(), "{end} of {}", packed.len());
            }
            let mut more = packed.clone();
            more.extend(b"more");
            assert!(read(more.as_slice(), 1 << 20).is_err());
        }
    }
}
