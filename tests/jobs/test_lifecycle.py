import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.lifecycle import AT_REST, FINAL, MEANING, TABLE, Event, IllegalStep, State, after, diagram, sources

OPERATORS_STEPS = {Event.RETRIED, Event.REVIVED, Event.REPLACED, Event.REPAIRED, Event.VANISHED}


@given(st.sampled_from(State), st.sampled_from(Event))
def test_a_step_outside_the_table_raises_and_names_both_sides(state: State, event: Event) -> None:
    if (state, event) in TABLE:
        assert after(state, event) is TABLE[state, event]
    else:
        with pytest.raises(IllegalStep, match=f"a {state} job cannot be {event}"):
            after(state, event)


def test_only_the_users_word_leaves_a_final_state() -> None:
    leaving = {event for state, event in TABLE if state in FINAL}
    assert leaving == OPERATORS_STEPS


def test_nothing_leaves_a_success_but_a_repair_that_finds_its_files_gone_for_good() -> None:
    leaving = {(event, target) for (state, event), target in TABLE.items() if state is State.SUCCEEDED and target is not state}
    assert leaving == {(Event.VANISHED, State.EXPIRED)}


def test_every_state_can_be_reached_and_every_event_is_used() -> None:
    reached = set(TABLE.values()) | {State.PENDING, State.BLOCKED}
    assert reached == set(State)
    assert {event for _, event in TABLE} == set(Event)


def test_from_every_state_that_is_not_final_some_final_state_can_be_reached() -> None:
    reachable = set(FINAL)
    while grown := {state for (state, _), target in TABLE.items() if target in reachable} - reachable:
        reachable |= grown
    assert reachable == set(State)


def test_only_a_claim_leads_to_a_paid_request() -> None:
    assert [event for (_, event), target in TABLE.items() if target is State.SUBMITTING] == [Event.CLAIMED]
    assert sources(Event.CLAIMED) == (State.PENDING,)


def test_an_uncertain_job_goes_back_to_be_paid_again_only_by_the_users_word() -> None:
    back = {event for (state, event), target in TABLE.items() if state is State.UNCERTAIN and target is State.PENDING}
    assert back == {Event.NOT_CHARGED, Event.RESUBMITTED}


def test_at_rest_is_final_and_uncertain() -> None:
    assert {State.UNCERTAIN} == AT_REST - FINAL


def test_every_state_is_explained() -> None:
    assert set(MEANING) == set(State)


def test_the_diagram_shows_every_step() -> None:
    text = diagram()
    for (source, event), target in TABLE.items():
        arrow = next(line for line in text.splitlines() if line.startswith(f"    {source} --> {target}: "))
        assert event in arrow.split(": ")[1].split(" / ")
