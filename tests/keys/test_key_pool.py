"""The pool of key bits."""

from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen

from cosim.keys.pool import KeyPool


def test_the_oldest_bits_go_first_and_expire_first():
    """Of 10 bits stored at 0 s and 10 at 5 s with expiry 10 s, 4 taken at 6 s leave 6 until 10 s, 10 until 15 s."""
    pool = KeyPool(100, expiry_s=10.0)
    pool.store(10, 0.0)
    pool.store(10, 5.0)
    assert pool.take(4, 6.0)
    pool.expire(9.9)
    assert pool.stored_bit == 16
    pool.expire(10.0)
    assert (pool.stored_bit, pool.lost_bit) == (10, 6)
    assert not pool.can_give(1, 15.0)
    assert (pool.generated_bit, pool.used_bit, pool.lost_bit, pool.stored_bit) == (20, 4, 16, 0)


def test_what_does_not_fit_is_lost():
    """A pool of 10 bits keeps 10 of 7 + 7."""
    pool = KeyPool(10)
    assert [pool.store(7, 0.0), pool.store(7, 0.0)] == [7, 3]
    assert (pool.stored_bit, pool.lost_bit, pool.room_bit) == (10, 4, 0)


def test_a_pool_gives_all_or_nothing():
    """11 bits cannot be taken from 10, and 10 can."""
    pool = KeyPool(10)
    pool.store(10, 0.0)
    assert not pool.take(11, 0.0)
    assert pool.stored_bit == 10
    assert pool.take(10, 0.0)
    assert pool.used_bit == 10


operation = st.tuples(
    st.sampled_from(["store", "take", "discard", "drop", "expire"]), st.integers(0, 50), st.floats(0, 3)
)


@drawn(300)
@given(st.lists(operation, max_size=60), st.integers(1, 100), st.none() | st.floats(0.5, 8))
def test_bits_are_conserved_by_every_operation(operations, capacity_bit, expiry_s):
    """After any operation generated = used + lost + stored, and stored equals a naive list of bits with their ages."""
    pool, now = KeyPool(capacity_bit, expiry_s=expiry_s), 0.0
    naive: list[float] = []
    for name, bit, passed_s in operations:
        now += passed_s
        end_s = float("inf") if expiry_s is None else now + expiry_s
        naive = [end for end in naive if end > now]
        match name:
            case "store":
                pool.store(bit, now)
                naive += [end_s] * min(bit, capacity_bit - len(naive))
            case "take":
                assert pool.take(bit, now) == (bit <= len(naive))
                naive = naive[bit:] if bit <= len(naive) else naive
            case "discard":
                pool.discard(bit)
                pool.expire(now)
            case "drop":
                pool.drop()
                naive = []
            case "expire":
                pool.expire(now)
        assert pool.stored_bit == len(naive)
        seen(pool.stored_bit, len(naive), "bit")
        assert pool.generated_bit == pool.used_bit + pool.lost_bit + pool.stored_bit
