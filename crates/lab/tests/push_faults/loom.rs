//! Every fault at every step of a push to a switch of the emulated lab.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use weft_lab::{
    emulated::{Lab, LabTopology},
    netns::Fault,
};
use weft_model::NodeName;
use weft_pack::Pack;
use weft_push::StepName;
use weft_ssh::Inventory;

use crate::{
    cell::{Found, Plant, Subject, Trouble, World},
    pack, table,
};

/// How long a switch waits for `confirm`.
pub(crate) const CONFIRM: Duration = Duration::from_secs(12);
/// How many pushes go on at a time. Most of them wait.
const WORKERS: usize = 24;

/// An emulated lab.
pub(crate) struct Switches {
    lab: Lab,
    dir: TempDir,
    pub(crate) pack: Arc<Pack>,
    inventory: Inventory,
}

impl World for Switches {
    fn set(&self, fault: &Fault, broken: bool) {
        if broken { self.lab.inject(fault) } else { self.lab.heal(fault) }.unwrap();
    }

    fn power_cycle(&self, device: &NodeName) {
        let fault = Fault::NodeDown(device.clone());
        self.set(&fault, true);
        self.set(&fault, false);
    }

    fn everything(&self, device: &NodeName) -> BTreeMap<String, String> {
        let running = self.lab.exec(device.as_str(), "show running-config").unwrap().output;
        [("running.conf".to_owned(), running)].into()
    }

    fn transaction(&self, device: &NodeName) -> String {
        self.lab.exec(device.as_str(), "show transaction").unwrap().output
    }

    fn try_lock(&self, device: &NodeName) -> Result<(), String> {
        let tried = self.lab.exec(device.as_str(), "lock nobody ; unlock nobody").unwrap();
        if tried.failed { Err(tried.output) } else { Ok(()) }
    }

    fn commands_of(&self, _: &NodeName, step: StepName) -> Option<String> {
        let pattern = match step {
            StepName::Lock => "^lock ",
            StepName::Compare | StepName::ReadBack => "^show running-config$",
            StepName::Upload => "^load replace$",
            StepName::Check => "^check$",
            StepName::Apply => "^commit confirmed ",
            StepName::Confirm => "^confirm ",
            StepName::Unlock => "^unlock ",
            _ => return None,
        };
        Some(pattern.to_owned())
    }

    fn daemon(&self, _: &NodeName) -> &'static str {
        "none"
    }
}

impl Switches {
    pub(crate) async fn start(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let devices = (0..count).map(name).collect();
        let lab = Lab::start(LabTopology { devices, ..LabTopology::default() }, dir.path()).await.unwrap();
        let inventory = serde_saphyr::from_str(&fs::read_to_string(lab.inventory()).unwrap()).unwrap();
        Self { lab, dir, pack: Arc::new(pack("loom")), inventory }
    }

    /// Tells whether a switch runs these files.
    pub(crate) fn runs(&self, number: usize, files: &BTreeMap<String, String>) -> bool {
        self.everything(&name(number)) == *files
    }

    pub(crate) async fn subject(&self, number: usize) -> Subject<'_> {
        let dir: &Path = self.dir.path();
        Subject::new(self, &name(number), &self.inventory, dir, self.pack.clone(), CONFIRM).await
    }
}

fn name(number: usize) -> NodeName {
    format!("s{number}").parse().unwrap()
}

/// What a switch is to run.
pub(crate) fn files(number: usize, server: usize) -> BTreeMap<String, String> {
    let servers: String = (1..=server).map(|last| format!("ntp server 192.0.2.{last}\n")).collect();
    [("running.conf".to_owned(), format!("hostname s{number}\n{servers}"))].into()
}

#[test]
fn every_fault_at_every_step_of_a_push_to_a_switch() {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut cells = table::cells("loom");
    // Those that wait longest go first.
    cells.sort_by_key(|(_, trouble)| *trouble != Trouble::Gone);
    let count = cells.len();
    // The last one is nobody's: it is the impostor of the first.
    let world = runtime.block_on(Switches::start(count + 1));
    let queue = Mutex::new(cells.into_iter().enumerate());
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((number, (step, trouble))) = queue.lock().unwrap().next() else { break };
                    let cell = runtime.block_on(async {
                        let mut subject = world.subject(number).await;
                        subject.run(Some(Plant::Step(step, trouble)), &files(number, 2)).await
                    });
                    found.lock().unwrap().insert((step, trouble), cell);
                }
            });
        }
    });
    conclude("loom", count, found.into_inner().unwrap(), begun);
    runtime.shutdown_timeout(Duration::from_secs(5));
}

/// Says what was found, and fails when something is wrong with it.
pub(crate) fn conclude(pack: &str, count: usize, found: BTreeMap<table::Cell, Found>, begun: Instant) {
    let mut results: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for ((step, trouble), cell) in &found {
        *results.entry(&cell.result).or_default() += 1;
        wrong.extend(cell.problems.iter().map(|problem| format!("{pack}: {step} x {trouble}: {problem}")));
    }
    eprintln!(
        "{pack}: {count} of {} cells in {:.0} s: {results:?}",
        table::cells(pack).len(),
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(found.len(), count, "every cell was tried");
    let found = found.into_iter().map(|(cell, found)| (cell, found.result)).collect();
    wrong.extend(table::compare(pack, &found));
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}
