//! The candidate, commits that go back by themselves, locks, refused lines, the pager.

use crate::{
    fabric::{leaf, start},
    ssh::{Shell, wait_for},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_confirmation_goes_back_by_itself() {
    let (dir, lab) = start().await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    assert_eq!(shell.load(&leaf(1)).await, "");
    assert!(shell.run("show candidate diff").await.contains("+interface swp1"));
    assert_eq!(shell.run("commit confirmed 1 comment t1").await, "");
    assert_eq!(shell.run("show transaction").await, "armed t1");
    assert_eq!(shell.run("show candidate diff").await, "");
    // The session that committed is lost; the timer is not.
    drop(shell);
    wait_for("the commit goes back", || async {
        lab.exec("l1", "show transaction").unwrap().output == "rolled-back t1\n"
    })
    .await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    assert_eq!(shell.run("show running-config").await, "hostname l1");
    assert_eq!(shell.run("confirm t1").await, "% t1 has gone back");
    assert_eq!(shell.run("rollback t1").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_commit_stays_until_it_is_rolled_back() {
    let (dir, _lab) = start().await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    shell.load(&leaf(1)).await;
    let outputs =
        shell.run_all(&["commit confirmed 60 comment t1", "end", "confirm t1", "confirm t1", "show transaction"]).await;
    assert_eq!(outputs, ["", "", "", "", "confirmed t1"]);
    assert_eq!(shell.run("confirm t2").await, "% t2 waits for no confirmation");
    assert_eq!(shell.run("rollback t2").await, "", "it committed nothing");
    assert_eq!(shell.run_all(&["rollback t1", "show running-config"]).await, ["", "hostname l1"]);
    assert_eq!(shell.run_all(&["rollback t1", "show transaction"]).await, ["", "rolled-back t1"]);

    // A change by hand lies on top: the commit below it can no longer be undone.
    shell.load(&leaf(1)).await;
    shell.run_all(&["commit confirmed 60 comment t3", "confirm t3", "ntp server 10.0.0.9", "commit"]).await;
    assert_eq!(shell.run("rollback t3").await, "% t3 is not the last commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_configures_at_a_time() {
    let (dir, lab) = start().await;
    let mut first = Shell::open(dir.path(), "l1").await;
    let mut second = Shell::open(dir.path(), "l1").await;
    assert_eq!(first.run("configure exclusive").await, "");
    assert_eq!(first.run("configure exclusive").await, "", "it is there already");
    assert_eq!(second.run("configure exclusive").await, "% another session is configuring");
    assert_eq!(second.run("lock t1").await, "% another session is configuring");
    assert_eq!(second.run("load replace").await, "% another session has taken over");
    // A session that is lost gives up the candidate.
    drop(first);
    wait_for("the candidate is free", || async { !lab.exec("l1", "configure exclusive").unwrap().failed }).await;

    assert_eq!(second.run_all(&["lock t1", "lock t1", "show transaction"]).await, ["", "", "locked t1"]);
    let mut third = Shell::open(dir.path(), "l1").await;
    assert_eq!(third.run("lock t2").await, "% locked by t1");
    assert_eq!(third.run("configure exclusive").await, "% locked by t1");
    assert_eq!(third.run("unlock t2").await, "% locked by t1");
    // Another session of the same transaction joins, and takes the candidate of the one that may be lost.
    assert_eq!(second.run("configure exclusive").await, "");
    assert_eq!(third.run_all(&["lock t1", "configure exclusive"]).await, ["", ""]);
    assert_eq!(second.run("check").await, "% another session has taken over");
    assert_eq!(third.run_all(&["end", "unlock t1", "unlock t1", "show transaction"]).await, ["", "", "", "none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_refused_with_their_numbers_and_nothing_is_taken() {
    let (dir, _lab) = start().await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    let refused = shell
        .load("hostname l1\n! a comment\nfrobnicate\ninterface swp1\n  mtu 99\n   address 10.0.0.1/31\nbgp 0\n  router-id x\n")
        .await;
    let expected = [
        "% line 3: `frobnicate` is not a statement of this section",
        "% line 5: an MTU of 99 octets is not between 1280 and 9216",
        "% line 6: its indentation fits no section above",
        "% line 7: AS 0 is reserved (RFC 7607)",
    ];
    assert_eq!(refused.lines().collect::<Vec<_>>(), expected);
    assert_eq!(shell.run("show candidate diff").await, "");

    // What is wrong with the whole is seen by `check`, and `commit` does not go on.
    let whole = "hostname l1
interface swp1
  address 10.0.0.0/31
bgp 65001
  router-id 1.1.1.1
  neighbor 10.0.0.1
    interface swp1
    remote-as 65002
    import-policy nothing
  neighbor 10.0.0.1
    interface swp1
    remote-as 65003
  neighbor interface swp9
    remote-as 65004
  neighbor 10.9.9.9
    password hunter2
";
    assert_eq!(shell.load(whole).await, "");
    let mistakes = shell.run("check").await;
    let expected = [
        "% line 9: policy nothing is not defined",
        "% line 10: `neighbor 10.0.0.1` is there twice, first in line 6",
        "% line 13: interface swp9 is not defined",
        "% line 15: neighbor 10.9.9.9 has no remote-as",
    ];
    assert_eq!(mistakes.lines().collect::<Vec<_>>(), expected);
    assert_eq!(shell.run("commit confirmed 9 comment t1").await, mistakes);
    assert_eq!(shell.run_all(&["discard", "show transaction", "show candidate diff"]).await, ["", "none", ""]);

    assert!(
        !shell.load("bgp 1\n  router-id 1.1.1.1\n  neighbor 1.1.1.2\n    password a b c\n").await.contains("a b c")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_entered_and_taken_out_by_hand() {
    let (dir, lab) = start().await;
    let changed = lab.exec(
        "l1",
        "configure exclusive ; interface swp1 ; mtu 1400 ; interface swp2 ; mtu 9000 ; ntp server 10.0.0.9 ; commit",
    );
    assert_eq!(changed.unwrap().output, "");
    let mut shell = Shell::open(dir.path(), "l1").await;
    let text = "hostname l1\nntp server 10.0.0.9\ninterface swp1\n  mtu 1400\ninterface swp2\n  mtu 9000";
    assert_eq!(shell.run("show running-config").await, text);
    let outputs = shell
        .run_all(&[
            "configure exclusive",
            "interface swp1",
            "no mtu",
            "no interface swp2",
            "no interface swp7",
            "mtu 1",
            "exit",
            "commit",
            "exit",
        ])
        .await;
    let expected = [
        "",
        "",
        "",
        "",
        "% there is no such statement",
        "% an MTU of 1 octets is not between 1280 and 9216",
        "",
        "",
        "",
    ];
    assert_eq!(outputs, expected);
    assert_eq!(shell.run("show running-config").await, "hostname l1\nntp server 10.0.0.9\ninterface swp1");
    assert!(shell.run("frobnicate").await.starts_with("% `frobnicate` is not a command"));
    assert_eq!(shell.run("show transaction").await, "none");
    shell.send("exit").await;
    shell.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pager_stops_after_a_page_and_a_terminal_echoes() {
    let (dir, _lab) = start().await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    shell.load(&leaf(1)).await;
    shell.run_all(&["commit confirmed 60 comment t1", "confirm t1"]).await;

    let mut paged = Shell::with_pager(dir.path(), "l1", true).await;
    paged.send("show running-config").await;
    let first = paged.until(|text| text.ends_with("--More--")).await;
    assert!(first.starts_with("show running-config\r\n"), "the terminal echoes: {first:?}");
    assert_eq!(first.matches("\r\n").count(), 1 + 24);
    paged.channel.data_bytes("\r").await.unwrap();
    let line = paged.until(|text| text.ends_with("--More--")).await;
    assert_eq!(line.matches("\r\n").count(), 1);
    paged.channel.data_bytes(" ").await.unwrap();
    paged.until(|text| text.ends_with("l1> ")).await;
    paged.send("show running-config").await;
    paged.until(|text| text.ends_with("--More--")).await;
    paged.channel.data_bytes("q").await.unwrap();
    let end = paged.until(|text| text.ends_with("l1> ")).await;
    assert_eq!(end.matches("\r\n").count(), 0);
    // A typing error is taken back.
    paged.channel.data_bytes("show transx\x7faction\r").await.unwrap();
    let answer = paged.until(|text| text.ends_with("l1> ")).await;
    assert!(answer.ends_with("\r\nconfirmed t1\r\nl1> "), "{answer:?}");
}
