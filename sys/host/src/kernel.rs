// SPDX-License-Identifier: BSD-2-Clause
//! The kernel: modules, interfaces and statistics behind one handle.
//!
//! *Contexts*: thread, except [`Kernel::if_output`] which is the stack's softint. *Locking*: the
//! list of modules has a mutex that is held while a module starts or ends; all else is in the
//! tables.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, Weak};

use kpi_sys::{KPI_VERSION, kpi_ifcmd, kpi_module, kpi_tunnel};

use crate::callout::Timers;
use crate::cdev::Cdevs;
use crate::clock::ClockKind;
use crate::clone::Cloners;
use crate::collect::TestIf;
use crate::die::string;
use crate::door::{Doors, IfDoor};
use crate::errno::Errno;
use crate::event::Event;
use crate::home::{self, Home};
use crate::iflog::Iflogs;
use crate::ifnet::{IfInfo, IfTable, Ifnet};
use crate::inline::Pair;
use crate::kstat::Kstats;
use crate::ledger::{Fault, Faults, Leaks, Split};
use crate::mbuf::Mbuf;
use crate::pfil::Pfils;
use crate::sync::lock;
use crate::wire::WireNet;

/// How a kernel is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name, for messages and threads.
    pub name: String,
    /// Its clock.
    pub clock: ClockKind,
    /// What its randomness starts from; 0: the OS's.
    pub seed: u64,
    /// Checks and faults.
    pub faults: Faults,
    /// Its doors.
    pub doors: Doors,
}

impl Config {
    /// For a test: virtual clock, seeded, checks on, joined to `net`.
    pub fn test(name: &str, net: &WireNet) -> Config {
        Config {
            name: name.to_owned(),
            clock: ClockKind::Virtual,
            seed: 1,
            faults: Faults::default(),
            doors: Doors::Wires(net.clone()),
        }
    }
}

/// Why a module was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Built for another kpi.
    Version {
        /// The module's name.
        name: String,
        /// `KPI_VERSION` of the module.
        module: u32,
        /// `KPI_VERSION` of this kernel.
        kernel: u32,
    },
    /// Built with another `struct kpi_module`.
    Size {
        /// The module's name, where it could be read.
        name: String,
        /// Bytes of the module's.
        module: u32,
        /// Bytes of this kernel's.
        kernel: u32,
    },
    /// It, or another one of its name, is loaded already.
    Loaded(String),
    /// It has no start or no end.
    Incomplete(String),
    /// Its start failed.
    Init(String, Errno),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Version {
                name,
                module,
                kernel,
            } => write!(
                f,
                "{name}: built for kpi version {module}, this kernel has {kernel}; rebuild it"
            ),
            LoadError::Size {
                name,
                module,
                kernel,
            } => write!(
                f,
                "{name}: its struct kpi_module has {module} bytes, this kernel's {kernel}; rebuild it"
            ),
            LoadError::Loaded(name) => write!(f, "{name}: already loaded; unload it first"),
            LoadError::Incomplete(name) => write!(f, "{name}: has no km_init or no km_fini"),
            LoadError::Init(name, e) => write!(f, "{name}: cannot start: {e}"),
        }
    }
}

impl std::error::Error for LoadError {}

struct Loaded {
    name: String,
    state: *mut c_void,
    fini: unsafe extern "C" fn(*mut c_void) -> i32,
}

// SAFETY: km_fini may be called by any thread in thread context; we only pass state on.
unsafe impl Send for Loaded {}

/// What a kernel consists of; `kpi_*` functions reach it through the handles of their tables.
pub(crate) struct Inner {
    pub(crate) home: Arc<Home>,
    pub(crate) timers: Arc<Timers>,
    pub(crate) ifs: Arc<IfTable>,
    pub(crate) cloners: Arc<Cloners>,
    pub(crate) kstats: Arc<Kstats>,
    pub(crate) pfils: Arc<Pfils>,
    pub(crate) cdevs: Arc<Cdevs>,
    pub(crate) iflogs: Arc<Iflogs>,
    /// Interfaces of tests, see `pfiltest`.
    pub(crate) tested: Mutex<HashMap<String, Arc<TestIf>>>,
    pub(crate) doors: Doors,
    /// Inline pairs, see `pairs`.
    pub(crate) pairs: Mutex<Vec<Arc<Pair>>>,
    modules: Mutex<Vec<Loaded>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.timers.stop();
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Kernels in the process: passive references are counted for all of them together.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A handle of a kernel.
#[derive(Clone)]
pub struct Kernel(pub(crate) Arc<Inner>);

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernel({})", self.0.home.name)
    }
}

impl Kernel {
    /// A kernel without modules.
    pub fn new(cfg: Config) -> Kernel {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        let home = home::new(&cfg.name, cfg.clock, cfg.seed, &cfg.faults);
        let pfils = Pfils::new(Arc::clone(&home));
        let ifs = IfTable::new(Arc::clone(&home), cfg.doors.clone(), Arc::clone(&pfils));
        let inner = Arc::new(Inner {
            timers: Timers::new(Arc::clone(&home)),
            cloners: Cloners::new(Arc::clone(&home), Arc::clone(&ifs)),
            kstats: Kstats::new(Arc::clone(&home)),
            pfils,
            cdevs: Cdevs::new(Arc::clone(&home)),
            iflogs: Iflogs::new(Arc::clone(&home)),
            tested: Mutex::default(),
            ifs,
            doors: cfg.doors,
            pairs: Mutex::default(),
            modules: Mutex::default(),
            home,
        });
        let upward: Arc<dyn Any + Send + Sync> = Arc::clone(&inner) as _;
        inner.home.kernel.get_or_init(|| Arc::downgrade(&upward));
        Kernel(inner)
    }

    /// The kernel that this thread is in.
    pub fn current() -> Option<Kernel> {
        let upward = Home::with_current(|home| home?.kernel.get().and_then(Weak::upgrade))?;
        upward.downcast::<Inner>().ok().map(Kernel)
    }

    /// Run `f` in this kernel; nests.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.home.enter(f)
    }

    /// Its common part: name, ledger, clock, log, events.
    pub fn home(&self) -> &Arc<Home> {
        &self.0.home
    }

    /// Load a module: version and size are compared first, then it starts.
    pub fn load(&self, m: &'static kpi_module) -> Result<(), LoadError> {
        let kernel = size_of::<kpi_module>() as u32;
        // Version and size stand first in every version; the rest is read when they agree.
        if m.km_version != KPI_VERSION {
            let (name, module) = ("module".to_owned(), m.km_version);
            return Err(LoadError::Version {
                name,
                module,
                kernel: KPI_VERSION,
            });
        }
        if m.km_size != kernel {
            let (name, module) = ("module".to_owned(), m.km_size);
            return Err(LoadError::Size {
                name,
                module,
                kernel,
            });
        }
        // SAFETY: a module's name is a static string; version and size say that it is there.
        let name = unsafe { string(m.km_name, m.km_namelen) };
        let (Some(init), Some(fini)) = (m.km_init, m.km_fini) else {
            return Err(LoadError::Incomplete(name));
        };
        let mut modules = lock(&self.0.modules);
        if modules.iter().any(|loaded| loaded.name == name) {
            return Err(LoadError::Loaded(name));
        }
        let mut state = std::ptr::null_mut();
        // SAFETY: the contract of km_init.
        let ret = self.enter(|| unsafe { init(&mut state) });
        Errno::check(ret).map_err(|e| LoadError::Init(name.clone(), e))?;
        modules.push(Loaded { name, state, fini });
        Ok(())
    }

    /// Unload a module: `ENOENT`; or what it says, and then it is still loaded (`EBUSY`).
    pub fn unload(&self, name: &str) -> Result<(), Errno> {
        let mut modules = lock(&self.0.modules);
        let at = modules
            .iter()
            .position(|m| m.name == name)
            .ok_or(Errno::ENOENT)?;
        let (fini, state) = (modules[at].fini, modules[at].state);
        // SAFETY: the contract of km_fini: state is what km_init gave, and on 0 it is gone.
        Errno::check(self.enter(|| unsafe { fini(state) }))?;
        modules.remove(at);
        Ok(())
    }

    /// The modules loaded, the oldest first.
    pub fn modules(&self) -> Vec<String> {
        lock(&self.0.modules)
            .iter()
            .map(|m| m.name.clone())
            .collect()
    }

    /// Create an interface: "l2tp" picks the lowest free unit, "l2tp7" that one.
    pub fn clone_create(&self, name: &str) -> Result<String, Errno> {
        self.0.cloners.create(name)
    }

    /// Destroy an interface that was created so.
    pub fn clone_destroy(&self, name: &str) -> Result<(), Errno> {
        self.0.cloners.destroy(name)
    }

    /// What can be created.
    pub fn cloners(&self) -> Vec<String> {
        self.0.cloners.names()
    }

    /// All interfaces, by index.
    pub fn ifnets(&self) -> Vec<IfInfo> {
        let attached = self.0.ifs.all();
        let attached = attached.iter().map(|ifp| ifp.info());
        let pairs = lock(&self.0.pairs).clone();
        let mut all: Vec<_> = attached.chain(pairs.iter().map(|p| p.info())).collect();
        all.sort_by_key(|info| info.index);
        all
    }

    /// The inline pair whose tap has this name.
    pub(crate) fn pair(&self, name: &str) -> Option<Arc<Pair>> {
        let pairs = lock(&self.0.pairs);
        pairs.iter().find(|p| p.port().name() == name).cloned()
    }

    fn find(&self, name: &str) -> Result<Arc<Ifnet>, Errno> {
        self.0.ifs.find(name).ok_or(Errno::ENXIO)
    }

    /// What is known about one interface; `ENXIO`: there is none such.
    pub fn ifnet(&self, name: &str) -> Result<IfInfo, Errno> {
        match self.pair(name) {
            Some(pair) => Ok(pair.info()),
            None => self.find(name).map(|ifp| ifp.info()),
        }
    }

    /// The private commands that an interface takes, with the privilege each needs.
    pub fn if_commands(&self, name: &str) -> Result<Vec<kpi_ifcmd>, Errno> {
        self.find(name).map(|ifp| ifp.port.commands())
    }

    /// A private command: `ENOTTY` unknown, `EINVAL` wrong size. Privilege is the caller's to check.
    pub fn if_ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result<(), Errno> {
        self.find(name)?.port.ioctl(cmd, data)
    }

    /// Get, set or delete a tunnel.
    pub fn if_tunnel(&self, name: &str, op: u32, t: &mut kpi_tunnel) -> Result<(), Errno> {
        self.find(name)?.port.tunnel(op, t)
    }

    /// Change the MTU.
    pub fn if_set_mtu(&self, name: &str, mtu: u32) -> Result<(), Errno> {
        match self.pair(name) {
            Some(pair) => pair.set_mtu(mtu),
            None => self.find(name)?.set_mtu(mtu),
        }
    }

    /// Set an interface up or down.
    pub fn if_set_up(&self, name: &str, up: bool) -> Result<(), Errno> {
        match self.pair(name) {
            Some(pair) => pair.set_up(up),
            None => self.find(name)?.set_up(up),
        }
    }

    /// Give an interface another name.
    pub fn if_rename(&self, name: &str, to: &str) -> Result<(), Errno> {
        match self.pair(name) {
            Some(pair) => pair.rename(to),
            None => self.find(name)?.rename(to),
        }
    }

    /// The stack sends a frame on an interface: `ENETDOWN` when it is down, else what the module
    /// says.
    pub fn if_output(&self, name: &str, frame: &[u8]) -> Result<(), Errno> {
        let ifp = self.find(name)?;
        if !ifp.port.is_up() {
            return Err(Errno::ENETDOWN);
        }
        let m = self
            .enter(|| Mbuf::from_bytes(frame))
            .ok_or(Errno::ENOBUFS)?;
        ifp.port.transmit(m)
    }

    /// The frames that a module put up on an interface since the last call; none where the door
    /// is the OS's.
    pub fn if_received(&self, name: &str) -> Vec<Vec<u8>> {
        let Some(ifp) = self.0.ifs.find(name) else {
            return Vec::new();
        };
        match ifp.door() {
            Some(IfDoor::Queue(queue)) => queue.take(),
            _ => Vec::new(),
        }
    }

    /// The names of what kstat(8) can read.
    pub fn kstat_names(&self) -> Vec<String> {
        self.0.kstats.names()
    }

    /// Records of `name` from `cursor` on: their bytes, 0 at the end; `ENOENT`.
    pub fn kstat_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.0.kstats.read(name, cursor, buf)
    }

    /// What happens to interfaces from now on.
    pub fn events(&self) -> Receiver<Event> {
        self.0.home.events.subscribe()
    }

    /// Move the virtual clock on, running callouts that become due.
    pub fn advance(&self, ns: u64) {
        self.0.timers.advance(ns);
    }

    /// When the next callout is due, in nanoseconds of the kernel's clock.
    pub fn next_due(&self) -> Option<u64> {
        self.0.timers.next_due()
    }

    /// The last lines of the log: level and text.
    pub fn log_lines(&self) -> Vec<(u32, String)> {
        self.0.home.log.lines()
    }

    /// Set checks and faults anew.
    pub fn set_faults(&self, faults: &Faults) {
        self.0.home.ledger.set_faults(faults);
    }

    /// How doors cut what they deliver from now on.
    pub fn set_split(&self, split: Split) {
        self.0.home.ledger.set_split(split);
    }

    /// Let the `n`th allocation from now fail, once; 0: none.
    pub fn fail_nth(&self, fault: Fault, n: u64) {
        self.0.home.ledger.fail(fault, n);
    }

    /// Whether that failure is still to come.
    pub fn fail_pending(&self, fault: Fault) -> bool {
        self.0.home.ledger.fail_pending(fault)
    }

    /// Unload all modules, the youngest first, and say what was not given back.
    ///
    /// Passive references are counted for the whole process; they are reported when this is its
    /// only kernel.
    pub fn shutdown(self) -> Result<(), Leaks> {
        let mut leaks = Leaks::default();
        for name in self.modules().iter().rev() {
            if let Err(e) = self.unload(name) {
                leaks.note(&format!("module {name} ({e})"), 1);
            }
        }
        // What went through them went through the modules.
        lock(&self.0.pairs).clear();
        self.0.timers.stop();
        leaks.0.extend(self.0.home.ledger.leaks().0);
        if ALIVE.load(Ordering::Relaxed) == 1 {
            leaks.note("passive references", psref::held() as i64);
        }
        if leaks.is_empty() { Ok(()) } else { Err(leaks) }
    }
}
