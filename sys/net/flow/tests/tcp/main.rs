// SPDX-License-Identifier: BSD-2-Clause
//! The tracker against a simple reference, honest ends, and a liar who does not see the packets.

mod ends;
mod reference;

use ends::World;
use flow::tcp::End;
use flow::tcp::Outcome;
use flow::tcp::Phase;
use flow::tcp::Seg;
use flow::tcp::Track;
use flow::tcp::Why;
use flow::tcp::flag::ACK;
use flow::tcp::flag::FIN;
use flow::tcp::flag::PSH;
use flow::tcp::flag::RST;
use flow::tcp::flag::SYN;
use proptest::prelude::*;
use reference::Reference;
use testkit::Noise;

const ENDS: [End; 2] = [End::First, End::Second];

/// A segment like this one, but not quite.
fn twisted(noise: &mut Noise, seg: &Seg) -> Seg {
    const STEPS: [u32; 9] = [
        1,
        2,
        100,
        1460,
        60_000,
        65_535,
        65_536,
        1 << 20,
        (1 << 31) - 9,
    ];
    let mut seg = *seg;
    for _ in 0..1 + noise.below(2) {
        let by = STEPS[noise.below(STEPS.len())];
        let by = if noise.below(2) == 0 {
            by
        } else {
            by.wrapping_neg()
        };
        match noise.below(8) {
            0 | 1 => seg.seq = seg.seq.wrapping_add(by),
            2 | 3 => seg.ack = seg.ack.wrapping_add(by),
            4 => seg.flags = [SYN, SYN | ACK, RST, RST | ACK, FIN | ACK, ACK][noise.below(6)],
            5 => seg.flags ^= 1 << noise.below(6),
            6 => seg.win = noise.word() as u16,
            _ => seg.len = [0, 1, 1460, 65_000][noise.below(4)],
        }
    }
    seg
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Honest segments and twisted ones: the tracker says of each what the history says.
    #[test]
    fn it_judges_as_the_history_does(seed: u64, lies in 0usize..30, steps in 10usize..600) {
        let mut world = World::new(seed, [10, 10, 30]);
        let (track, mut history) = (Track::default(), Reference::default());
        let mut noise = Noise::new(seed ^ 7);
        let mut over = false;
        let mut both = |from, seg: &Seg| {
            if over {
                return false;
            }
            let (was, expected) = (track.export(), history.segment(from, seg));
            let got = track.segment(from, seg, false);
            assert_eq!(got, expected, "{from:?} {seg:?}");
            if !matches!(got, Outcome::Ok { .. }) {
                assert_eq!(was, track.export(), "a change by what does not belong");
            }
            assert_eq!(track.phase(), history.phase());
            // A reset, or both are done: there the history ends.
            over = history.phase() == Phase::Closed;
            matches!(got, Outcome::Ok { .. })
        };
        for _ in 0..steps {
            world.step(&mut |from, seg| {
                let mut goes_on = true;
                if noise.below(100) < lies {
                    let other = ENDS[noise.below(2)];
                    both(other, &twisted(&mut noise, seg));
                } else {
                    goes_on = both(from, seg);
                }
                goes_on
            });
        }
    }

    /// Whatever the network does, two ends that keep to the rules come to their end through us.
    #[test]
    fn honest_ends_finish(seed: u64, bad in 0usize..40, steps in 0usize..1500) {
        let mut world = World::new(seed, [bad / 2, bad / 2, bad]);
        let track = Track::default();
        let mut middle = |from, seg: &Seg| {
            matches!(track.segment(from, seg, false), Outcome::Ok { .. })
        };
        (0..steps).for_each(|_| world.step(&mut middle));
        assert!(world.finish(&mut middle), "stuck in {:?}", track.phase());
        assert_eq!(track.phase(), Phase::Closed);
    }

    /// And where nothing is lost or overtaken, not one of their segments is refused.
    #[test]
    fn in_order_nothing_is_refused(seed: u64, steps in 0usize..1500) {
        let mut world = World::new(seed, [0; 3]);
        let track = Track::default();
        let mut middle = |from, seg: &Seg| {
            let got = track.segment(from, seg, false);
            assert!(matches!(got, Outcome::Ok { .. }), "{from:?} {seg:?}: {got:?}");
            true
        };
        (0..steps).for_each(|_| world.step(&mut middle));
        assert!(world.finish(&mut middle));
        assert_eq!(track.phase(), Phase::Closed);
    }

    /// Who does not see the packets guesses: resets and SYNs all over the window end nothing.
    #[test]
    fn a_blind_liar_ends_nothing(seed: u64, steps in 100usize..1200) {
        let mut world = World::new(seed, [5, 5, 10]);
        let track = Track::default();
        let mut noise = Noise::new(!seed);
        let mut middle = |from, seg: &Seg| {
            let ok = matches!(track.segment(from, seg, false), Outcome::Ok { .. });
            let phase = track.phase();
            if phase > Phase::First && phase < Phase::Closed {
                for liar in ENDS {
                    let Some((expected, ack)) = track.bare(liar) else { continue };
                    // Within the window, but not the number, nor what is under way.
                    let seq = expected.wrapping_add(noise.word() as u32 % 100_000 + 1);
                    let flags = [RST, RST | ACK, SYN, SYN | ACK, 0, PSH, FIN, SYN | FIN];
                    let flags = flags[noise.below(8)];
                    let lie = Seg { seq, ack, len: 0, win: 100, flags, wscale: None };
                    let was = track.export();
                    let got = track.segment(liar, &lie, false);
                    let guessed = track.under_way(liar, seq) || matches!(got, Outcome::Ok { .. });
                    if !guessed {
                        let why = match flags {
                            RST | 20 => Why::Reset,
                            2 | 18 => Why::Syn,
                            _ => Why::Flags,
                        };
                        assert!(
                            got == Outcome::Bad(why) || why == Why::Syn && got == Outcome::Bad(Why::Ack),
                            "{lie:?}: {got:?}"
                        );
                    }
                    track.import(was);
                }
            }
            ok
        };
        (0..steps).for_each(|_| world.step(&mut middle));
        assert!(world.finish(&mut middle));
    }
}

fn seg(seq: u32, ack: u32, len: u32, flags: u8) -> Seg {
    Seg {
        seq,
        ack,
        len,
        win: 1000,
        flags,
        wscale: None,
    }
}

/// First's numbers begin at 100, Second's at 900.
fn open() -> Track {
    let t = Track::default();
    let ok = |from, seg: &Seg, phase| {
        let expected = Outcome::Ok {
            phase,
            changed: phase != Phase::First,
        };
        assert_eq!(t.segment(from, seg, false), expected);
    };
    ok(End::First, &seg(100, 0, 0, SYN), Phase::First);
    ok(End::Second, &seg(900, 101, 0, SYN | ACK), Phase::Opening);
    ok(End::First, &seg(101, 901, 0, ACK), Phase::Established);
    t
}

fn phase_after(t: &Track, from: End, seg: Seg) -> Phase {
    match t.segment(from, &seg, false) {
        Outcome::Ok { phase, .. } => phase,
        other => panic!("{from:?} {seg:?}: {other:?}"),
    }
}

#[test]
fn it_is_32_bytes() {
    assert_eq!(size_of::<Track>(), 32);
}

/// RFC 5961, section 3: the very number, and nothing else in the window.
#[test]
fn a_reset_needs_the_expected_number() {
    let t = open();
    for seq in [100, 102, 500, 1100, 1101, 5000, 0] {
        let rst = seg(seq, 0, 0, RST);
        assert_eq!(t.segment(End::First, &rst, false), Outcome::Bad(Why::Reset));
    }
    assert_eq!(t.phase(), Phase::Established);
    phase_after(&t, End::First, seg(101, 901, 50, ACK));
    // What Second has acknowledged, or what First has sent; both are what Second may expect.
    let (a, b) = (Track::default(), Track::default());
    a.import(t.export());
    b.import(t.export());
    assert_eq!(
        phase_after(&a, End::First, seg(101, 0, 0, RST)),
        Phase::Closed
    );
    assert_eq!(
        phase_after(&b, End::First, seg(151, 0, 0, RST)),
        Phase::Closed
    );
    assert_eq!(
        t.segment(End::First, &seg(120, 0, 0, RST), false),
        Outcome::Bad(Why::Reset)
    );
}

/// RFC 5961, section 4.
#[test]
fn a_syn_never_ends_a_connection() {
    let t = open();
    phase_after(&t, End::First, seg(101, 901, 50, ACK));
    for from in ENDS {
        for seq in [0, 100, 151, 200, 901, 1000] {
            for flags in [SYN, SYN | ACK] {
                let got = t.segment(from, &seg(seq, 901, 0, flags), false);
                assert!(matches!(got, Outcome::Bad(Why::Syn)), "{got:?}");
            }
        }
    }
    // Only when it is over.
    phase_after(&t, End::Second, seg(901, 151, 0, RST));
    assert_eq!(
        t.segment(End::First, &seg(7, 0, 0, SYN), false),
        Outcome::Reopen
    );
}

#[test]
fn a_new_try_that_nobody_answered_is_a_new_connection() {
    let t = Track::default();
    phase_after(&t, End::First, seg(100, 0, 0, SYN));
    assert_eq!(
        phase_after(&t, End::First, seg(100, 0, 0, SYN)),
        Phase::First
    );
    assert_eq!(
        t.segment(End::First, &seg(5100, 0, 0, SYN), false),
        Outcome::Reopen
    );
    assert_eq!(
        t.segment(End::First, &seg(101, 1, 0, ACK), false),
        Outcome::Bad(Why::Ack)
    );
    assert_eq!(
        t.segment(End::Second, &seg(0, 102, 0, RST | ACK), false),
        Outcome::Bad(Why::Reset)
    );
    assert_eq!(
        phase_after(&t, End::Second, seg(0, 101, 0, RST | ACK)),
        Phase::Closed
    );
}

/// RFC 5382 REQ-2 b: both send SYN before either has seen the other's.
#[test]
fn both_may_open_at_once() {
    let t = Track::default();
    assert_eq!(
        phase_after(&t, End::First, seg(100, 0, 0, SYN)),
        Phase::First
    );
    assert_eq!(
        phase_after(&t, End::Second, seg(900, 0, 0, SYN)),
        Phase::Opening
    );
    assert_eq!(
        phase_after(&t, End::First, seg(100, 901, 0, SYN | ACK)),
        Phase::Opening
    );
    assert_eq!(
        phase_after(&t, End::Second, seg(900, 101, 0, SYN | ACK)),
        Phase::Established
    );
    assert_eq!(
        phase_after(&t, End::First, seg(101, 901, 9, ACK)),
        Phase::Established
    );
}

#[test]
fn half_closed_ends_go_on_and_close() {
    let t = open();
    assert_eq!(
        phase_after(&t, End::First, seg(101, 901, 0, FIN | ACK)),
        Phase::Closing
    );
    assert_eq!(
        phase_after(&t, End::Second, seg(901, 102, 500, ACK)),
        Phase::Closing
    );
    assert_eq!(
        t.segment(End::First, &seg(102, 1401, 1, ACK), false),
        Outcome::Bad(Why::Seq),
        "nothing follows a FIN"
    );
    assert_eq!(
        phase_after(&t, End::First, seg(102, 1401, 0, ACK)),
        Phase::Closing
    );
    assert_eq!(
        phase_after(&t, End::Second, seg(1401, 102, 0, FIN | ACK)),
        Phase::FinWait
    );
    assert_eq!(
        phase_after(&t, End::First, seg(102, 1402, 0, ACK)),
        Phase::Closed
    );
}

#[test]
fn a_fin_may_come_after_what_follows_it() {
    let t = open();
    // The FIN is lost on its way to us; what its sender acknowledges next is numbered behind it.
    phase_after(&t, End::First, seg(102, 901, 0, ACK));
    let fin = seg(101, 901, 0, FIN | ACK);
    assert_eq!(phase_after(&t, End::First, fin), Phase::Closing);
}

#[test]
fn half_round_the_circle_is_not_in_the_window() {
    let t = open();
    for seq in [0x8000_0000u32 - 9, 0x8000_0000, 0x8000_0000 + 9] {
        let data = seg(seq.wrapping_add(101), 901, 65_000, ACK);
        assert_eq!(t.segment(End::First, &data, false), Outcome::Bad(Why::Seq));
    }
}

#[test]
fn only_the_loose_pick_up_in_the_midst() {
    let t = Track::default();
    let middle = seg(u32::MAX, 7, 10, ACK);
    assert_eq!(
        t.segment(End::First, &middle, false),
        Outcome::Bad(Why::NotSyn)
    );
    for flags in [RST, RST | ACK, FIN | ACK, SYN | ACK] {
        assert_eq!(
            t.segment(End::First, &seg(1, 1, 0, flags), true),
            Outcome::Bad(Why::NotSyn)
        );
    }
    let ok = Outcome::Ok {
        phase: Phase::Established,
        changed: true,
    };
    assert_eq!(t.segment(End::First, &middle, true), ok);
    assert_eq!(
        phase_after(&t, End::Second, seg(7, 9, 60_000, ACK)),
        Phase::Established
    );
    assert_eq!(t.bare(End::First), Some((9, 7)));
    assert_eq!(
        t.segment(End::Second, &seg(8, 0, 0, RST), true),
        Outcome::Bad(Why::Reset)
    );
    assert_eq!(
        phase_after(&t, End::Second, seg(60_007, 0, 0, RST)),
        Phase::Closed
    );
}

/// Two CPUs at once: nothing that either has seen is lost.
#[test]
fn segments_at_once_are_both_noted() {
    for round in 0..200u32 {
        let t = open();
        std::thread::scope(|s| {
            for half in 0..2 {
                let t = &t;
                s.spawn(move || {
                    for i in 0..50 {
                        let n = (i * 2 + (half ^ (round % 2))) * 10;
                        let data = seg(101 + n, 901, 10, ACK);
                        assert!(matches!(
                            t.segment(End::First, &data, false),
                            Outcome::Ok { .. }
                        ));
                    }
                });
            }
        });
        assert_eq!(t.bare(End::First), Some((101, 901)));
        // All 1,000 bytes: the acknowledgment of the last one is no lie.
        assert_eq!(
            phase_after(&t, End::Second, seg(901, 1101, 0, ACK)),
            Phase::Established
        );
        assert_eq!(
            t.segment(End::Second, &seg(901, 1102, 0, ACK), false),
            Outcome::Bad(Why::Ack)
        );
    }
}
