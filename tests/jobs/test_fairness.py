from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.fairness import Rounds


def jain(shares: list[float]) -> float:
    """Return Jain's index of fairness: 1 when all are equal."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


@given(st.integers(0, 2**32), st.dictionaries(st.integers(1, 9), st.integers(1, 5), min_size=2, max_size=5))
def test_batches_share_by_weight_whatever_their_jobs_ask_for(seed: int, weights: dict[int, int]) -> None:
    random, rounds, served = Random(seed), Rounds(weights), Counter[int]()
    costs = {batch: random.randint(1, 4) for batch in weights}
    for _ in range(400 * len(weights)):
        batch = rounds.next(costs)
        served[batch] += costs[batch]
        costs[batch] = random.randint(1, 4)
    assert jain([served[batch] / weight for batch, weight in weights.items()]) >= 0.99


def test_a_newcomer_is_served_in_the_first_round() -> None:
    rounds = Rounds({})
    for _ in range(50):
        rounds.next({1: 1, 2: 1})
    assert 3 in [rounds.next({1: 1, 2: 1, 3: 4}) for _ in range(12)]


def test_nobody_saves_up_turns_while_away() -> None:
    rounds = Rounds({})
    for _ in range(100):
        rounds.next({1: 4, 2: 4})
    for _ in range(100):
        rounds.next({1: 4, 3: 4})
    turns = Counter(rounds.next({1: 1, 2: 1}) for _ in range(20))
    assert turns[2] <= 11


def test_a_turn_that_was_given_back_comes_again() -> None:
    rounds = Rounds({})
    first = rounds.next({1: 3, 2: 3})
    rounds.give_back(first, 3)
    assert rounds.next({1: 3, 2: 3}) == first
