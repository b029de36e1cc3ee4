//! Reach as its users ask for it: files, folders, hosts, and names as a resolver of these tests has them.

use std::net::TcpListener;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::*;

/// `to.A-B...` leads to the addresses in its first part, `nowhere` to none.
fn spelled_lookup(name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    async move {
        let label = name.split('.').next().unwrap_or_default();
        let address = |text: &str| match text.parse() {
            Ok(number) => IpAddr::from(u32::to_be_bytes(number)),
            Err(_) => IpAddr::from(u128::from_str_radix(&text[1..], 16).expect("a number").to_be_bytes()),
        };
        match label {
            "localhost" => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
            "nowhere" => Err(io::ErrorKind::NotFound.into()),
            label => Ok(label.split('-').map(address).collect()),
        }
    }
    .boxed()
}

/// As `spelled_lookup` reads it.
fn label(addresses: &[&str]) -> String {
    let label = |text: &&str| match text.parse().expect("is an address") {
        IpAddr::V4(short) => u32::from(short).to_string(),
        IpAddr::V6(long) => format!("x{:x}", u128::from(long)),
    };
    addresses.iter().map(label).collect::<Vec<_>>().join("-")
}

fn reach(backends: &[&str]) -> Reach {
    let roots = Roots::open(&[], &[]).expect("there is none");
    Reach::confined_by(roots, backends, spelled_lookup).expect("are patterns")
}

/// Where a backend may be connected to, or why not.
async fn asked(reach: &Reach, url: &str) -> Result<(), String> {
    reach.backend(url).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn only_hosts_that_a_pattern_fits_are_named() {
    let reach = reach(&["*.example:8080", "http://10.*"]);
    for url in
        ["http://167772161.example:8080", "https://167772161.example:8080", "http://10.1.2.3", "http://10.1:99"]
    {
        assert_eq!(asked(&reach, url).await, Ok(()), "{url}");
    }
    for (url, host) in [
        ("http://167772161.example", "167772161.example:80"),
        ("https://10.1.2.3", "10.1.2.3:443"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://localhost:8080", "localhost:8080"),
        ("http://[::1]", "[::1]:80"),
        ("http://user:secret@evil.test:8080?.example", "evil.test:8080"),
    ] {
        assert_eq!(asked(&reach, url).await, Err(format!("no --allow-backend fits {host}")), "{url}");
    }
    for url in ["ftp://10.1.2.3", "http://", "10.1.2.3", "file:///a", "http://1.2.3.4.5"] {
        assert_eq!(asked(&reach, url).await, Err("this is no http or https URL of a host".to_owned()), "{url}");
    }
    assert_eq!(asked(&Reach::operator(), "http://169.254.169.254").await, Ok(()));
}

#[tokio::test]
async fn what_is_off_limits_stays_so_in_every_spelling_and_behind_every_name() {
    let reach = reach(&["*", "169.254.*", "[fe80:*]", "*.example"]);
    let off_limits = |host: &str| {
        Err(format!(
            "{host} leads to a link-local, metadata, multicast or reserved address, where no \
                                  --allow-backend leads"
        ))
    };
    for (url, host) in [
        ("http://169.254.169.254", "169.254.169.254"),
        ("http://2852039166", "169.254.169.254"),
        ("http://0xa9fea9fe:80", "169.254.169.254"),
        ("http://0251.0376.0251.0376", "169.254.169.254"),
        ("http://169.254.43518", "169.254.169.254"),
        ("http://0", "0.0.0.0"),
        ("http://[::]", "[::]"),
        ("http://[fe80::1]:8080", "[fe80::1]"),
        ("http://[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"),
        ("http://[64:ff9b::169.254.169.254]", "[64:ff9b::a9fe:a9fe]"),
        ("http://[fd00:ec2::254]", "[fd00:ec2::254]"),
    ] {
        assert_eq!(asked(&reach, url).await, off_limits(host), "{url}");
    }
    for address in
        ["169.254.169.254", "0.0.0.0", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "224.0.0.1"]
    {
        let host = format!("{}.example", label(&[address]));
        assert_eq!(asked(&reach, &format!("http://{host}:8080")).await, off_limits(&host), "{address}");
    }
}

#[tokio::test]
async fn a_name_leads_to_this_machine_only_where_a_pattern_does() {
    let (loopback, mapped) = (label(&["127.0.0.1"]), label(&["::ffff:127.0.0.1"]));
    for (backends, port, expected) in [
        (&["*.example"][..], 8080, false),
        (&["*.example", "127.0.0.1:8080"], 8080, true),
        (&["*.example", "127.0.0.1:8080"], 8081, false),
        (&["*.example", "127.*"], 8081, true),
        (&["*.example", "[::1]"], 8080, false),
        (&["*"], 8080, true),
    ] {
        for label in [&loopback, &mapped] {
            let host = format!("{label}.example");
            let outcome = asked(&reach(backends), &format!("http://{host}:{port}")).await;
            let refused = Err(format!("{host} leads to this machine, and no --allow-backend fits that"));
            assert_eq!(outcome, if expected { Ok(()) } else { refused }, "{backends:?} {port}");
        }
    }
    assert_eq!(asked(&reach(&["localhost:8080"]), "http://localhost:8080").await, Ok(()));
    for url in
        ["http://localhost:1", "http://127.0.0.1", "http://127.8.8.8:2", "http://[::1]:3", "http://2130706433"]
    {
        assert_eq!(asked(&reach(&THIS_MACHINE), url).await, Ok(()), "{url}");
    }
}

#[tokio::test]
async fn of_many_addresses_those_are_left_that_may_be_reached() {
    let reach = reach(&["*.example"]);
    for (addresses, expected) in [
        (&["10.0.0.1", "169.254.1.1", "fd00::7", "127.0.0.1"][..], &["10.0.0.1:0", "[fd00::7]:0"][..]),
        (&["10.0.0.1"], &["10.0.0.1:0"]),
    ] {
        let name = format!("{}.example", label(addresses));
        let url = format!("http://{name}").parse().expect("is a URL");
        let resolver = reach.host(&url).expect("is within reach");
        let found = reqwest::dns::Resolve::resolve(&resolver, name.parse().expect("is a name")).await;
        let found: Vec<String> = found.expect("leads somewhere").map(|address| address.to_string()).collect();
        assert_eq!(found, expected);
    }
    // What leads nowhere yet may lead somewhere later.
    assert_eq!(asked(&reach, "http://nowhere.example").await, Ok(()));
}

/// A client does not notice where a name led when its URL was looked at.
#[tokio::test]
async fn names_are_looked_at_again_on_each_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("does not block");
    let port = listener.local_addr().expect("is bound").port();
    let url: Url = format!("http://{}.example:{port}", label(&["127.0.0.1"])).parse().expect("is a URL");
    let resolver = reach(&["*.example"]).host(&url).expect("the name fits");
    let waits = crate::fetch::WAITS;
    let error =
        crate::fetch::client::client(&waits, &resolver).get(url.clone()).send().await.expect_err("is refused");
    let host = url.host_str().expect("has a host");
    let expected = format!("{host} leads to this machine, and no --allow-backend fits that");
    assert_eq!(crate::fetch::error::Reason::from(error).to_string(), expected);
    let connector = crate::fetch::connector(waits.connect, resolver);
    let mut connector = std::pin::pin!(connector);
    let uri = url.as_str().parse().expect("is a URI");
    let error =
        tower_service::Service::<hyper::Uri>::call(&mut *connector, uri).await.map(drop).expect_err("is refused");
    let causes = std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
    assert_eq!(causes.last().map(ToString::to_string), Some(expected));
    let refused = listener.accept().expect_err("nobody has connected");
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn settings_that_make_no_sense_are_named_without_what_they_may_hide() {
    let error = Reach::confined(&[], &[], &["a", "http://user:secret@b"]).expect_err("is no pattern").to_string();
    assert!(
        error.starts_with("--allow-backend: the pattern number 2 must be HOST, HOST:PORT or SCHEME"),
        "{error}"
    );
    assert!(!error.contains("secret"));
    let error = Reach::confined::<&str>(&["no/such".into()], &[], &[]).expect_err("is no folder").to_string();
    assert!(error.starts_with("--file-root no/such: "), "{error}");
}

/// Folders `in` and `out`, each with a file `m` and a folder `f`.
#[cfg(unix)]
fn two_folders(test: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("explaind-{}-{test}", std::process::id()));
    for name in ["in", "out"] {
        std::fs::create_dir_all(root.join(name).join("f")).expect("is made");
        std::fs::write(root.join(name).join("m"), "m").expect("writes");
    }
    root.canonicalize().expect("is there")
}

#[cfg(unix)]
#[test]
fn paths_lead_below_a_root_or_nowhere_and_nothing_tells_what_is_outside() {
    use std::os::unix::fs::symlink;

    let root = two_folders("roots");
    let inside = root.join("in");
    for (to, link) in [
        ("../out/m", "out-file"),
        ("../out/gone", "out-gone"),
        ("../out", "out-folder"),
        ("m", "in-file"),
        ("../in/f", "in-folder"),
        ("/dev/null", "device"),
        ("loop", "loop"),
    ] {
        symlink(to, inside.join(link)).expect("is made");
    }
    symlink("in", root.join("also")).expect("is made");
    let reach = Reach::confined::<&str>(&[root.join("also")], &[], &[]).expect("is a folder");
    let text = |path: &str| path.replace("ROOT", &root.display().to_string());
    for path in
        ["ROOT/in/m", "ROOT/also/m", "ROOT/in/f/../m", "ROOT/in/in-file", "ROOT/gone/../in/m", "/../ROOT/in/./m"]
    {
        assert_eq!(reach.file(Path::new(&text(path))), Ok(inside.join("m")), "{path}");
    }
    for path in ["ROOT/in/f", "ROOT/in/in-folder", "ROOT/also/f/"] {
        assert_eq!(reach.folder(Path::new(&text(path))), Ok(inside.join("f")), "{path}");
    }
    assert_eq!(reach.folder(&inside), Ok(inside.clone()));
    for path in [
        "ROOT/in/gone",
        "ROOT/in",
        "ROOT/in/../out/m",
        "ROOT/out/m",
        "ROOT/out/gone",
        "ROOT/in/out-file",
        "ROOT/in/out-gone",
        "ROOT/in/out-folder/m",
        "ROOT/in/device",
        "ROOT/in/loop",
        "ROOT/in/..%2fout%2fm",
        "ROOT/%69n/m",
        "ROOT/into/m",
        "/etc/passwd",
        "m",
        "",
    ] {
        let path = text(path);
        assert_eq!(reach.file(Path::new(&path)), Err(ReachError::File), "{path}");
        assert_eq!(reach.folder(&Path::new(&path).join("m")), Err(ReachError::Folder), "{path}");
    }
    // What others open may be on another disk.
    for (path, expected) in [
        ("ROOT/in/elsewhere", true),
        ("ROOT/in/../in/f", true),
        ("ROOT/in/out-folder", false),
        ("ROOT/out", false),
        ("ROOT/in/../elsewhere", false),
    ] {
        assert_eq!(reach.foreign_folder(Path::new(&text(path))).is_ok(), expected, "{path}");
    }
    std::fs::remove_dir_all(root).expect("is removed");
}

#[cfg(unix)]
#[test]
fn what_the_server_keeps_is_never_within_reach_nor_a_folder_that_leads_to_it() {
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;

    let root = two_folders("kept");
    let inside = root.join("in");
    create_dir_all(inside.join("models/keys")).expect("is made");
    create_dir_all(inside.join("later")).expect("is made");
    write(inside.join("models/keys/k"), "k").expect("writes");
    write(inside.join("models/keys/m"), "m").expect("writes");
    symlink("models/keys/k", inside.join("k")).expect("is made");
    symlink("in", root.join("also")).expect("is made");
    symlink("later", inside.join("state-link")).expect("is made");
    // The keys by a link to them; the state by a link to a folder above it, before it is there.
    let kept = [inside.join("k"), root.join("also/gone/../later/state"), PathBuf::new()];
    let reach = Reach::confined::<&str>(std::slice::from_ref(&inside), &kept, &[]).expect("is a folder");
    let look = |path: &str| {
        let path = inside.join(path);
        (reach.file(&path).is_ok(), reach.folder(&path).is_ok(), reach.foreign_folder(&path).is_ok())
    };
    for is_made in [false, true] {
        if is_made {
            create_dir_all(inside.join("later/state/model")).expect("is made");
            write(inside.join("later/state/model/a.json"), "a").expect("writes");
        }
        for path in [
            "k",
            "models/keys/k",
            "models/keys",
            "models",
            ".",
            "later",
            "later/state",
            "later/state/",
            "later/state/model",
            "later/state/model/a.json",
            "state-link/state/model/a.json",
            "f/../later/state/model",
        ] {
            assert_eq!(look(path), (false, false, false), "{path} {is_made}");
        }
        assert_eq!(look("m"), (true, false, true));
        assert_eq!(look("models/keys/m"), (true, false, true));
        assert_eq!(look("f"), (false, true, true));
        assert_eq!(look("later/stateless"), (false, false, true));
    }
    // Keys that are changed by linking them anew.
    std::fs::remove_file(inside.join("k")).expect("is removed");
    symlink("models/keys/m", inside.join("k")).expect("is made");
    assert_eq!(look("models/keys/m"), (false, false, false));
    std::fs::remove_dir_all(root).expect("is removed");
}
