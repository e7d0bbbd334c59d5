"""Every promise under its fault, once and at small size. scripts/chaos.sh has the full size."""


def test_P1_editors_of_a_killed_instance_are_back_with_everything(kept):
    kept()


def test_P2_a_frozen_instance_is_noticed(kept):
    kept()


def test_P2_a_woken_instance_changes_nothing(kept):
    kept()


def test_P3_redis_lost_in_every_way(kept):
    kept()


def test_P4_instances_follow_a_failover(kept):
    kept()


def test_P5_an_instance_cut_off_alone_is_not_ready(kept):
    kept()


def test_P5_after_healing_there_is_one_truth(kept):
    kept()


def test_P6_others_do_not_feel_a_slow_reader(kept):
    kept()


def test_P6_what_waits_for_a_slow_reader_is_bounded(kept):
    kept()


def test_P6_a_slow_reader_is_fresh_again(kept):
    kept()


def test_P7_a_jump_of_the_clock_drops_nobody(kept):
    kept()


def test_P8_a_full_store_is_told_and_nothing_evicted(kept):
    kept()


def test_P9_every_member_sees_the_same_order(kept):
    kept()


def test_P10_a_rolling_restart_costs_one_reconnection(kept):
    kept()


def test_P10_ready_and_health_tell_the_truth(kept):
    kept()


def test_P11_a_client_that_resumes_is_recovered(kept):
    kept()


def test_P11_a_client_that_resumes_missed_nothing(kept):
    kept()


def test_P11_many_who_resume_at_once_are_served_at_once(kept):
    kept()


def test_P11_a_return_costs_redis_little(kept):
    kept()


def test_P12_one_ring(kept):
    kept()


def test_P12_a_redirect_never_loops(kept):
    kept()


def test_P13_no_way_into_a_room_around_its_password(kept):
    kept()


def test_P13_no_packet_stops_a_process(kept):
    kept()


def test_P13_no_ghost_stays_in_a_list(kept):
    kept()
