//! Bodies of answers that are passed on as they come, with limits.

use std::io;
use std::ops::ControlFlow;

use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::Incoming;

use super::net::Share;
use super::{HttpError, Net, body};

/// Takes in a body piece by piece, unpacked.
pub(crate) trait Pieces: Send {
    /// The next piece. To break is to want no more of them.
    fn take(&mut self, piece: &[u8]) -> ControlFlow<()>;

    /// How many bytes of memory what was taken in holds on to.
    fn held_bytes(&self) -> usize;
}

/// Passes a body on as it comes, of no more than `limit` bytes as it comes and unpacked. Returns whether all of it was
/// wanted.
pub(super) async fn pass(
    net: &Net,
    place: &str,
    (headers, mut incoming): (&HeaderMap, Incoming),
    limit: usize,
    pieces: &mut dyn Pieces,
) -> Result<bool, HttpError> {
    let encoding = body::encoding(headers);
    let mut way = match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Way::Plain(Limited { pieces, left: limit, stopped: None }),
        "gzip" | "x-gzip" => {
            Way::Gzip(Box::new(MultiGzDecoder::new(Limited { pieces, left: limit, stopped: None })))
        }
        // What can be unpacked as a whole only, or not at all.
        _ => {
            let whole = body::read(net, place, (headers, incoming), limit).await?;
            return Ok(pieces.take(&whole).is_continue());
        }
    };
    let (mut share, mut taken) = (Share::default(), 0_usize);
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| HttpError::of(place, &error))?;
        let Some(data) = frame.data_ref() else { continue };
        taken = taken.saturating_add(data.len());
        if taken > limit {
            return Err(HttpError::TooLong(limit));
        }
        if let ControlFlow::Break(outcome) = way.take(data, limit) {
            return outcome;
        }
        let held_bytes = way.pieces().held_bytes();
        share.grow(net, held_bytes).await;
    }
    way.end(limit)
}

/// How a body becomes what it holds.
enum Way<'p> {
    Plain(Limited<'p>),
    Gzip(Box<MultiGzDecoder<Limited<'p>>>),
}

impl Way<'_> {
    /// Breaks with what came of the whole body when no more of it is needed.
    fn take(&mut self, data: &[u8], limit: usize) -> ControlFlow<Result<bool, HttpError>> {
        let result = match self {
            Self::Plain(limited) => io::Write::write_all(limited, data),
            Self::Gzip(unpacking) => io::Write::write_all(unpacking, data),
        };
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(self.stopped(error, limit)),
        }
    }

    /// The last piece was taken.
    fn end(mut self, limit: usize) -> Result<bool, HttpError> {
        let result = match &mut self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(unpacking) => unpacking.try_finish(),
        };
        result.map_or_else(|error| self.stopped(error, limit), |()| Ok(true))
    }

    fn pieces(&self) -> &dyn Pieces {
        match self {
            Self::Plain(limited) => limited.pieces,
            Self::Gzip(unpacking) => unpacking.get_ref().pieces,
        }
    }

    fn stopped(&self, error: io::Error, limit: usize) -> Result<bool, HttpError> {
        let stopped = match self {
            Self::Plain(limited) => limited.stopped,
            Self::Gzip(unpacking) => unpacking.get_ref().stopped,
        };
        match stopped {
            Some(Stopped::Unwanted) => Ok(false),
            Some(Stopped::TooLong) => Err(HttpError::TooLong(limit)),
            None => Err(HttpError::Packed { encoding: "gzip", error }),
        }
    }
}

/// Why a body is not taken in any further.
#[derive(Debug, Clone, Copy)]
enum Stopped {
    Unwanted,
    TooLong,
}

/// Passes on so many bytes and no more.
struct Limited<'p> {
    pieces: &'p mut dyn Pieces,
    left: usize,
    stopped: Option<Stopped>,
}

impl io::Write for Limited<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.stopped = if piece.len() > self.left {
            Some(Stopped::TooLong)
        } else {
            self.left -= piece.len();
            self.pieces.take(piece).is_break().then_some(Stopped::Unwanted)
        };
        match self.stopped {
            None => Ok(piece.len()),
            Some(_) => Err(io::ErrorKind::Other.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Keeps what it takes, up to so much.
    struct Kept {
        bytes: Vec<u8>,
        wanted: usize,
    }

    impl Pieces for Kept {
        fn take(&mut self, piece: &[u8]) -> ControlFlow<()> {
            self.bytes.extend_from_slice(piece);
            if self.bytes.len() > self.wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn held_bytes(&self) -> usize {
            self.bytes.capacity()
        }
    }

    /// Passes on what comes in pieces: what came of it, and what was taken.
    fn passed(
        packed: &[u8],
        is_gzip: bool,
        (limit, wanted): (usize, usize),
    ) -> (Result<bool, HttpError>, Vec<u8>) {
        let mut kept = Kept { bytes: Vec::new(), wanted };
        let limited = Limited { pieces: &mut kept, left: limit, stopped: None };
        let mut way =
            if is_gzip { Way::Gzip(Box::new(MultiGzDecoder::new(limited))) } else { Way::Plain(limited) };
        let taken = packed.chunks(7).find_map(|piece| way.take(piece, limit).break_value());
        let result = taken.unwrap_or_else(|| way.end(limit));
        (result, kept.bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_passed_on_is_what_was_packed() {
        let text = b"tierprobe_x 1\n".repeat(1000);
        for (packed, is_gzip) in [
            (text.clone(), false),
            (gzip(&text), true),
            ([gzip(&text[..99]), gzip(&text[99..])].concat(), true),
        ] {
            let (result, bytes) = passed(&packed, is_gzip, (text.len(), usize::MAX));
            assert!(matches!(result, Ok(true)), "{result:?}");
            assert!(bytes == text);
            let (result, bytes) = passed(&packed, is_gzip, (text.len() - 1, usize::MAX));
            assert!(matches!(result, Err(HttpError::TooLong(_))), "{result:?}");
            assert!(bytes.len() < text.len());
            let (result, _) = passed(&packed, is_gzip, (text.len(), 10));
            assert!(matches!(result, Ok(false)), "{result:?}");
        }
    }

    #[test]
    fn what_is_packed_and_cut_off_or_damaged_is_not_passed_on_as_whole() {
        let text = b"tierprobe_x 1\n".repeat(100);
        let packed = gzip(&text);
        let is_refused = |packed: &[u8]| {
            matches!(passed(packed, true, (1 << 20, usize::MAX)).0, Err(HttpError::Packed { .. }))
        };
        for end in 1..packed.len() {
            assert!(is_refused(&packed[..end]), "{end} of {}", packed.len());
        }
        assert!(is_refused(&[packed.as_slice(), b"more"].concat()));
        let mut damaged = packed.clone();
        let sum = damaged.len() - 6;
        damaged[sum] ^= 1;
        assert!(is_refused(&damaged));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let (result, bytes) = passed(&bomb, true, (1 << 20, usize::MAX));
        assert!(matches!(result, Err(HttpError::TooLong(_))), "{result:?}");
        assert!(bytes.len() <= 1 << 20);
    }
}
