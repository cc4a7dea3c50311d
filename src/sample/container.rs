//! Containers: which one a process is in, as its runtime calls it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Who runs a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// Neither the path nor any file tells.
    #[default]
    Unknown,
    /// Docker.
    Docker,
    /// containerd, by Kubernetes or nerdctl.
    Containerd,
    /// CRI-O.
    CriO,
    /// podman.
    Podman,
    /// LXC, LXD or Incus.
    Lxc,
    /// systemd-nspawn.
    Nspawn,
}

impl Runtime {
    /// Its name on screen and in JSON; `None` where it is not known.
    pub fn name(self) -> Option<&'static str> {
        [None, Some("docker"), Some("containerd"), Some("cri-o"), Some("podman"), Some("lxc"), Some("nspawn")][self as usize]
    }
}

/// A container. Names are fit for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Container {
    /// Who runs it.
    pub runtime: Runtime,
    /// Its id; of LXC and nspawn, which have none, the name of the machine.
    pub id: String,
    /// Its name, where the runtime's files could be read.
    pub name: Option<String>,
    /// The pod of Kubernetes it belongs to.
    pub pod: Option<String>,
    /// The namespace of that pod.
    pub namespace: Option<String>,
}

/// Letters of an id that docker, podman and crictl show.
const SHORT_ID: usize = 12;

impl Container {
    /// The beginning of its id, as far as tools of runtimes show it; of what has no id, all of its name.
    pub fn short_id(&self) -> &str {
        let is_id = self.id.len() > SHORT_ID && self.id.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { &self.id[..SHORT_ID] } else { &self.id }
    }

    /// Its name, or the beginning of its id.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.short_id())
    }

    /// The pod with its namespace: `shop/cart-7f9c`.
    pub fn pod_title(&self) -> Option<Cow<'_, str>> {
        let pod = self.pod.as_deref()?;
        Some(self.namespace.as_deref().map_or(Cow::Borrowed(pod), |namespace| format!("{namespace}/{pod}").into()))
    }

    /// All that tells it from others: `shop/cart-7f9c/nginx`, or its title.
    pub fn full_title(&self) -> Cow<'_, str> {
        self.pod_title().map_or(Cow::Borrowed(self.title()), |pod| format!("{pod}/{}", self.title()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_goes_by_the_best_name_it_has() {
        let mut container = Container { id: "0123456789abcdef".repeat(4), ..Container::default() };
        assert_eq!((container.title(), container.pod_title()), ("0123456789ab", None));
        container.name = Some("nginx".into());
        container.pod = Some("web-0".into());
        assert_eq!((container.title(), container.full_title().as_ref()), ("nginx", "web-0/nginx"));
        container.namespace = Some("shop".into());
        assert_eq!(container.full_title(), "shop/web-0/nginx");
        let machine = Container { id: "a-long-machine-name-é".into(), ..Container::default() };
        assert_eq!(machine.title(), "a-long-machine-name-é");
    }
}
