// SPDX-License-Identifier: BSD-2-Clause
//! A small module for the host's tests, written against kpi.h as a C module would be: `pair`
//! interfaces carry frames over UDP port 7000 behind four bytes of header, "PAIR".
//!
//! The tunnel is set as on any tunnel interface; a private command gets and sets one number.

use std::ffi::{c_char, c_void};
use std::ptr;

use kpi_sys::{
    KPI_EADDRNOTAVAIL, KPI_EBUSY, KPI_EINVAL, KPI_ENCAP_PASS, KPI_ENCAP_STOLEN, KPI_ENOBUFS,
    KPI_ENOMEM, KPI_ENOTCONN, KPI_IFC_IN, KPI_IFC_OUT, KPI_IFS_OBYTES, KPI_IFS_OPACKETS,
    KPI_M_SLEEP, KPI_M_ZERO, KPI_PROTO_UDP, KPI_TUNNEL_GET, KPI_TUNNEL_SET, KPI_VERSION, kpi_encap,
    kpi_encap_rx, kpi_encapops, kpi_endpoint, kpi_ifclone, kpi_ifcloneops, kpi_ifcmd, kpi_ifnet,
    kpi_ifops, kpi_ifparams, kpi_mbuf, kpi_module, kpi_path, kpi_tunnel,
};

pub const PORT: u16 = 7000;
pub const GET: u32 = 0x4008_6901;
pub const SET: u32 = 0x8008_6902;
const MAGIC: [u8; 4] = *b"PAIR";

/// One interface; the tests change it from one thread only.
struct Softc {
    ifp: *mut kpi_ifnet,
    encap: *mut kpi_encap,
    path: *mut kpi_path,
    tunnel: kpi_tunnel,
    number: u64,
}

const NO_TUNNEL: kpi_tunnel = kpi_tunnel {
    kt_af: 0,
    kt_pad: 0,
    kt_src: [0; 16],
    kt_dst: [0; 16],
};

struct Cmds([kpi_ifcmd; 2]);
struct Sync2<T>(T);
// SAFETY: constant tables.
unsafe impl<T> Sync for Sync2<T> {}

static CMDS: Cmds = Cmds([
    kpi_ifcmd {
        kc_cmd: GET,
        kc_size: 8,
        kc_flags: KPI_IFC_OUT,
        kc_pad: 0,
    },
    kpi_ifcmd {
        kc_cmd: SET,
        kc_size: 8,
        kc_flags: KPI_IFC_IN,
        kc_pad: 0,
    },
]);
static IFOPS: Sync2<kpi_ifops> = Sync2(kpi_ifops {
    ifo_transmit: Some(transmit),
    ifo_ioctl: Some(ioctl),
    ifo_tunnel: Some(tunnel),
    ifo_set_mtu: Some(set_mtu),
    ifo_set_up: Some(set_up),
    ifo_cmds: CMDS.0.as_ptr(),
    ifo_ncmds: 2,
    ifo_pad: 0,
});
static ENCAPOPS: kpi_encapops = kpi_encapops {
    eo_input: Some(input),
};
static CLONEOPS: kpi_ifcloneops = kpi_ifcloneops {
    ico_create: Some(create),
    ico_destroy: Some(destroy),
};

pub static MODULE: Sync2Module = Sync2Module(module(KPI_VERSION, size_of::<kpi_module>() as u32));
pub static OLD: Sync2Module = Sync2Module(module(KPI_VERSION + 6, 48));
pub static ODD: Sync2Module = Sync2Module(module(KPI_VERSION, 32));

pub struct Sync2Module(pub kpi_module);
// SAFETY: constant.
unsafe impl Sync for Sync2Module {}

const fn module(version: u32, size: u32) -> kpi_module {
    kpi_module {
        km_version: version,
        km_size: size,
        km_name: c"pair".as_ptr(),
        km_namelen: 4,
        km_pad: 0,
        km_init: Some(init),
        km_fini: Some(fini),
    }
}

unsafe extern "C" fn init(statep: *mut *mut c_void) -> i32 {
    let mut error = 0;
    // SAFETY: the contract of kpi_ifclone_attach.
    let ifc = unsafe {
        kpi_sys::kpi_ifclone_attach(c"pair".as_ptr(), 4, &CLONEOPS, ptr::null_mut(), &mut error)
    };
    // SAFETY: the contract of km_init.
    unsafe { statep.write(ifc.cast()) };
    if ifc.is_null() { error } else { 0 }
}

unsafe extern "C" fn fini(state: *mut c_void) -> i32 {
    if BUSY.with(std::cell::Cell::get) {
        return KPI_EBUSY as i32;
    }
    // SAFETY: what init gave.
    unsafe { kpi_sys::kpi_ifclone_detach(state.cast::<kpi_ifclone>()) };
    0
}

thread_local! {
    /// Makes the module say that it is in use.
    pub static BUSY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

unsafe extern "C" fn create(_: *mut c_void, name: *const c_char, len: u32, unit: u32) -> i32 {
    // SAFETY: any size is allowed.
    let sc = unsafe { kpi_sys::kpi_alloc(size_of::<Softc>(), KPI_M_SLEEP | KPI_M_ZERO) };
    if sc.is_null() {
        return KPI_ENOMEM as i32;
    }
    let params = kpi_ifparams {
        kf_name: name,
        kf_namelen: len,
        kf_mtu: 1400,
        kf_unit: unit,
        kf_lladdr: [2, 0, 0, 0, 0, unit as u8],
        kf_pad: [0; 2],
    };
    let mut error = 0;
    // SAFETY: the contract of kpi_if_alloc.
    let ifp = unsafe { kpi_sys::kpi_if_alloc(&params, &mut error) };
    if ifp.is_null() {
        // SAFETY: allocated above.
        unsafe { kpi_sys::kpi_free(sc, size_of::<Softc>()) };
        return error;
    }
    let new = Softc {
        ifp,
        encap: ptr::null_mut(),
        path: ptr::null_mut(),
        tunnel: NO_TUNNEL,
        number: 0,
    };
    // SAFETY: room for one, aligned to 64.
    unsafe { sc.cast::<Softc>().write(new) };
    // SAFETY: the contract of kpi_if_attach.
    let error = unsafe { kpi_sys::kpi_if_attach(ifp, &IFOPS.0, sc) };
    if error != 0 {
        // SAFETY: never attached.
        unsafe { kpi_sys::kpi_if_free(ifp) };
        // SAFETY: allocated above.
        unsafe { kpi_sys::kpi_free(sc, size_of::<Softc>()) };
    }
    error
}

unsafe extern "C" fn destroy(_: *mut c_void, sc: *mut c_void) -> i32 {
    // SAFETY: what create attached.
    let softc = unsafe { &mut *sc.cast::<Softc>() };
    // SAFETY: attached.
    unsafe { kpi_sys::kpi_if_detach(softc.ifp) };
    disconnect(softc);
    // SAFETY: detached.
    unsafe { kpi_sys::kpi_if_free(softc.ifp) };
    // SAFETY: nobody uses it any more.
    unsafe { kpi_sys::kpi_free(sc, size_of::<Softc>()) };
    0
}

fn disconnect(softc: &mut Softc) {
    softc.tunnel.kt_af = 0;
    if !softc.path.is_null() {
        // SAFETY: open, and nobody sends: the tests have one thread.
        unsafe { kpi_sys::kpi_path_close(softc.path) };
        softc.path = ptr::null_mut();
    }
    if !softc.encap.is_null() {
        // SAFETY: open, and its path is closed.
        unsafe { kpi_sys::kpi_encap_close(softc.encap) };
        softc.encap = ptr::null_mut();
    }
    // SAFETY: alive.
    unsafe { kpi_sys::kpi_if_set_link(softc.ifp, 0) };
}

unsafe extern "C" fn tunnel(sc: *mut c_void, op: u32, t: *mut kpi_tunnel) -> i32 {
    // SAFETY: what create attached.
    let softc = unsafe { &mut *sc.cast::<Softc>() };
    // SAFETY: the contract of ifo_tunnel.
    let t = unsafe { &mut *t };
    if op == KPI_TUNNEL_GET {
        *t = softc.tunnel;
        return if t.kt_af == 0 {
            KPI_EADDRNOTAVAIL as i32
        } else {
            0
        };
    }
    disconnect(softc);
    if op != KPI_TUNNEL_SET {
        return 0;
    }
    let ep = kpi_endpoint {
        ke_af: t.kt_af,
        ke_proto: KPI_PROTO_UDP,
        ke_addr: t.kt_src,
        ke_port: PORT,
        ke_pad: [0; 3],
    };
    let mut error = 0;
    // SAFETY: the contract of kpi_encap_open.
    softc.encap = unsafe { kpi_sys::kpi_encap_open(&ep, &ENCAPOPS, sc, &mut error) };
    if softc.encap.is_null() {
        return error;
    }
    let dst = t.kt_dst.as_ptr();
    // SAFETY: the contract of kpi_path_open.
    softc.path = unsafe { kpi_sys::kpi_path_open(softc.encap, dst, PORT, 64, &mut error) };
    if softc.path.is_null() {
        disconnect(softc);
        return error;
    }
    softc.tunnel = *t;
    // SAFETY: alive.
    unsafe { kpi_sys::kpi_if_set_running(softc.ifp, 1) };
    // SAFETY: alive.
    unsafe { kpi_sys::kpi_if_set_link(softc.ifp, 1) };
    0
}

unsafe extern "C" fn transmit(sc: *mut c_void, m: *mut kpi_mbuf) -> i32 {
    // SAFETY: what create attached; only read here.
    let softc = unsafe { &*sc.cast::<Softc>() };
    if softc.path.is_null() {
        // SAFETY: ours.
        unsafe { kpi_sys::kpi_mbuf_free(m) };
        return KPI_ENOTCONN as i32;
    }
    // SAFETY: ours.
    let error = unsafe { kpi_sys::kpi_if_check_nesting(softc.ifp, m, 1) };
    if error != 0 {
        // SAFETY: still ours.
        unsafe { kpi_sys::kpi_mbuf_free(m) };
        return error;
    }
    // SAFETY: ours.
    let len = unsafe { kpi_sys::kpi_mbuf_len(m) };
    // SAFETY: ours.
    let m = unsafe { kpi_sys::kpi_mbuf_prepend(m, 4) };
    if m.is_null() {
        return KPI_ENOBUFS as i32;
    }
    let mut room = 0;
    // SAFETY: ours.
    let head = unsafe { kpi_sys::kpi_mbuf_head_mut(m, &mut room) };
    assert!(
        !head.is_null() && room >= 4,
        "what was prepended is writable"
    );
    // SAFETY: four bytes, just prepended.
    unsafe { head.cast::<[u8; 4]>().write(MAGIC) };
    // SAFETY: alive.
    unsafe { kpi_sys::kpi_if_count(softc.ifp, KPI_IFS_OPACKETS, 1) };
    // SAFETY: alive.
    unsafe { kpi_sys::kpi_if_count(softc.ifp, KPI_IFS_OBYTES, u64::from(len)) };
    // SAFETY: ours, and given up.
    unsafe { kpi_sys::kpi_path_output(softc.path, m) }
}

unsafe extern "C" fn input(
    sc: *mut c_void,
    mp: *mut *mut kpi_mbuf,
    rx: *const kpi_encap_rx,
) -> i32 {
    // SAFETY: what create attached.
    let softc = unsafe { &*sc.cast::<Softc>() };
    // SAFETY: the contract of eo_input.
    let m = unsafe { mp.read() };
    // SAFETY: the contract of eo_input.
    let rx = unsafe { rx.read() };
    let mut len = 0;
    // SAFETY: ours.
    let head = unsafe { kpi_sys::kpi_mbuf_head(m, &mut len) };
    // SAFETY: ours.
    let total = unsafe { kpi_sys::kpi_mbuf_len(m) };
    assert!(
        len >= total.min(rx.kr_off + 4),
        "the contract promises these in one piece"
    );
    // SAFETY: valid until m is passed on.
    let head = unsafe { std::slice::from_raw_parts(head, len as usize) };
    let off = rx.kr_off as usize;
    if rx.kr_dport != PORT || head.get(off..off + 4) != Some(&MAGIC) {
        return KPI_ENCAP_PASS as i32;
    }
    // SAFETY: ours, and long enough.
    unsafe { kpi_sys::kpi_mbuf_trim_front(m, rx.kr_off + 4) };
    // SAFETY: ours.
    unsafe { kpi_sys::kpi_mbuf_renew(m) };
    // SAFETY: ours, and given up.
    unsafe { kpi_sys::kpi_if_input(softc.ifp, m) };
    KPI_ENCAP_STOLEN as i32
}

unsafe extern "C" fn ioctl(sc: *mut c_void, cmd: u32, data: *mut u8, len: u32) -> i32 {
    // SAFETY: what create attached.
    let softc = unsafe { &mut *sc.cast::<Softc>() };
    assert_eq!(len, 8, "the kernel checks sizes");
    let data = data.cast::<[u8; 8]>();
    match cmd {
        // SAFETY: eight bytes.
        GET => unsafe { data.write(softc.number.to_ne_bytes()) },
        // SAFETY: eight bytes.
        SET => softc.number = u64::from_ne_bytes(unsafe { data.read() }),
        _ => unreachable!("the kernel refuses what is not in ifo_cmds"),
    }
    0
}

unsafe extern "C" fn set_mtu(_: *mut c_void, mtu: u32) -> i32 {
    if (68..=9000).contains(&mtu) {
        0
    } else {
        KPI_EINVAL as i32
    }
}

unsafe extern "C" fn set_up(_: *mut c_void, _: u32) -> i32 {
    0
}
