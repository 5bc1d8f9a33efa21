//! The same work by scripts: log in, send a command, log out.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use weft_ssh::Inventory;

use crate::usage::Usage;

/// Where the scripts are, and the versions of what they need.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/bench");

/// Runs the scripts against the same switches, and returns how many devices a second each did; nothing when Python is not there.
pub(crate) fn measure(folder: &Path, inventory: &Inventory, server: u32, concurrency: u16) -> Vec<f64> {
    let python = match environment() {
        Ok(python) => python,
        Err(why) => {
            println!("SKIPPED: the scripts need python3 with venv and pip: {why}");
            return Vec::new();
        }
    };
    let list = folder.join("devices.tsv");
    let mut file = fs::File::create(&list).unwrap();
    for target in inventory.devices.values() {
        let (address, identity) = (target.address, target.identity.as_deref().unwrap().display());
        writeln!(file, "{}\t{}\t{}\t{identity}", address.ip(), address.port(), target.user).unwrap();
    }
    let known_hosts = inventory.devices.values().find_map(|target| target.known_hosts.clone()).unwrap();
    ["asyncssh_send.py", "scrapli_send.py"]
        .map(|script| run(&python, script, &list, &known_hosts, server, concurrency))
        .into()
}

/// Returns the interpreter of an environment with what the scripts need, which is made when it is not there.
fn environment() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scale-venv");
    let python = folder.join("bin/python3");
    let requirements = Path::new(SCRIPTS).join("requirements.txt");
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| error.to_string())?;
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(words) }
    };
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    Ok(python)
}

/// Runs one script. What it does before the first connection, such as loading its libraries, does not count.
fn run(python: &Path, script: &str, list: &Path, known_hosts: &Path, server: u32, concurrency: u16) -> f64 {
    let before = Usage::of_both(server);
    let begun = Instant::now();
    let output = Command::new(python)
        .arg(Path::new(SCRIPTS).join(script))
        .args([list, known_hosts])
        .arg(concurrency.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let whole = begun.elapsed();
    // Two words: how many devices, and in how many seconds.
    let words: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [devices, seconds] = words[..] else { panic!("{script} says: {said}") };
    before.print(
        &format!("{script}, {:.1} s with its start", whole.as_secs_f64()),
        devices,
        Duration::from_secs_f64(seconds),
    );
    devices / seconds
}
