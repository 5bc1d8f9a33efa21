//! Devices that nobody answers for: what is said of them, and that nothing waits for longer than it may.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

use std::{collections::BTreeMap, fs, net::TcpListener, path::Path, sync::Arc, time::Duration};

use weft_model::NodeName;
use weft_pack::Pack;
use weft_ssh::{Limits, Pool, SecretStore, Target};
use weft_verify::{ObserveTarget, Part, Reading, WhatToCollect, observe};

fn loom() -> Arc<Pack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../device-templates/loom");
    let mut files = BTreeMap::new();
    for part in ["", "templates", "parsers"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let (pack, found) = Pack::load("loom".parse().unwrap(), &files);
    Arc::new(pack.unwrap_or_else(|| panic!("{found:#?}")))
}

#[tokio::test]
async fn a_device_that_refuses_and_one_without_an_address_are_named() {
    let known_hosts = tempfile::NamedTempFile::new().unwrap();
    // A port that was free a moment ago, and that nothing listens on.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = Target { known_hosts: Some(known_hosts.path().to_owned()), ..Target::new(address, "weft") };
    let refusing: NodeName = "b1-leaf-01".parse().unwrap();
    let unknown: NodeName = "b1-leaf-02".parse().unwrap();
    let devices = [(refusing.clone(), ObserveTarget { target, pack: loom() })].into();
    let what = WhatToCollect { parts: Part::ALL.into(), external: BTreeMap::new(), ospf: false };
    let what = [(refusing.clone(), what.clone()), (unknown.clone(), what)].into();
    let limits = Limits { connect: Duration::from_secs(2), ..Limits::default() };
    let reading = Reading { pool: Pool::new(Arc::new(SecretStore::default()), limits), concurrency: 4 };

    let observed = observe(&devices, &what, &reading).await;

    let reason = |device: &NodeName| observed[device].unreachable.clone().unwrap();
    assert_eq!(reason(&refusing), format!("connection refused by {address}: no SSH server listens there"));
    assert_eq!(reason(&unknown), "no way to log in is known");
    assert_eq!(observed[&refusing].state, weft_device::state::DeviceState::default());
}
