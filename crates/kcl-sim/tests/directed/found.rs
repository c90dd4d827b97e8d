//! What drawn runs have found, as the shrinker left it. They hang on the order of the draws, and so each says little once
//! the code has changed; the rule that came of it has a test of its own beside it.

use kcl_core::{ErrorKind, Verb};
use kcl_sim::scenario::{Action, Replacement, Script, call, micros, secs};
use kcl_sim::world::{Api, Edit, Fate};

/// A listing left out a closed parent that had no row, and its child began.
#[test]
fn a_parent_that_one_listing_lacks_is_waited_for() {
    Script::new()
        .seed(0xb903_6140_3f2f_7dbb)
        .shards(2)
        .failover(micros(17_349_972))
        .chaos(secs(260))
        .settle(micros(920_249_580))
        .with(|options| options.poll = micros(324_470))
        .with(|options| options.sync = micros(25_288_336))
        .with(|options| options.cleanup = micros(94_683_286))
        .with(|options| options.leases_to_acquire = 3)
        .with(|options| options.mixed = true)
        .with(|options| options.rate_ppm = 24_000)
        .with(|options| options.batch = 18)
        // There were none when it was found.
        .with(|options| options.hand_off = std::time::Duration::ZERO)
        .with(|options| options.behaviour.checkpoint_every = 3)
        .with(|options| options.behaviour.ends_late = 3)
        .on(call(1, Api::Scan, 11), Fate::SlowReply(micros(19_107_422)))
        .on(call(1, Verb::Take, 7), Fate::SlowReply(micros(9_690_709)))
        .on(call(1, Verb::Checkpoint, 5), Fate::SlowReply(micros(8_228_747)))
        .on(call(1, Api::List, 8), Fate::PartialListing(2))
        .on(call(1, Api::Open, 4), Fate::Fail(ErrorKind::Throttled))
        .at(micros(1_366_000), Action::ThrottleStore(micros(23_197_992)))
        .at(micros(14_166_000), Action::Merge(876))
        .at(micros(23_834_000), Action::Cut(634, micros(12_806_354)))
        .at(micros(49_204_000), Action::StreamGone(micros(12_267_849)))
        .at(micros(105_030_000), Action::Split(944))
        .at(micros(114_489_000), Action::Cut(1, micros(40_294_137)))
        .at(micros(115_612_000), Action::Merge(789))
        .at(micros(144_292_000), Action::Split(553))
        .at(micros(151_993_000), Action::Split(916))
        .at(micros(152_651_000), Action::Cut(192, micros(38_695_869)))
        .at(micros(158_107_000), Action::Suspend(307, micros(34_711_400)))
        .at(micros(169_462_000), Action::Merge(900))
        .expect_clean();
}

/// The lease of a finished shard moved between live owners, and moved on.
#[test]
fn the_lease_of_a_finished_shard_stays() {
    Script::new()
        .seed(0x35e3_bffc_2ee1_7151)
        .workers(7)
        .shards(4)
        .failover(micros(18_730_696))
        .chaos(micros(259_939_481))
        .settle(micros(640_960_440))
        .with(|options| options.poll = micros(2_407_680))
        .with(|options| options.sync = micros(19_617_622))
        .with(|options| options.cleanup = micros(92_799_026))
        .with(|options| options.batch = 50)
        .with(|options| options.behaviour.checkpoint_every = 2)
        .with(|options| options.behaviour.slowest = micros(304_560))
        .with(|options| options.behaviour.ends_late = 3)
        .at(micros(134_508_000), Action::Merge(941))
        .at(micros(157_252_000), Action::ThrottleStore(micros(7_246_850)))
        .at(micros(189_879_000), Action::ThrottleStore(micros(39_821_878)))
        .at(micros(214_777_000), Action::Edit(500, Edit::Free))
        .at(micros(226_690_000), Action::ThrottleStore(micros(15_412_215)))
        .at(micros(243_539_000), Action::ThrottleStore(micros(50_072_595)))
        .expect_clean();
}

/// A process did not count what an earlier one of its name still held, and took leases of others first.
#[test]
fn leftovers_count_for_the_process_of_their_name() {
    Script::new()
        .seed(0xbfee_7b66_f136_4194)
        .shards(2)
        .failover(micros(19_742_074))
        .chaos(micros(130_843_725))
        .settle(micros(956_131_110))
        .with(|options| options.poll = micros(2_291_623))
        .with(|options| options.sync = micros(8_396_560))
        .with(|options| options.cleanup = micros(96_058_706))
        .with(|options| options.leases_to_acquire = 2)
        .with(|options| options.mixed = true)
        .with(|options| options.batch = 49)
        .at(micros(27_300_000), Action::Twin(584))
        .at(micros(79_099_000), Action::Twin(603))
        .expect_clean();
}

/// The lead passed on when the last lease of who had it was deleted. That is as it should be.
#[test]
fn the_lead_passes_on_with_the_last_lease() {
    Script::new()
        .seed(0x45e1_8daf_ad77_cd79)
        .workers(8)
        .failover(micros(6_894_033))
        .chaos(micros(294_905_654))
        .settle(micros(463_410_495))
        .with(|options| options.poll = micros(2_245_347))
        .with(|options| options.sync = micros(14_910_938))
        .with(|options| options.cleanup = micros(104_708_086))
        .with(|options| options.leases_to_acquire = 4)
        .with(|options| options.mixed = true)
        .with(|options| options.aggregates = 6)
        .with(|options| options.stops_in_suspend = true)
        .with(|options| options.batch = 12)
        .with(|options| options.behaviour.checkpoint_every = 3)
        .on(call(9, Api::Scan, 31), Fate::Stale(micros(7_727_964)))
        .on(call(9, Api::Scan, 69), Fate::Stale(micros(5_383_067)))
        .on(call(10, Api::Scan, 18), Fate::Stale(micros(6_967_374)))
        .at(micros(10_752_000), Action::Split(215))
        .at(micros(12_016_000), Action::Kill(316, Replacement::SameName))
        .at(micros(37_192_000), Action::Merge(759))
        .at(micros(39_905_000), Action::StreamGone(micros(7_176_507)))
        .at(micros(50_871_000), Action::Split(35))
        .at(micros(53_807_000), Action::Twin(421))
        .at(micros(57_924_000), Action::Merge(407))
        .at(micros(95_586_000), Action::Kill(939, Replacement::New))
        .at(micros(99_737_000), Action::Twin(872))
        .at(micros(113_217_000), Action::Kill(743, Replacement::SameName))
        .at(micros(127_245_000), Action::Split(786))
        .at(micros(141_550_000), Action::Suspend(757, micros(12_815_170)))
        .at(micros(158_757_000), Action::Merge(950))
        .at(micros(176_326_000), Action::Kill(617, Replacement::Nobody))
        .at(micros(185_018_000), Action::Split(310))
        .at(micros(217_120_000), Action::Kill(166, Replacement::New))
        .at(micros(224_458_000), Action::Twin(777))
        .at(micros(274_548_000), Action::Split(393))
        .at(micros(281_650_000), Action::Merge(4))
        .expect_clean();
}
