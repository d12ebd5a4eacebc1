// SPDX-License-Identifier: BSD-2-Clause
//! Two modules as small as can be: an interface that echoes, and one joined to an endpoint.

use std::ffi::c_void;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use host::errno::Errno;
use host::kernel::Kernel;
use kpi_sys::{
    KPI_AF_INET, KPI_AF_INET6, KPI_ENCAP_STOLEN, KPI_PROTO_L2TP, KPI_PROTO_UDP, kpi_encap,
    kpi_encap_close, kpi_encap_open, kpi_encap_rx, kpi_encapops, kpi_endpoint, kpi_if_alloc,
    kpi_if_attach, kpi_if_detach, kpi_if_free, kpi_if_input, kpi_ifnet, kpi_ifops, kpi_ifparams,
    kpi_mbuf, kpi_mbuf_free, kpi_mbuf_head_mut, kpi_mbuf_len, kpi_mbuf_prepend, kpi_mbuf_pullup,
    kpi_mbuf_trim_front, kpi_path, kpi_path_close, kpi_path_open, kpi_path_output,
};

/// What a tunnel puts before each frame.
const MARK: [u8; 4] = *b"mark";

/// What both modules know an interface by.
#[derive(Default)]
pub struct Softc {
    ifp: AtomicPtr<kpi_ifnet>,
    path: AtomicPtr<kpi_path>,
    /// Frames that the OS sent.
    pub out: AtomicU64,
    /// Packets that came in.
    pub into: AtomicU64,
    /// How often the threads that carry these have called the allocator.
    pub out_calls: AtomicU64,
    /// As above, inbound.
    pub in_calls: AtomicU64,
    /// What the last packet was said to come from.
    pub last: Mutex<Option<kpi_encap_rx>>,
    /// Bytes of packets that came in.
    pub lens: Mutex<Vec<u32>>,
}

unsafe fn softc<'a>(sc: *mut c_void) -> &'a Softc {
    // SAFETY: the tests pass a Softc that lives until all is closed.
    unsafe { &*sc.cast() }
}

unsafe extern "C" fn echo(sc: *mut c_void, m: *mut kpi_mbuf) -> i32 {
    // SAFETY: sc is what kpi_if_attach was given.
    let softc = unsafe { softc(sc) };
    softc.out.fetch_add(1, Ordering::Relaxed);
    // SAFETY: m is ours; an Ethernet frame has 14 bytes at least.
    let m = unsafe { kpi_mbuf_pullup(m, 14) };
    let mut len = 0;
    // SAFETY: m is ours.
    let head = unsafe { kpi_mbuf_head_mut(m, &mut len) };
    assert!(!head.is_null() && len >= 14);
    // SAFETY: len bytes, of a cluster that nobody shares.
    let head = unsafe { std::slice::from_raw_parts_mut(head, 14) };
    head[..12].rotate_left(6);
    // SAFETY: the interface is attached while it transmits.
    unsafe { kpi_if_input(softc.ifp.load(Ordering::Acquire), m) };
    0
}

unsafe extern "C" fn tunnel_out(sc: *mut c_void, m: *mut kpi_mbuf) -> i32 {
    // SAFETY: sc is what kpi_if_attach was given.
    let softc = unsafe { softc(sc) };
    softc.out.fetch_add(1, Ordering::Relaxed);
    softc.out_calls.store(crate::calls(), Ordering::Relaxed);
    // SAFETY: m is ours.
    let m = unsafe { kpi_mbuf_prepend(m, 4) };
    let mut len = 0;
    // SAFETY: m is ours.
    let head = unsafe { kpi_mbuf_head_mut(m, &mut len) };
    // SAFETY: four bytes, just made.
    let head = unsafe { std::slice::from_raw_parts_mut(head, 4) };
    head.copy_from_slice(&MARK);
    // SAFETY: the path is closed after the interface.
    unsafe { kpi_path_output(softc.path.load(Ordering::Acquire), m) }
}

unsafe extern "C" fn tunnel_in(
    sc: *mut c_void,
    mp: *mut *mut kpi_mbuf,
    rx: *const kpi_encap_rx,
) -> i32 {
    // SAFETY: sc is what kpi_encap_open was given.
    let softc = unsafe { softc(sc) };
    // SAFETY: the contract of eo_input.
    let rx = unsafe { *rx };
    // SAFETY: as above.
    let m = unsafe { *mp };
    // SAFETY: m is ours now, with the outer headers in front.
    unsafe { kpi_mbuf_trim_front(m, rx.kr_off) };
    // SAFETY: m is ours.
    let len = unsafe { kpi_mbuf_len(m) };
    softc.into.fetch_add(1, Ordering::Relaxed);
    softc.in_calls.store(crate::calls(), Ordering::Relaxed);
    *softc.last.lock().expect("no panic") = Some(rx);
    let ifp = softc.ifp.load(Ordering::Acquire);
    if ifp.is_null() {
        softc.lens.lock().expect("no panic").push(len);
        // SAFETY: m is ours.
        unsafe { kpi_mbuf_free(m) };
    } else {
        let mut head = 0;
        // SAFETY: m is ours.
        let bytes = unsafe { kpi_sys::kpi_mbuf_head(m, &mut head) };
        // SAFETY: so many bytes; the door promises four in one piece.
        assert_eq!(unsafe { std::slice::from_raw_parts(bytes, 4) }, MARK);
        // SAFETY: m is ours and has four bytes.
        unsafe { kpi_mbuf_trim_front(m, 4) };
        // SAFETY: the endpoint is closed before the interface is freed.
        unsafe { kpi_if_input(ifp, m) };
    }
    KPI_ENCAP_STOLEN as i32
}

unsafe extern "C" fn yes(_: *mut c_void, _: u32) -> i32 {
    0
}

struct Table(kpi_ifops);

// SAFETY: constant function pointers, and no commands.
unsafe impl Sync for Table {}

const fn table(transmit: unsafe extern "C" fn(*mut c_void, *mut kpi_mbuf) -> i32) -> Table {
    Table(kpi_ifops {
        ifo_transmit: Some(transmit),
        ifo_ioctl: None,
        ifo_tunnel: None,
        ifo_set_mtu: Some(yes),
        ifo_set_up: Some(yes),
        ifo_cmds: ptr::null(),
        ifo_ncmds: 0,
        ifo_pad: 0,
    })
}

static ECHO: Table = table(echo);
static TUNNEL: Table = table(tunnel_out);
static INPUT: kpi_encapops = kpi_encapops {
    eo_input: Some(tunnel_in),
};

/// An interface, maybe joined to an endpoint, and what is to be closed in the end.
pub struct Test {
    kernel: Kernel,
    /// Its counters.
    pub softc: &'static Softc,
    ifp: *mut kpi_ifnet,
    encap: *mut kpi_encap,
    path: *mut kpi_path,
}

/// An address of the test network.
pub fn address(v6: bool, number: u8) -> [u8; 16] {
    let mut addr = [0; 16];
    if v6 {
        addr[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        addr[15] = number;
    } else {
        addr[..4].copy_from_slice(&[192, 0, 2, number]);
    }
    addr
}

/// An endpoint at `addr`.
pub fn endpoint(v6: bool, udp: bool, addr: [u8; 16]) -> kpi_endpoint {
    kpi_endpoint {
        ke_af: if v6 { KPI_AF_INET6 } else { KPI_AF_INET },
        ke_proto: if udp { KPI_PROTO_UDP } else { KPI_PROTO_L2TP },
        ke_addr: addr,
        ke_port: if udp { 1701 } else { 0 },
        ke_pad: [0; 3],
    }
}

impl Test {
    /// Nothing open yet.
    pub fn new(kernel: &Kernel) -> Test {
        Test {
            kernel: kernel.clone(),
            // Never freed: a test that fails leaves threads behind that use it.
            softc: Box::leak(Box::default()),
            ifp: ptr::null_mut(),
            encap: ptr::null_mut(),
            path: ptr::null_mut(),
        }
    }

    fn sc(&self) -> *mut c_void {
        ptr::from_ref::<Softc>(self.softc).cast_mut().cast()
    }

    /// Attach an interface; it echoes unless it is to be part of a tunnel.
    pub fn attach(&mut self, name: &str, mtu: u32, tunnel: bool) -> Result<(), Errno> {
        let p = kpi_ifparams {
            kf_name: name.as_ptr().cast(),
            kf_namelen: name.len() as u32,
            kf_mtu: mtu,
            kf_unit: 0,
            kf_lladdr: [2, 0, 0, 0, 0x12, 0x34],
            kf_pad: [0; 2],
        };
        let ops = if tunnel { &TUNNEL } else { &ECHO };
        let kernel = self.kernel.clone();
        kernel.enter(|| {
            let mut error = 0;
            // SAFETY: the contract.
            self.ifp = unsafe { kpi_if_alloc(&p, &mut error) };
            Errno::check(error)?;
            self.softc.ifp.store(self.ifp, Ordering::Release);
            // SAFETY: the table is static, the softc is never freed.
            if let Err(e) = Errno::check(unsafe { kpi_if_attach(self.ifp, &ops.0, self.sc()) }) {
                // SAFETY: it was never attached.
                unsafe { kpi_if_free(self.ifp) };
                self.ifp = ptr::null_mut();
                return Err(e);
            }
            Ok(())
        })
    }

    /// Open an endpoint at side `from`, and a path to side `to`.
    pub fn open(&mut self, v6: bool, udp: bool, from: u8, to: u8) -> Result<(), Errno> {
        let ep = endpoint(v6, udp, address(v6, from));
        self.open_at(&ep)?;
        let kernel = self.kernel.clone();
        kernel.enter(|| {
            let (mut error, dst) = (0, address(v6, to));
            let port = if udp { 1701 } else { 0 };
            // SAFETY: the contract; the endpoint is open.
            self.path = unsafe { kpi_path_open(self.encap, dst.as_ptr(), port, 33, &mut error) };
            Errno::check(error)
        })?;
        self.softc.path.store(self.path, Ordering::Release);
        Ok(())
    }

    /// Open an endpoint.
    pub fn open_at(&mut self, ep: &kpi_endpoint) -> Result<(), Errno> {
        let kernel = self.kernel.clone();
        kernel.enter(|| {
            let mut error = 0;
            // SAFETY: the table is static, the softc is never freed.
            self.encap = unsafe { kpi_encap_open(ep, &INPUT, self.sc(), &mut error) };
            Errno::check(error)
        })
    }

    /// Send a packet on the path.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        self.kernel.enter(|| {
            let m = host::mbuf::Mbuf::from_bytes(bytes).ok_or(Errno::ENOBUFS)?;
            // SAFETY: the path is open.
            Errno::check(unsafe { kpi_path_output(self.path, m.into_raw()) })
        })
    }

    /// The link state changes.
    pub fn set_link(&self, up: bool) {
        // SAFETY: attached.
        self.kernel
            .enter(|| unsafe { kpi_sys::kpi_if_set_link(self.ifp, u32::from(up)) });
    }

    /// Close what is open.
    pub fn close(self) {
        self.kernel.enter(|| {
            if !self.ifp.is_null() {
                // SAFETY: attached.
                unsafe { kpi_if_detach(self.ifp) };
            }
            if !self.path.is_null() {
                // SAFETY: open, and nobody sends any more.
                unsafe { kpi_path_close(self.path) };
            }
            if !self.encap.is_null() {
                // SAFETY: open, without paths.
                unsafe { kpi_encap_close(self.encap) };
            }
            if !self.ifp.is_null() {
                // SAFETY: detached, and nothing comes in any more.
                unsafe { kpi_if_free(self.ifp) };
            }
        });
    }
}
