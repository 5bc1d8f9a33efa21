//! How the devices are reached: the inventory, and who says so.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{sync::Semaphore, task::JoinSet};
use weft_model::{NodeName, PackName, SecretDigests, SecretRef};
use weft_pack::Pack;
use weft_ssh::{DigestKey, Inventory, Limits, Pool, SecretError, SecretValue, Secrets, Target};
use weft_verify::{ObserveTarget, Reading};

use crate::stages::{Compiled, Project};

/// The inventory that a lab writes, relative to the project.
pub const LAB_INVENTORY: &str = ".weft/lab/inventory.yaml";
/// The port of an SSH server that nobody has moved.
const SSH_PORT: u16 = 22;

/// Where an inventory comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryOrigin {
    /// A file that the user named.
    File(PathBuf),
    /// The lab that is up.
    Lab(PathBuf),
    /// The management addresses of the allocations.
    Allocations,
}

impl fmt::Display for InventoryOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "as in {}", path.display()),
            Self::Lab(path) => write!(f, "those of the lab ({})", path.display()),
            Self::Allocations => write!(f, "at their management addresses, port {SSH_PORT}"),
        }
    }
}

/// Why there is no inventory.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The file cannot be read.
    #[error("read the inventory {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not an inventory.
    #[error("{path} is not an inventory: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_yaml::Error,
    },
    /// The file names what is not there.
    #[error("the inventory {path}: {reason}")]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
}

/// Returns the inventory of `file`, else that of the project's lab where one is up, else `None`: then the management addresses
/// of the allocations hold. Relative paths in a file are made absolute from its folder.
///
/// # Errors
/// Fails when a file is there and cannot be read, or is not an inventory.
pub fn inventory(root: &Path, file: Option<&Path>) -> Result<Option<(Inventory, InventoryOrigin)>, InventoryError> {
    let (path, origin) = match file {
        Some(file) => (file.to_owned(), InventoryOrigin::File(file.to_owned())),
        None => {
            let lab = root.join(LAB_INVENTORY);
            if !lab.exists() {
                return Ok(None);
            }
            (lab.clone(), InventoryOrigin::Lab(lab))
        }
    };
    let text = std::fs::read_to_string(&path).map_err(|source| InventoryError::Read { path: path.clone(), source })?;
    let mut inventory: Inventory =
        serde_yaml::from_str(&text).map_err(|source| InventoryError::Malformed { path: path.clone(), source })?;
    inventory
        .resolve(path.parent().unwrap_or(Path::new(".")))
        .map_err(|reason| InventoryError::Inconsistent { path: path.clone(), reason })?;
    Ok(Some((inventory, origin)))
}

/// Returns the packs that an inventory names, by device.
pub fn overrides(inventory: Option<&Inventory>) -> BTreeMap<NodeName, PackName> {
    let devices = inventory.iter().flat_map(|inventory| &inventory.devices);
    devices.filter_map(|(device, target)| Some((device.clone(), target.pack.clone()?))).collect()
}

/// Returns the inventory that the allocations give: the management address of each device, port 22, the user `user`, the keys
/// of the SSH agent and the host keys of the user's own file.
pub fn from_allocations(compiled: &Compiled, user: &str) -> Inventory {
    let devices = compiled.allocations.management.iter().filter(|(device, _)| compiled.configs.contains_key(*device));
    let target = |address| Target::new(SocketAddr::new(address, SSH_PORT), user);
    let devices = devices.map(|(device, address)| (device.clone(), target(*address))).collect();
    Inventory { devices, ..Inventory::default() }
}

/// The secrets that stand in the rendered configurations, so that their values are taken out of everything that is read from a
/// device, whoever made the source of the values. Each is looked up once: what is pushed is what was compared.
struct SecretsOf {
    values: Arc<dyn Secrets>,
    resolved: BTreeMap<SecretRef, Result<SecretValue, SecretError>>,
}

impl SecretsOf {
    /// Looks up the references of all placeholders in the rendered texts, and those that `values` knows.
    fn rendered(compiled: &Compiled, values: Arc<dyn Secrets>) -> Self {
        let texts = compiled.rendered.values().flat_map(|device| device.files.values()).map(|file| file.text.as_str());
        let mut references = weft_ssh::references(texts);
        references.extend(values.references());
        let resolved =
            references.into_iter().map(|reference| (reference.clone(), values.resolve(&reference))).collect();
        Self { values, resolved }
    }
}

impl Secrets for SecretsOf {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        match self.resolved.get(reference) {
            Some(resolved) => resolved.clone(),
            None => self.values.resolve(reference),
        }
    }

    fn references(&self) -> Vec<SecretRef> {
        self.resolved.keys().cloned().collect()
    }

    fn key(&self) -> &DigestKey {
        self.values.key()
    }
}

/// How the devices of a run are reached.
#[derive(Clone)]
pub struct Reach {
    /// Where they are.
    pub inventory: Inventory,
    /// The packs by name.
    pub packs: BTreeMap<PackName, Arc<Pack>>,
    /// Where the values of secrets come from.
    pub secrets: Arc<dyn Secrets>,
    /// The digests of those that stand in the configurations.
    pub digests: Arc<SecretDigests>,
    /// Those that have no value, and why.
    pub missing: Arc<BTreeMap<SecretRef, SecretError>>,
    /// How long a device may take.
    pub limits: Limits,
    /// The sessions with the devices.
    pub pool: Pool,
}

impl Reach {
    /// Returns how the devices of a project are reached. The secrets in the configurations need not be among the references of
    /// `secrets`.
    pub fn new(project: &Project, compiled: &Compiled, inventory: Inventory, secrets: Arc<dyn Secrets>) -> Self {
        let secrets = Arc::new(SecretsOf::rendered(compiled, secrets));
        let (digests, missing) = weft_ssh::digests(&*secrets);
        let (digests, missing) = (Arc::new(digests), Arc::new(missing));
        let limits = Limits::default();
        let pool = Pool::new(secrets.clone(), limits.clone());
        if let Some(most) = inventory.concurrency_per_site {
            let mut sites: BTreeMap<_, Vec<NodeName>> = BTreeMap::new();
            for node in project.network.nodes() {
                sites.entry(node.site.as_ref()).or_default().push(node.name.clone());
            }
            sites.into_values().for_each(|devices| pool.bound(devices, most.into()));
        }
        Self { inventory, packs: project.packs.clone(), secrets, digests, missing, limits, pool }
    }

    /// Returns how each rendered device is read; one that is not in the inventory, or whose pack is missing, is left out.
    pub fn targets(&self, compiled: &Compiled) -> BTreeMap<NodeName, ObserveTarget> {
        let devices = compiled.rendered.iter().filter_map(|(device, rendered)| {
            let target = self.inventory.devices.get(device)?.clone();
            Some((device.clone(), ObserveTarget { target, pack: self.packs.get(&rendered.pack)?.clone() }))
        });
        devices.collect()
    }

    /// Returns how devices are read, `concurrency` at the same time.
    pub fn reading(&self, concurrency: usize) -> Reading {
        Reading { pool: self.pool.clone(), concurrency }
    }

    /// Does `work` for each device, at most `concurrency` at the same time; tells `done` how many are done.
    pub(crate) async fn for_each<T, F>(
        &self,
        devices: BTreeMap<NodeName, ObserveTarget>,
        concurrency: usize,
        work: impl Fn(NodeName, ObserveTarget, Self) -> F,
        mut done: impl FnMut(usize),
    ) -> BTreeMap<NodeName, T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(concurrency.max(1)));
        let mut tasks = JoinSet::new();
        for (device, target) in devices {
            let (places, pool, bound_to) = (places.clone(), self.pool.clone(), target.target.clone());
            let work = work(device.clone(), target, self.clone());
            tasks.spawn(async move {
                let _bound = pool.place(&device, &bound_to).await;
                let _place = places.acquire_owned().await;
                (device, work.await)
            });
        }
        let mut results = BTreeMap::new();
        while let Some(ended) = tasks.join_next().await {
            // A task that panicked leaves no result; its device is told apart by its absence.
            if let Ok((device, result)) = ended {
                results.insert(device, result);
                done(results.len());
            }
        }
        results
    }
}
