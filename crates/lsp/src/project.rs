//! Examines the project in the background: only the newest texts, never those that are out of date by now.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::Duration,
};

use weft_diagnostics::{Diagnostic, SourceMap, has_errors};
use weft_pipeline::{
    definition,
    source::{self, SourceError, Sources},
    stages::{self, Packs},
};

use crate::{
    documents::{OpenFiles, Root},
    index::Index,
};

/// How long no key is pressed before the texts are examined.
const QUIET: Duration = Duration::from_millis(50);

/// The project as it was when it was examined last.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// The names that texts can refer to.
    pub(crate) index: Index,
    /// All texts of the project.
    pub(crate) texts: BTreeMap<String, Arc<str>>,
}

/// The newest snapshot.
#[derive(Clone, Default)]
pub(crate) struct Newest(Arc<Mutex<Arc<Snapshot>>>);

impl Newest {
    pub(crate) fn get(&self) -> Arc<Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, snapshot: Arc<Snapshot>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

/// What came of examining the texts.
pub(crate) enum Outcome<'a> {
    /// What was found, with the texts that it points into and the texts that were open.
    Findings(&'a [Diagnostic], &'a SourceMap, &'a OpenFiles),
    /// The project cannot be read.
    Unreadable(String),
}

/// Examines the texts that come from `jobs` until there come no more, and tells `done` what came of the newest.
pub(crate) fn work(root: &Root, jobs: &Receiver<OpenFiles>, newest: &Newest, mut done: impl FnMut(Outcome<'_>)) {
    let mut examiner = Examiner { root, packs: None };
    let mut next = None;
    loop {
        let Some(mut open) = next.take().or_else(|| jobs.recv().ok()) else { return };
        loop {
            match jobs.recv_timeout(QUIET) {
                Ok(newer) => open = newer,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let examined = examiner.examine(&open, &newest.get());
        // What was found in the meantime may be out of date: then it is not said.
        match jobs.try_recv() {
            Ok(newer) => next = Some(newer),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => match examined {
                Ok((snapshot, findings, sources)) => {
                    newest.set(Arc::new(snapshot));
                    done(Outcome::Findings(&findings, &sources, &open));
                }
                Err(error) => {
                    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
                    let said: String = causes.map(|cause| format!(": {cause}")).collect();
                    done(Outcome::Unreadable(format!("{error}{said}")));
                }
            },
        }
    }
}

struct Examiner<'a> {
    root: &'a Root,
    /// The packs as they were read last, and from what: they seldom change.
    packs: Option<(PackFiles, Packs, Vec<Diagnostic>)>,
}

/// The files of each pack.
type PackFiles = BTreeMap<String, BTreeMap<String, String>>;

impl Examiner<'_> {
    fn examine(
        &mut self,
        open: &OpenFiles,
        before: &Snapshot,
    ) -> Result<(Snapshot, Vec<Diagnostic>, SourceMap), SourceError> {
        let folder = self.root.folder();
        let mut files = source::files(folder)?;
        for (path, open) in open.iter().filter(|(path, _)| source::is_wanted(path)) {
            files.insert(path.clone(), open.text.as_bytes().to_vec());
        }
        let (sources, mut findings) = source::of_files(folder, &files)?;
        if self.packs.as_ref().is_none_or(|(read, ..)| *read != sources.packs) {
            let (packs, mistakes) = stages::packs(&sources);
            self.packs = Some((sources.packs.clone(), packs, mistakes));
        }
        let (packs, mistakes) = self
            .packs
            .as_ref()
            .map_or((Packs::new(), Vec::new()), |(_, packs, mistakes)| (packs.clone(), mistakes.clone()));
        let lack = has_errors(&mistakes);
        findings.extend(mistakes);
        let (examined, mistakes) = stages::examine(&sources, &packs, lack);
        findings.extend(mistakes);
        findings.extend(sources.pipelines.iter().flat_map(|file| definition::load(file).1));
        findings.sort();
        findings.dedup();
        let broken: BTreeSet<String> = findings
            .iter()
            .filter(|finding| finding.severity == weft_diagnostics::Severity::Error)
            .filter_map(|finding| finding.span.as_ref().map(|span| span.file.to_string()))
            .collect();
        let catalogue = packs.iter().map(|(name, pack)| (name.clone(), pack.description())).collect();
        let index = Index::of(&examined, catalogue, &before.index, &broken);
        let map = sources.source_map();
        Ok((Snapshot { index, texts: texts(&sources) }, findings, map))
    }
}

fn texts(sources: &Sources) -> BTreeMap<String, Arc<str>> {
    let files = sources.intents.iter().chain(&sources.policies).chain(&sources.pipelines);
    files.map(|file| (file.path.to_string(), file.text.clone())).collect()
}
