//! A quarter of an hour, or a part of one, as the store gives it.

use analytics_columns::{EventRow, Quarter, Segment, columns};
use analytics_domain::Timestamp;

/// What is taken as one.
#[derive(Debug)]
pub(super) enum Part {
    /// Columns, and how many bytes they have.
    Kept(Segment, usize),
    /// Raw rows of one quarter, in order.
    Rows(Vec<RawRow>),
}

/// A raw row, its session and user as numbers.
#[derive(Debug)]
pub(super) struct RawRow {
    pub(super) timestamp: Timestamp,
    pub(super) session: u32,
    pub(super) user: u32,
    pub(super) known: u32,
    pub(super) event_type: String,
    pub(super) event_action: String,
    pub(super) metadata: String,
}

impl RawRow {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.event_type.len() + self.event_action.len() + self.metadata.len()
    }
}

impl Part {
    pub(super) fn quarter(&self) -> Quarter {
        match self {
            Self::Kept(segment, _) => segment.quarter,
            Self::Rows(rows) => rows.first().map_or(Quarter(0), |first| Quarter::of(first.timestamp)),
        }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Kept(_, bytes) => *bytes,
            Self::Rows(rows) => rows.iter().map(RawRow::bytes).sum(),
        }
    }

    /// Its columns, which are made of raw rows here.
    pub(super) fn segment(self) -> Segment {
        let quarter = self.quarter();
        let rows = match self {
            Self::Kept(segment, _) => return segment,
            Self::Rows(rows) => rows,
        };
        let events: Vec<EventRow<'_>> = rows
            .iter()
            .map(|row| EventRow {
                timestamp: row.timestamp,
                session: row.session,
                user: row.user,
                known: row.known,
                event_type: &row.event_type,
                event_action: &row.event_action,
                metadata: &row.metadata,
            })
            .collect();
        Segment::new(quarter, columns(&events))
    }
}
