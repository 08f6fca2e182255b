//! What the questions of what follows what stand on: worked out of their range and context, the same for funnels, paths and
//! retention.

use analytics_domain::{Project, Timestamp};

use crate::columns::Turns;
use crate::cursor::Resolved;
use crate::plan::{cache_key, kept, resolve, warn_of_cut, within};
use crate::scan::ScanMeta;
use crate::{Context, DateRange, Range, Source, Warning, Zone};

/// The place and time of a planned question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ground {
    pub(crate) project: Project,
    /// In how many turns columns are read; `None` where they are not.
    pub(crate) turns: Option<Turns>,
    /// What is selected: within the retention, up to the end of tomorrow.
    pub(crate) range: Range,
    /// The range as the answer tells it.
    pub(crate) shown: [String; 2],
    date_range: DateRange,
    resolved: Resolved,
    newest_receipt: Option<Timestamp>,
    warnings: Vec<Warning>,
}

impl Ground {
    /// Resolves a question's range.
    pub(crate) fn new(date_range: DateRange, zone: &Zone, context: &Context) -> Self {
        let resolved = resolve(date_range, None, zone, context);
        let mut warnings = Vec::new();
        warn_of_cut(resolved.range, "the range", context, &mut warnings);
        let shown = kept(resolved.range, context);
        Self {
            project: context.project.clone(),
            turns: context.has_columns.then_some(Turns::ONE),
            range: within(resolved.range, zone, resolved.now, context),
            shown: [zone.write(shown.from), zone.write(shown.to)],
            date_range,
            resolved,
            newest_receipt: context.newest_receipt,
            warnings,
        }
    }

    /// The instant that counts as now.
    pub(crate) const fn now(&self) -> Timestamp {
        self.resolved.now
    }

    /// The same, where columns are to be read in more turns, or not at all where there are no more.
    pub(crate) fn fallback(&self) -> Self {
        Self { turns: self.turns.and_then(Turns::more), ..self.clone() }
    }

    /// How an answer came about.
    pub(crate) fn meta(&self, source: Source, events_read: u64) -> ScanMeta {
        ScanMeta::new(source, events_read, self.newest_receipt, &self.warnings)
    }

    /// The key by which the answer to a question of this kind is kept.
    pub(crate) fn cache_key(&self, kind: &str, asked: &str) -> String {
        cache_key(kind, &self.project, asked, self.date_range, &self.resolved, &None)
    }
}
