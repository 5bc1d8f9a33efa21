//! What can be broken, and that it is seen.

use weft_lab::{emulated::Client, netns::Fault};

use crate::{
    fabric::{configure, json, leaf, start},
    ssh::{Shell, answers, wait_for},
};

fn fault(text: &str) -> Fault {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_and_a_device_without_power_change_the_routes_of_others() {
    let (dir, _lab) = start().await;
    configure(&dir).await;
    let client = Client::open(dir.path()).unwrap();
    let mut shell = Shell::open(dir.path(), "l1").await;
    client.inject(&fault("link-down s1:swp1")).unwrap();
    let rib = json(&mut shell, "show route json").await["rib"].clone();
    assert_eq!(rib["172.16.2.0/24"]["next_hops"].as_array().unwrap().len(), 1);
    let interfaces = json(&mut shell, "show interfaces json").await["interfaces"].clone();
    assert_eq!(interfaces["swp2"]["oper_status"], "down");
    assert_eq!(client.status().unwrap().faults, [fault("link-down s1:swp1")].into());

    client.inject(&fault("node-down s2")).unwrap();
    assert!(!answers(dir.path(), "s2").await);
    assert!(client.exec("s2", "show transaction").unwrap_err().to_string().contains("s2 is off"));
    assert_eq!(shell.run("ping 172.16.2.2 source 172.16.1.1 count 2").await, "2 packets transmitted, 0 received");
    client.heal(&fault("link-down s1:swp1")).unwrap();
    client.heal(&fault("node-down s2")).unwrap();
    assert!(answers(dir.path(), "s2").await);
    assert_eq!(shell.run("ping 172.16.2.2 source 172.16.1.1 count 2").await, "2 packets transmitted, 2 received");

    // A host's cable is one like any other.
    client.inject(&fault("link-down l2:swp1")).unwrap();
    let rib = json(&mut shell, "show route json").await["rib"].clone();
    assert!(rib["172.16.2.0/24"].is_null());
    assert!(client.inject(&fault("link-down l1:swp16")).unwrap_err().to_string().contains("no cable in l1:swp16"));
    assert!(client.inject(&fault("node-down nobody")).unwrap_err().to_string().contains("no device nobody"));
    assert!(client.inject(&fault("daemon-dead l1 bgpd")).unwrap_err().to_string().contains("cannot break this"));
    assert!(client.status().unwrap().faults.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_ssh_drops_sessions_and_refuses_new_ones() {
    let (dir, lab) = start().await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    lab.inject(&fault("ssh-cut l1")).unwrap();
    shell.ended().await;
    assert!(!answers(dir.path(), "l1").await);
    assert!(answers(dir.path(), "l2").await);
    lab.heal(&fault("ssh-cut l1")).unwrap();
    assert!(answers(dir.path(), "l1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_refuses_lines_that_match() {
    let (dir, lab) = start().await;
    lab.inject(&fault("reject-line l1 ^maximum-paths [0-9]+$")).unwrap();
    let mut shell = Shell::open(dir.path(), "l1").await;
    let number = leaf(1).lines().position(|line| line.contains("maximum-paths")).unwrap() + 1;
    assert_eq!(shell.load(&leaf(1)).await, format!("% line {number}: refused by the device"));
    assert_eq!(shell.run("show candidate diff").await, "");
    lab.heal(&fault("reject-line l1 ^maximum-paths [0-9]+$")).unwrap();
    assert_eq!(shell.load(&leaf(1)).await, "");
    assert!(lab.inject(&fault("reject-line l1 (")).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn management_that_a_commit_cuts_comes_back_with_the_former_configuration() {
    let (dir, lab) = start().await;
    lab.inject(&fault("management-lost-after-apply l1")).unwrap();
    let mut shell = Shell::open(dir.path(), "l1").await;
    shell.run("lock t1").await;
    assert_eq!(shell.load(&leaf(1)).await, "");
    shell.send("commit confirmed 1 comment t1").await;
    shell.ended().await;
    assert!(!answers(dir.path(), "l1").await || !lab.status().devices["l1"].transaction.starts_with("armed"));
    wait_for("management is back", || answers(dir.path(), "l1")).await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    assert_eq!(shell.run("show transaction").await, "rolled-back t1");
    assert_eq!(shell.run("show running-config").await, "hostname l1");
    assert!(lab.status().faults.is_empty(), "it was once");
    assert_eq!(shell.run_all(&["lock t1", "rollback t1", "unlock t1"]).await, ["", "", ""]);
}
