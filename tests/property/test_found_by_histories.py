"""Histories that random play found to break a rule once, cut to their fewest steps."""

import pytest

from tests.torture.history import History, Setup, Step
from tests.torture.machine import play


def history(
    steps,
    *objects,
    seed=0,
    rows=3,
    page_rows=2000,
    result_rows=2,
    segment_bytes=3000,
    route="cheapest",
    way="",
    quiet_lookups=False,
):
    setup = Setup(
        objects=objects,
        replicas=1,
        rows=rows,
        page_rows=page_rows,
        result_rows=result_rows,
        segment_bytes=segment_bytes,
        route=route,
        workers=1,
        skew_seconds=0,
        two_way=bool(way),
        way=way or "cheapest",
        quiet_lookups=quiet_lookups,
    )
    return History(seed, setup, tuple(map(Step.parse, steps.split())))


FOUND = {
    "a_pull_taken_up_later_was_complete_without_what_had_changed_since": history(
        "refused:517522 killed_sync:247301 create:782626", "Lead", page_rows=1
    ),
    "a_deletion_was_not_seen_while_a_new_column_was_filled": history(
        "sync:983718 add_field:840569 delete:81855", "Opportunity", rows=12, route="rest"
    ),
    "a_deletion_was_not_seen_after_filling_a_column_had_failed": history(
        "refused:636049 sync:616458 add_field:131666 merge:707673 sync:207520", "Account", "Widget__c"
    ),
    "a_deletion_was_not_seen_after_a_kill_while_a_column_was_filled": history(
        "sync:210111 refused:40645 add_field:948282 killed_sync:615608 delete:887791", "Opportunity", route="bulk"
    ),
    "a_second_change_in_the_second_of_the_last_reading_was_not_seen": history(
        "sync:789977 update:562256", "Contact", rows=30, page_rows=3, result_rows=11
    ),
    "a_second_change_in_the_second_of_a_mass_update_was_not_seen": history(
        "time_passes:284015 sync:358067 update_all:717672 sync:908845 update:523317",
        "Opportunity",
        "Widget__c",
        page_rows=1,
    ),
    "a_row_that_was_stamped_ahead_of_time_kept_its_later_edit_out": history(
        "stamp_in_the_future:341711 killed_sync:97074 update:232785",
        "Lead",
        page_rows=3,
        result_rows=11,
        segment_bytes=32 << 20,
        route="bulk",
    ),
    "a_row_that_was_stamped_ahead_of_time_kept_its_deletion_out": history(
        "stamp_in_the_future:510843 sync_and_accept:2966 delete:744163",
        "Account",
        "Contact",
        "Lead",
        "Opportunity",
        "Widget__c",
        page_rows=7,
        result_rows=250_000,
        segment_bytes=500,
    ),
    "a_change_in_the_second_of_a_stamp_that_was_seen_later_was_lost_among_many_rows": history(
        "create:564025 meanwhile:570574 late_same_second:40599 sync:676202 sync:563018",
        "Opportunity",
        "Widget__c",
        page_rows=7,
        result_rows=11,
        segment_bytes=32 << 20,
        route="rest",
    ),
    "a_field_that_changed_its_type_was_read_as_what_it_had_been": history(
        "add_field:57462 sync:207520 retype_field:526135 long_transaction:14326",
        "Contact",
        "Widget__c",
        rows=0,
        page_rows=1,
        result_rows=11,
        route="bulk",
    ),
    "a_job_that_hung_was_waited_for_in_every_run": history(
        "job_fails:24 sync:1", "Opportunity", rows=12, page_rows=1, route="bulk"
    ),
    "an_edit_that_refers_to_a_record_that_is_gone_was_sent_for_ever": history(
        "sync:446808 local_update:927463 delete:249545",
        "Contact",
        "Opportunity",
        page_rows=7,
        result_rows=5,
        segment_bytes=32 << 20,
        route="bulk",
        way="collections",
    ),
    "an_edit_waited_for_ever_for_a_job_that_is_stuck": history(
        "job_fails:841102 sync:382793 local_update:404652 sync:377314",
        "Lead",
        page_rows=3,
        result_rows=11,
        segment_bytes=500,
        way="bulk",
    ),
    "an_edit_of_the_second_of_our_reading_was_overwritten_and_the_answer_that_told_it_lost": history(
        "sync:967872 theirs:127717 lost_answer:941131 local_update:20072 time_passes:522187 push:444292",
        "Account",
        "Contact",
        "Opportunity",
        page_rows=1,
        result_rows=250_000,
        segment_bytes=500,
        way="parts",
    ),
    "a_create_that_may_be_in_the_org_was_sent_again_as_it_was_edited_on_its_way": history(
        "sync:443943 lost_answer:100392 sync:561301 local_create:144160 meanwhile:608843 sync:186354 theirs:932144 "
        "local_update:414930",
        "Contact",
        "Opportunity",
        rows=0,
        result_rows=11,
        way="collections",
    ),
    "a_reference_to_what_was_deleted_before_its_object_was_first_read_stayed": history(
        "time_passes:776898 sync:125039 delete:138552",
        "Contact",
        "Opportunity",
        seed=385959,
        rows=30,
        page_rows=1,
        route="bulk",
        quiet_lookups=True,
    ),
    "of_two_rows_that_were_one_record_an_edit_was_lost": history(
        "time_passes:628356 sync_and_accept:273937 local_create:67216 killed_push:17842 server_error:538404 "
        "full_disk:971412 local_many:120812",
        "Lead",
        "Opportunity",
        page_rows=1,
        result_rows=250_000,
        segment_bytes=500,
        route="rest",
        way="parts",
        quiet_lookups=True,
    ),
    "pages_of_one_row_were_taken_for_retries": history(
        "sync:750683 create:731280 late_same_second:18517 time_passes:307953 create:584946 purge:598679 "
        "weeks_pass:999902 add_field:492326",
        "Contact",
        seed=475760,
        rows=30,
        page_rows=1,
        route="rest",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_no_longer(name):
    failed = play(FOUND[name])

    assert failed is None, failed.told()
