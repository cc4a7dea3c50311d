//! What runtimes of containers write down about each: its name, its pod. No daemon is asked.
//!
//! | runtime | file | what it tells |
//! |---|---|---|
//! | Docker | `<root>/containers/<id>/config.v2.json` | `Name`, labels |
//! | containerd | `<run>/io.containerd.runtime.v2.task/<namespace>/<id>/config.json` | annotations of the OCI bundle |
//! | CRI-O | `<storage>/<driver>-containers/<id>/userdata/config.json` | annotations of the OCI bundle |
//! | podman | `<storage>/<driver>-containers/{containers,volatile-containers}.json` | `names` of all containers |
//!
//! The annotations and labels are those of Kubernetes' CRI (containerd `pkg/cri/annotations`, kubelet `pkg/kubelet/types/labels.go`),
//! CRI-O (`pkg/annotations`) and nerdctl (`pkg/labels`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::state_file::Root;
use crate::sample::{Container, Runtime, printable};

/// Where containerd keeps the bundles of what runs: as packaged, in k3s and rke2, in microk8s.
const CONTAINERD: [&str; 3] = ["/run/containerd", "/run/k3s/containerd", "/var/snap/microk8s/common/run/containerd"];
/// Where CRI-O and podman keep theirs: what is lost at a restart, and what is not.
const STORAGE: [&str; 2] = ["/run/containers/storage", "/var/lib/containers/storage"];
/// Docker's own directory, unless its configuration names another, and that of its snap.
const DOCKER: [&str; 2] = ["/var/lib/docker", "/var/snap/docker/common/var-lib-docker"];
/// Namespaces of containerd, or drivers of a storage, that are looked into.
const NAMESPACES: usize = 64;
/// Letters of a name that are kept. Kubernetes has 253 at most.
const NAME: usize = 253;
/// Name of the container that holds the namespaces of a pod.
const PAUSE: &str = "pause";

/// Labels or annotations of a container. Values may be anything; only words count.
type Labels = BTreeMap<String, Value>;

/// What files told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) runtime: Runtime,
    name: Option<String>,
    pod: Option<String>,
    namespace: Option<String>,
}

impl Told {
    /// Adds it to what the path told.
    pub(super) fn about(self, runtime: Runtime, id: &str) -> Container {
        let runtime = if self.runtime == Runtime::Unknown { runtime } else { self.runtime };
        Container { runtime, id: id.to_owned(), name: self.name, pod: self.pod, namespace: self.namespace }
    }

    /// By the first of the keys that hold a word.
    fn of_labels(runtime: Runtime, labels: &Labels) -> Told {
        let find = |keys: &[&str]| keys.iter().find_map(|key| word(labels.get(*key)?.as_str()?));
        let kind = find(&["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"]);
        let is_pause = kind.as_deref() == Some("sandbox");
        let name = find(&["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"]);
        Told {
            runtime,
            name: if is_pause { Some(PAUSE.to_owned()) } else { name },
            pod: find(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name", "io.kubernetes.cri-o.KubeName"]),
            namespace: find(&["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace", "io.kubernetes.cri-o.Namespace"]),
        }
    }
}

/// Looks for what the runtime wrote about a container; where the path does not tell which runtime, all are tried. `None` where no file
/// tells, or none may be read.
pub(super) fn look_up(root: &Root, runtime: Runtime, id: &str) -> Option<Told> {
    match runtime {
        Runtime::Docker => docker(root, &DOCKER, id),
        Runtime::Containerd => containerd(root, &CONTAINERD, id),
        Runtime::CriO | Runtime::Podman => storage(root, &STORAGE, id),
        Runtime::Unknown => containerd(root, &CONTAINERD, id)
            .filter(|told| told.name.is_some())
            .or_else(|| docker(root, &DOCKER, id))
            .or_else(|| storage(root, &STORAGE, id)),
        Runtime::Lxc | Runtime::Nspawn => None,
    }
}

/// The same for the containers of one user, in that user's own directories. `home` is where they are without their own say.
pub(super) fn look_up_of_user(root: &Root, (uid, home): (u32, &str), runtime: Runtime, id: &str) -> Option<Told> {
    let data = format!("{}/.local/share", home.trim_end_matches('/'));
    let docker_root = format!("{data}/docker");
    let storage_roots = [format!("/run/user/{uid}/containers"), format!("{data}/containers/storage")];
    let containerd_root = format!("/run/user/{uid}/containerd");
    let storage_roots = storage_roots.each_ref().map(String::as_str);
    match runtime {
        Runtime::Docker => docker(root, &[&docker_root], id),
        Runtime::Containerd => containerd(root, &[&containerd_root], id),
        Runtime::CriO | Runtime::Podman => storage(root, &storage_roots, id),
        Runtime::Unknown => docker(root, &[&docker_root], id).or_else(|| storage(root, &storage_roots, id)),
        Runtime::Lxc | Runtime::Nspawn => None,
    }
}

fn docker(root: &Root, roots: &[&str], id: &str) -> Option<Told> {
    let configured = root.read("/etc/docker/daemon.json").and_then(|bytes| docker_root(&bytes));
    let mut roots = roots.iter().copied().chain(configured.as_deref());
    roots.find_map(|data| of_docker(&root.read(&format!("{data}/containers/{id}/config.v2.json"))?))
}

fn containerd(root: &Root, roots: &[&str], id: &str) -> Option<Told> {
    roots.iter().find_map(|run| {
        let tasks = format!("{run}/io.containerd.runtime.v2.task");
        let namespaces = root.list(&tasks, NAMESPACES);
        namespaces.iter().find_map(|namespace| of_bundle(&root.read(&format!("{tasks}/{namespace}/{id}/config.json"))?))
    })
}

/// Every driver of that storage has a directory of its own: `overlay-containers`, `vfs-containers`.
fn storage(root: &Root, roots: &[&str], id: &str) -> Option<Told> {
    let drivers = |storage: &&str| {
        let names = root.list(storage, NAMESPACES).into_iter().filter(|name| name.ends_with("-containers"));
        names.map(|name| format!("{storage}/{name}")).collect::<Vec<_>>()
    };
    let drivers: Vec<String> = roots.iter().flat_map(drivers).collect();
    let bundle = |driver: &String| of_bundle(&root.read(&format!("{driver}/{id}/userdata/config.json"))?);
    let told = drivers.iter().find_map(bundle).filter(|told| told.name.is_some());
    told.or_else(|| {
        let mut lists = drivers.iter().flat_map(|driver| ["containers", "volatile-containers"].map(|list| format!("{driver}/{list}.json")));
        lists.find_map(|list| of_list(&root.read(&list)?, id))
    })
}

/// The directory that Docker was told to use.
fn docker_root(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Daemon {
        #[serde(rename = "data-root", alias = "graph")]
        data_root: Option<String>,
    }
    let root = serde_json::from_slice::<Daemon>(bytes).ok()?.data_root?;
    root.starts_with('/').then_some(root)
}

/// What Docker writes about a container.
fn of_docker(bytes: &[u8]) -> Option<Told> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct State {
        name: Option<String>,
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        labels: Option<Labels>,
    }
    let state: State = serde_json::from_slice(bytes).ok()?;
    let labels = state.config.and_then(|config| config.labels).unwrap_or_default();
    let told = Told::of_labels(Runtime::Docker, &labels);
    let own = state.name.as_deref().and_then(|name| word(name.trim_start_matches('/')));
    Some(Told { name: told.name.or(own), ..told })
}

/// What containerd, CRI-O and podman write for runc: the OCI runtime specification's `config.json`.
fn of_bundle(bytes: &[u8]) -> Option<Told> {
    #[derive(Deserialize)]
    struct Bundle {
        #[serde(default)]
        annotations: Option<Labels>,
    }
    let labels = serde_json::from_slice::<Bundle>(bytes).ok()?.annotations.unwrap_or_default();
    let runtime = match labels.get("io.container.manager").and_then(Value::as_str) {
        Some("cri-o") => Runtime::CriO,
        Some("libpod") => Runtime::Podman,
        _ if labels.keys().any(|key| key.starts_with("io.kubernetes.cri.") || key.starts_with("nerdctl/")) => Runtime::Containerd,
        _ => Runtime::Unknown,
    };
    Some(Told::of_labels(runtime, &labels))
}

/// The container in the list that podman's storage keeps of all.
fn of_list(bytes: &[u8], id: &str) -> Option<Told> {
    #[derive(Deserialize)]
    struct Entry {
        id: String,
        #[serde(default)]
        names: Option<Vec<String>>,
    }
    let all: Vec<Entry> = serde_json::from_slice(bytes).ok()?;
    let names = all.into_iter().find(|entry| entry.id == id)?.names?;
    Some(Told { runtime: Runtime::Podman, name: word(names.first()?), ..Told::default() })
}

/// Fit for a terminal, and no longer than names are.
fn word(text: &str) -> Option<String> {
    let short: String = text.chars().take(NAME).collect();
    (!short.is_empty()).then(|| printable(short.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn id() -> String {
        "0123456789abcdef".repeat(4)
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// What is told about a container in a tree that has this file.
    fn told(path: &str, text: &str, runtime: Runtime) -> Option<Container> {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &path.replace("ID", &id()), &text.replace("ID", &id()));
        look_up(&Root::at(dir.path()), runtime, &id()).map(|told| told.about(runtime, &id()))
    }

    fn named(container: Option<Container>) -> (Runtime, String) {
        let container = container.unwrap();
        assert_eq!(container.id, id());
        (container.runtime, container.full_title().into_owned())
    }

    #[test]
    fn docker_by_name_and_by_its_labels() {
        let file = "var/lib/docker/containers/ID/config.v2.json";
        let plain = r#"{"ID":"ID","Name":"/web","Config":{"Image":"nginx","Labels":{}},"State":{"Pid":7}}"#;
        for runtime in [Runtime::Docker, Runtime::Unknown] {
            assert_eq!(named(told(file, plain, runtime)), (Runtime::Docker, "web".into()));
        }
        let kubernetes = r#"{"Name":"/k8s_app_web-0_shop_1_0","Config":{"Labels":{"io.kubernetes.container.name":"app",
            "io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop"}}}"#;
        assert_eq!(named(told(file, kubernetes, Runtime::Docker)), (Runtime::Docker, "shop/web-0/app".into()));
        assert_eq!(told(file, plain, Runtime::Podman), None, "the path said podman");
    }

    #[test]
    fn docker_in_a_directory_of_its_own_choice() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "etc/docker/daemon.json", r#"{"data-root": "/srv/docker", "debug": true}"#);
        write(dir.path(), &format!("srv/docker/containers/{}/config.v2.json", id()), r#"{"Name":"/db"}"#);
        let told = look_up(&Root::at(dir.path()), Runtime::Docker, &id()).unwrap();
        assert_eq!(told.about(Runtime::Docker, &id()).title(), "db");
    }

    #[test]
    fn containerd_in_every_namespace_and_distribution() {
        let pod = r#"{"ociVersion":"1.1.0","annotations":{"io.kubernetes.cri.container-name":"nginx","io.kubernetes.cri.container-type":"container",
            "io.kubernetes.cri.sandbox-name":"web-7f9c","io.kubernetes.cri.sandbox-namespace":"shop"}}"#;
        for run in CONTAINERD {
            let file = format!("{}/io.containerd.runtime.v2.task/k8s.io/ID/config.json", &run[1..]);
            assert_eq!(named(told(&file, pod, Runtime::Containerd)), (Runtime::Containerd, "shop/web-7f9c/nginx".into()));
            assert_eq!(named(told(&file, pod, Runtime::Unknown)), (Runtime::Containerd, "shop/web-7f9c/nginx".into()));
        }
        let file = "run/containerd/io.containerd.runtime.v2.task/default/ID/config.json";
        let nerdctl = r#"{"annotations":{"nerdctl/name":"cache","nerdctl/namespace":"default"}}"#;
        assert_eq!(named(told(file, nerdctl, Runtime::Containerd)), (Runtime::Containerd, "cache".into()));
        let pause = r#"{"annotations":{"io.kubernetes.cri.container-type":"sandbox","io.kubernetes.cri.sandbox-name":"web-0"}}"#;
        assert_eq!(named(told(file, pause, Runtime::Containerd)).1, "web-0/pause");
        assert_eq!(named(told(file, r#"{"process":{}}"#, Runtime::Containerd)).1, &id()[..12]);
    }

    #[test]
    fn docker_above_containerd_goes_by_docker() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = format!("run/containerd/io.containerd.runtime.v2.task/moby/{}/config.json", id());
        write(dir.path(), &bundle, r#"{"annotations":{}}"#);
        write(dir.path(), &format!("var/lib/docker/containers/{}/config.v2.json", id()), r#"{"Name":"/web"}"#);
        let told = look_up(&Root::at(dir.path()), Runtime::Unknown, &id()).unwrap();
        assert_eq!(named(Some(told.about(Runtime::Unknown, &id()))), (Runtime::Docker, "web".into()));
    }

    #[test]
    fn cri_o_by_its_annotations() {
        let text = r#"{"annotations":{"io.container.manager":"cri-o","io.kubernetes.container.name":"etcd","io.kubernetes.pod.name":"etcd-m1",
            "io.kubernetes.pod.namespace":"kube-system","io.kubernetes.cri-o.ContainerType":"container"}}"#;
        for storage in STORAGE {
            let file = format!("{}/overlay-containers/ID/userdata/config.json", &storage[1..]);
            assert_eq!(named(told(&file, text, Runtime::CriO)), (Runtime::CriO, "kube-system/etcd-m1/etcd".into()));
        }
        let pause = r#"{"annotations":{"io.container.manager":"cri-o","io.kubernetes.cri-o.ContainerType":"sandbox",
            "io.kubernetes.cri-o.KubeName":"etcd-m1","io.kubernetes.cri-o.Namespace":"kube-system"}}"#;
        let file = "run/containers/storage/overlay-containers/ID/userdata/config.json";
        assert_eq!(named(told(file, pause, Runtime::Unknown)).1, "kube-system/etcd-m1/pause");
    }

    #[test]
    fn podman_by_the_list_of_its_storage() {
        let list = r#"[{"id":"beef","names":["other"]},{"id":"ID","names":["web"],"image":"x","metadata":"{}"}]"#;
        for file in [
            "var/lib/containers/storage/overlay-containers/containers.json",
            "var/lib/containers/storage/vfs-containers/volatile-containers.json",
        ] {
            assert_eq!(named(told(file, list, Runtime::Podman)), (Runtime::Podman, "web".into()));
        }
        assert_eq!(told("var/lib/containers/storage/overlay-containers/containers.json", "[]", Runtime::Podman), None);
    }

    #[test]
    fn rootless_podman_and_docker_in_the_home_of_their_user() {
        let dir = tempfile::tempdir().unwrap();
        let data = "home/ann/.local/share";
        let list = format!(r#"[{{"id":"{}","names":["mine"]}}]"#, id());
        write(dir.path(), &format!("{data}/containers/storage/overlay-containers/containers.json"), &list);
        let look = |runtime| look_up_of_user(&Root::at(dir.path()), (1000, "/home/ann"), runtime, &id());
        assert_eq!(look(Runtime::Podman).unwrap().about(Runtime::Podman, &id()).title(), "mine");
        write(dir.path(), &format!("{data}/docker/containers/{}/config.v2.json", id()), r#"{"Name":"/theirs"}"#);
        assert_eq!(look(Runtime::Docker).unwrap().about(Runtime::Docker, &id()).title(), "theirs");
    }

    #[test]
    fn names_are_fit_for_a_terminal_and_no_longer_than_names_are() {
        let file = "var/lib/docker/containers/ID/config.v2.json";
        let evil = told(file, r#"{"Name":"/a\u001b[2Jb\u202e"}"#, Runtime::Docker).unwrap();
        assert_eq!(evil.title(), "a\u{fffd}[2Jb\u{fffd}");
        let long = told(file, &format!(r#"{{"Name":"{}"}}"#, "x".repeat(5000)), Runtime::Docker).unwrap();
        assert_eq!(long.title().len(), NAME);
        for odd in [r#"{"Name":7}"#, "[", "", "null", r#"{"Name":"/"}"#] {
            assert!(told(file, odd, Runtime::Docker).is_none_or(|c| c.name.is_none()), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn hostile_files_never_panic(noise: Vec<u8>, text in "[\\[{\":,}\\]a-zA-Z0-9/\\\\ -]{0,60}", deep in 0usize..300) {
            let nested = "[".repeat(deep) + &"{\"annotations\":".repeat(deep);
            let labels = format!("{{\"Name\":\"{0}\",\"annotations\":{{\"io.kubernetes.pod.name\":\"{0}\",\"x\":[1,{{}}]}}}}", text.replace(['"', '\\'], ""));
            for bytes in [&noise[..], text.as_bytes(), nested.as_bytes(), labels.as_bytes()] {
                let all = [of_docker(bytes), of_bundle(bytes), of_list(bytes, "a")];
                let _ = docker_root(bytes);
                for told in all.into_iter().flatten() {
                    let words = [told.name, told.pod, told.namespace];
                    prop_assert!(words.iter().flatten().all(|word| word.chars().count() <= NAME && !word.chars().any(char::is_control)));
                }
            }
        }
    }
}
