//! The filter language: what it matches, what it refuses, and that it prints what it reads.

mod common;

use std::sync::Arc;

use common::*;
use ebtop::app::column::{
    CgroupColumn, Column, Columns, InterfaceColumn, RemoteColumn, RemoteView, RowView, SocketColumn, SocketView, Spec,
};
use ebtop::app::filter::{Filter, parse};
use ebtop::model::Model;
use ebtop::model::remotes::remotes;
use ebtop::sample::Counter::*;
use ebtop::sample::*;
use proptest::prelude::*;

/// A web server at 150 % CPU, sending 3 MiB/s for a minute, and a kernel thread.
fn model() -> Model {
    let kthread = Task { kernel_thread: true, uid: 0, ..task(2, "kswapd0") };
    let prev = sample(60 * SECOND, [kthread, task(80, "nginx")]);
    let nginx = task(80, "nginx").with(CpuNs, 3 * SECOND / 2).with(TxBytes, 3 * MIB).with(MajorFaults, 5);
    let mut next = sample(61 * SECOND, [kthread, nginx]);
    next.exits = vec![exit(task(90, "cc1").born(60 * SECOND + MS), 61 * SECOND)];
    next.sockets = vec![socket(5, Some(task(80, "").key), "10.0.0.1:443", "10.0.0.9:51000")];
    Model::between(Some(&prev), Arc::new(next))
}

fn reads(text: &str) -> Filter {
    parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn matches_nginx(text: &str) -> bool {
    let (model, details) = (model(), details("nginx: worker process", "www-data"));
    reads(text).matches(&RowView::live(&model, &model.rows[1], Some(&details)))
}

#[test]
fn matches() {
    let holds = [
        "",
        "  ",
        "nginx",
        "worker",
        "apache|nginx",
        "ngi work",
        "!apache",
        "not apache",
        "name:worker",
        "name=nginx",
        "comm!=apache",
        "comm=\"nginx: worker process\"",
        "cpu>149",
        "cpu>=150%",
        "cpu<=150",
        "CPU%=150",
        "net>2.9MiB",
        "net<3.1M",
        "net>2m",
        "net<4m",
        "rss<1g",
        "flt<1m",
        "tx>=3MiB",
        "tx_bytes>3MB",
        "rx=0",
        "rss>4000K",
        "mem<5M",
        "majflt=5",
        "pid=80",
        "pid:80",
        "user=www-data",
        "uid=1000",
        "UID:1000",
        "user:www",
        "user!=root",
        "user~^www",
        "state=S",
        "state:s",
        "age=60",
        "age>59s",
        "age<2m",
        "time>1400ms",
        "cgroup:*.service",
        "cgroup:web",
        "!exited",
        "!kthread",
        "cpu>5 and (user=root or user=www-data)",
        "apache or cpu>5",
        "(nginx)",
        "\"worker process\"",
        "nginx:",
        "name~\"^nginx.*process$\"",
        "apache cpu>5 or nginx",
        "!(apache|cc1)",
        "!!nginx",
        "nice=0",
        "nice>-1",
    ];
    for text in holds {
        assert!(matches_nginx(text), "{text}");
    }
    let fails = [
        "apache",
        "Nginx",
        "!nginx",
        "cpu>150",
        "net>4MiB",
        "user=root",
        "uid=100",
        "user=WWW",
        "user=www",
        "exited",
        "kthread",
        "pid=8",
        "nginx and apache",
        "apache or cc1",
        "swap>0",
        "port:443",
        "name~\"^worker\"",
        "name!=nginx",
        "name=worker",
        "cgroup:web*",
        "nginx apache|cc1",
        "age>1m|age>61",
    ];
    for text in fails {
        assert!(!matches_nginx(text), "{text}");
    }
}

#[test]
fn the_unknown_is_neither_more_nor_less() {
    let model = Model::between(None, Arc::new(sample(SECOND, [task(80, "nginx")])));
    let row = RowView::live(&model, &model.rows[0], None);
    assert!(!reads("cpu>0").matches(&row) && !reads("cpu<=0").matches(&row) && !reads("cpu!=1").matches(&row));
}

#[test]
fn kernel_threads_and_the_exited_have_words_of_their_own() {
    let model = model();
    let kernel = RowView::live(&model, &model.rows[0], None);
    let departed = RowView::departed(&model, &model.departed[0]);
    assert!(reads("kthread").matches(&kernel) && !reads("kthread").matches(&departed));
    assert!(reads("uid=1000").matches(&departed) && !reads("uid=0").matches(&departed), "nobody looked up the names of the exited");
    assert!(reads("exited cc1").matches(&departed) && !reads("exited").matches(&kernel));
    assert!(reads("exited cc1").matches(&RowView::exited(&model, &model.exited.groups[0])));
    let leaving = Model::between(None, Arc::new(sample(SECOND, [Task { state: b'X', ..task(80, "nginx") }])));
    let leaving = RowView::live(&leaving, &leaving.rows[0], None);
    assert!(reads("exited").matches(&leaving) && !reads("!exited").matches(&leaving));
}

#[test]
fn processes_and_their_sockets_by_where_they_run() {
    let (model, id) = (model(), "0123456789abcdef".repeat(4));
    let container = Container {
        id: id.clone(),
        name: Some("web".into()),
        pod: Some("cart-0".into()),
        namespace: Some("shop".into()),
        ..Container::default()
    };
    let cgroup = Some(format!("/kubepods.slice/cri-containerd-{id}.scope/cron.service"));
    let told = Details { cgroup, container: Some(container.into()), inner_pid: Some(7), ..details("nginx", "www-data") };
    let process = RowView::live(&model, &model.rows[1], Some(&told));
    let socket = SocketView::new(&model, &model.sockets[0], Some(&told));
    for (text, holds) in [
        ("container:web", true),
        ("container=we", false),
        ("container:0123456789ab", true),
        ("container!=web", false),
        ("container!=db", true),
        ("pod:shop/*", true),
        ("pod:cart", true),
        ("unit=cron.service", true),
        ("unit:kubepods", false),
        ("cgroup:kubepods", true),
    ] {
        assert_eq!(reads(text).matches(&process), holds, "{text}");
        assert_eq!(reads(text).matches_socket(&socket), holds, "{text} of its socket");
    }
    for (text, holds) in [("nspid=7", true), ("nspid=80", false), ("nspid!=7", false), ("nspid:7", true)] {
        assert_eq!(reads(text).matches(&process), holds, "{text}");
    }
    for text in ["container:web", "container!=web", "pod:x", "nspid=7"] {
        assert!(!matches_nginx(text), "{text} of one that is in no container");
    }
    assert!(reads("container:web").needs_details() && reads("nspid=7").needs_details());
}

#[test]
fn sockets_by_port_address_and_state() {
    let model = model();
    let view = SocketView::new(&model, &model.sockets[0], None);
    for text in [
        "port:443",
        "port=51000",
        "remote:10.0.0",
        "remote:10.0.0.0/8",
        "remote=10.0.0.9",
        "remote!=192.168.0.0/16",
        "!remote:::/0",
        "state:estab",
        "10.0.0.9",
        "pid=80",
        "rtt>1ms",
        "rtt<2",
        "proto=tcp",
        "nginx",
        "user=1000",
        "uid=1000",
    ] {
        assert!(reads(text).matches_socket(&view), "{text}");
    }
    for text in [
        "port:44",
        "remote:10.0.1",
        "state:listen",
        "remote:10.0.1.0/24",
        "remote!=10.0.0.0/8",
        "remote=10.0.0.8",
        "remote:fe80::/10",
        "cpu>0",
        "proto=udp",
        "user=0",
    ] {
        assert!(!reads(text).matches_socket(&view), "{text}");
    }
}

#[test]
fn errors_point_at_the_place() {
    for (text, at, part) in [
        ("cpu>", 4, "a value"),
        ("cpu>abc", 4, "not a number"),
        ("nginx bogus>5", 6, "no column `bogus`"),
        ("foo=1", 0, "no column `foo`"),
        ("nginx useer=root", 6, "user=…"),
        ("comand!=sh", 0, "command!=…"),
        ("(nginx", 6, "expected `)`"),
        ("nginx)", 5, "unexpected `)`"),
        ("user>5", 5, "holds words"),
        ("uid>5", 4, "uid=1000"),
        ("remote:10.0.0.0/33", 7, "a network such as"),
        ("uid=-1", 4, "uid=1000"),
        ("cpu~5", 4, "holds numbers"),
        ("rss>5%", 4, "`rss` is in bytes: write 512, 10K, 10M"),
        ("nginx and rss > 5s", 16, "in bytes"),
        ("time>1k", 5, "`time` is a time: write 20ms"),
        ("age>5M", 4, "a time"),
        ("rtt<5%", 4, "a time"),
        ("cpu>5s", 4, "`cpu` is in percent: write 50"),
        ("cpu>5m", 4, "in percent"),
        ("flt>5s", 4, "`flt` is a plain number: write 5, 10k"),
        ("threads>5KiB", 8, "a plain number"),
        ("name~\"(\"", 5, "regular expression"),
        ("\"open", 0, "closing"),
        ("nginx or", 8, "expected a word"),
        ("!", 1, "expected a word"),
        ("a || b", 3, "expected a word"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.at, at, "{text}: {}", error.message);
        assert!(error.message.contains(part), "{text}: {}", error.message);
    }
    for text in ["app:web", "--foo=1", "\"foo=1\"", "kworker/0:1", "cmd:nginx", "a_b"] {
        assert!(parse(text).is_ok(), "{text}");
    }
    assert!(parse(&"(".repeat(100_000)).is_err(), "deep nesting is refused, not a stack overflow");
    assert!(parse(&"!".repeat(100_000)).is_err());
}

#[test]
fn prints_canonical_text() {
    for (text, printed) in [
        ("nginx|haproxy", "nginx or haproxy"),
        ("cpu > 5 and (user=root or cgroup:ssh*)", "cpu>5 (user=root or cgroup:ssh*)"),
        ("not kthread", "!kthread"),
        ("name~\"^pg_\"", "command~\"^pg_\""),
        ("pid:1", "pid=1"),
        ("rss>10m", "rss>10M"),
        ("age>10m", "age>10m"),
        ("max>10m", "max>10M"),
        ("local=10.0.0.1", "local:10.0.0.1/32"),
        ("comm:x", "comm:x"),
        ("NAME:x", "command:x"),
        ("Retransmits_Total>5", "retransmits_total>5"),
        ("sockets>5", "sockets>5"),
        ("RX>5", "rxtotal>5"),
        ("CPU%>5", "cpu>5"),
        ("threads==4 user==root", "threads=4 user=root"),
        ("memory_bytes>5", "memory_bytes>5"),
        ("remote!=fe80::/10", "remote!=fe80::/10"),
    ] {
        assert_eq!(reads(text).to_string(), printed);
    }
}

/// All that the columns of a table can be called.
fn names_of<C: Columns>() -> impl Iterator<Item = &'static str> {
    let names = |spec: &'static Spec| [spec.name, spec.title].into_iter().chain(spec.aliases.iter().chain(spec.fields).copied());
    C::all().iter().flat_map(move |column| names(column.spec()))
}

#[test]
fn every_name_is_printed_as_one_that_means_the_same_in_all_tables() {
    let of_processes = names_of::<Column>().chain(names_of::<SocketColumn>());
    let of_others = names_of::<RemoteColumn>().chain(names_of::<InterfaceColumn>()).chain(names_of::<CgroupColumn>());
    let mut read = 0;
    for name in of_processes.chain(of_others) {
        for name in [name.to_owned(), name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
            for text in [format!("{name}>5"), format!("{name}~x")] {
                let Ok(filter) = parse(&text) else { continue };
                let printed = filter.to_string();
                assert_eq!(parse(&printed).as_ref(), Ok(&filter), "{text} is printed as {printed}");
                read += 1;
            }
        }
    }
    assert!(read > 400, "{read}");
}

#[test]
fn a_printed_filter_finds_what_the_typed_one_found() {
    let model = model();
    let remote = remotes(&model, |_| true).into_iter().map(|remote| RemoteView::new(&model, remote)).next().expect("the other end");
    for text in ["comm:nginx", "sockets=1", "conn=1", "retransmits_total=0", "!retr>5"] {
        let filter = reads(text);
        assert!(filter.matches_remote(&remote), "{text}");
        assert!(reads(&filter.to_string()).matches_remote(&remote), "{text}, printed as {filter}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "nginx",
        "cpu>5",
        "net>=1.5MiB",
        "user=root",
        "user!=\"a b\"",
        "name~\"^p|q\"",
        "(",
        ")",
        "!",
        "|",
        "or",
        "and",
        "not",
        "exited",
        "kthread",
        "\"a \\\" b\"",
        "port:443",
        "uid=7",
        "age<20ms",
        "rss>10m",
        "flt<5m",
        "age<5m",
        "comm:x",
        "sockets>5",
        "retransmits_total=1",
        "RX<1k",
        "nginx:",
        "é*",
        "\"\"",
        "\\",
        "=",
        "\"or\"",
    ];
    prop_oneof![8 => proptest::sample::select(WORDS).prop_map(str::to_string), 1 => "\\PC{0,6}"]
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_the_same(pieces in proptest::collection::vec(piece(), 0..12)) {
        if let Ok(filter) = parse(&pieces.join(" ")) {
            let printed = filter.to_string();
            prop_assert_eq!(parse(&printed), Ok(filter), "{}", printed);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        if let Err(error) = parse(&text) {
            prop_assert!(text.is_char_boundary(error.at), "{} is inside a character", error.at);
        }
    }
}
