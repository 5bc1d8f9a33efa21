//! The tables of docs/push-faults.md: what becomes of a device for each step and fault.

use std::{collections::BTreeMap, fs, path::PathBuf};

use weft_push::StepName;

use crate::{PROJECT, cell::Trouble};

/// The steps at which something can go wrong, in their order.
pub(crate) const STEPS: [StepName; 16] = [
    StepName::Connect,
    StepName::Prepare,
    StepName::Lock,
    StepName::Compare,
    StepName::Backup,
    StepName::Upload,
    StepName::Check,
    StepName::Arm,
    StepName::Drain,
    StepName::Apply,
    StepName::Reconnect,
    StepName::Health,
    StepName::ReadBack,
    StepName::Gate,
    StepName::Confirm,
    StepName::Unlock,
];

pub(crate) type Cell = (StepName, Trouble);

/// Says why there is no such cell, as the page has it; `None` when there is one.
pub(crate) fn missing(pack: &str, (step, trouble): Cell) -> Option<&'static str> {
    const NO_STEP: &str = "n/a (1)";
    const NO_CONNECTION: &str = "n/a (2)";
    const NO_COMMAND: &str = "n/a (3)";
    const NOTHING_WRITTEN: &str = "n/a (4)";
    const NO_DAEMON: &str = "n/a (5)";
    let loom = pack == "loom";
    let not_of_loom = matches!(step, StepName::Prepare | StepName::Backup | StepName::Arm | StepName::Health);
    if loom && not_of_loom || pack != "frr" && step == StepName::Drain {
        return Some(NO_STEP);
    }
    match trouble {
        Trouble::Refused | Trouble::Gone | Trouble::Stalled | Trouble::Dropped | Trouble::Cut | Trouble::PowerCycle => {
            None
        }
        Trouble::HostKey | Trouble::UserKey => {
            let opens = matches!(step, StepName::Connect | StepName::Reconnect | StepName::Gate);
            (!opens).then_some(NO_CONNECTION)
        }
        Trouble::DeviceError => matches!(step, StepName::Connect | StepName::Reconnect).then_some(NO_COMMAND),
        Trouble::DiskFull | Trouble::ReadOnly if loom => {
            let writes = matches!(step, StepName::Upload | StepName::Apply | StepName::Confirm);
            (!writes).then_some(NOTHING_WRITTEN)
        }
        Trouble::DiskFull | Trouble::ReadOnly => {
            let reads = [StepName::Connect, StepName::Compare, StepName::Reconnect, StepName::ReadBack, StepName::Gate];
            reads.contains(&step).then_some(NOTHING_WRITTEN)
        }
        Trouble::DaemonDead => loom.then_some(NO_DAEMON),
    }
}

/// Returns the cells that there are.
pub(crate) fn cells(pack: &str) -> Vec<Cell> {
    let all = STEPS.into_iter().flat_map(|step| Trouble::ALL.map(|trouble| (step, trouble)));
    all.filter(|cell| missing(pack, *cell).is_none()).collect()
}

fn page() -> PathBuf {
    PathBuf::from(PROJECT).join("docs/push-faults.md")
}

fn marks(pack: &str) -> (String, String) {
    (format!("<!-- {pack}: begin -->\n"), format!("<!-- {pack}: end -->\n"))
}

/// Returns what the page says of the cells of a pack.
fn read(pack: &str) -> BTreeMap<(String, String), String> {
    let text = fs::read_to_string(page()).unwrap_or_default();
    let (begin, end) = marks(pack);
    let Some((table, _)) = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)) else {
        return BTreeMap::new();
    };
    let mut rows = table.lines().filter(|line| line.starts_with('|')).map(|line| {
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('*').to_owned());
        cells.collect::<Vec<String>>()
    });
    let columns = rows.next().unwrap_or_default();
    let mut cells = BTreeMap::new();
    for row in rows.skip(1) {
        for (column, cell) in columns.iter().zip(&row).skip(1) {
            cells.insert((row[0].clone(), column.clone()), cell.clone());
        }
    }
    cells
}

/// Returns what is not as the table of a pack says, or writes the table anew when asked to.
pub(crate) fn compare(pack: &str, found: &BTreeMap<Cell, String>) -> Vec<String> {
    let known = read(pack);
    let key = |(step, trouble): Cell| (step.to_string(), trouble.to_string());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let mut table = "| step |".to_owned();
        Trouble::ALL.iter().for_each(|trouble| table += &format!(" {trouble} |"));
        table += &format!("\n|{}\n", "---|".repeat(Trouble::ALL.len() + 1));
        for step in STEPS {
            table += &format!("| {step} |");
            for trouble in Trouble::ALL {
                let cell = (step, trouble);
                let known = known.get(&key(cell)).map(String::as_str).unwrap_or("?");
                let found = found.get(&cell).map(String::as_str);
                // One of several results that are as good stays one of several.
                let found = found.filter(|found| !known.split(" or ").any(|known| known == *found));
                let words = missing(pack, cell).or(found).unwrap_or(known);
                table += &format!(" {words} |");
            }
            table.push('\n');
        }
        let text = fs::read_to_string(page()).unwrap();
        let (begin, end) = marks(pack);
        let (head, rest) = text.split_once(&begin).unwrap();
        let (_, tail) = rest.split_once(&end).unwrap();
        fs::write(page(), format!("{head}{begin}{table}{end}{tail}")).unwrap();
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for step in STEPS {
        for trouble in Trouble::ALL {
            let cell = (step, trouble);
            let said = known.get(&key(cell)).map(String::as_str).unwrap_or("nothing");
            let is = match missing(pack, cell) {
                Some(reason) => reason,
                None => match found.get(&cell) {
                    Some(found) => found,
                    // Not tried this time; but the page says something.
                    None if !said.starts_with("n/a") && said != "nothing" && said != "?" => continue,
                    None => "a cell",
                },
            };
            if !said.split(" or ").any(|said| said == is) {
                wrong.push(format!("{step} x {trouble}: {is}; docs/push-faults.md says: {said}"));
            }
        }
    }
    wrong
}
