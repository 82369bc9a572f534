//! What became of messages.

use std::io::{Error, ErrorKind};

/// What became of one message or connection, or what else came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::probe) enum Outcome {
    /// Its reply came in time.
    Answered,
    /// Nothing came in time.
    Lost,
    /// Nobody was there: an ICMP error, or a connection that was refused or reset.
    Refused,
    /// The system could not send it, for example for want of a route.
    Failed,
    /// A reply to an earlier message came.
    Late,
    /// Something came that is no reply.
    Garbage,
}

impl Outcome {
    pub(super) const ALL: [Self; 6] =
        [Self::Answered, Self::Lost, Self::Refused, Self::Failed, Self::Late, Self::Garbage];

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Garbage => "garbage",
        }
    }
}

/// How often which outcome was.
#[derive(Debug, Clone, Default)]
pub(in crate::probe) struct Tally {
    counts: [u32; Outcome::ALL.len()],
    /// What the last message that was not answered met.
    last: Option<String>,
}

impl Tally {
    /// One more.
    pub(super) fn count(&mut self, outcome: Outcome) {
        let index = Outcome::ALL.iter().position(|one| *one == outcome);
        if let Some(count) = index.and_then(|index| self.counts.get_mut(index)) {
            *count += 1;
        }
        match outcome {
            Outcome::Lost => self.last = Some("no answer in time".to_owned()),
            Outcome::Garbage => self.last = Some("something that is no reply".to_owned()),
            Outcome::Answered | Outcome::Late | Outcome::Refused | Outcome::Failed => {}
        }
    }

    /// One more that ended with this error.
    pub(super) fn failed(&mut self, error: &Error) {
        use ErrorKind as Kind;
        let kind = error.kind();
        if matches!(kind, Kind::WouldBlock | Kind::TimedOut) {
            return self.count(Outcome::Lost);
        }
        let nobody_there = matches!(
            kind,
            Kind::ConnectionRefused | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::UnexpectedEof
        );
        self.count(if nobody_there { Outcome::Refused } else { Outcome::Failed });
        self.last = Some(error.to_string());
    }

    /// How often this was.
    pub(in crate::probe) fn of(&self, outcome: Outcome) -> u32 {
        let counted = Outcome::ALL.iter().zip(self.counts).find(|(one, _)| **one == outcome);
        counted.map_or(0, |(_, count)| count)
    }

    /// What the last message that was not answered met, for people.
    pub(super) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }
}
