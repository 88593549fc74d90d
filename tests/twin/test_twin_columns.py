"""Columns by vehicle number grow together and lose nothing."""

import numpy as np
import pytest

from cosim.twin.tracks import NO_ROW, ColumnStore, Tracks


def test_columns_keep_their_rows_as_they_grow():
    """Each column keeps type and shape of its empty row, what was written stays, and new rows are empty."""
    store = ColumnStore(2, time_s=-np.inf, here=False, node=-1, xy_m=np.array([1.0, 2.0]), sites=np.zeros(3, np.int64))
    store.time_s[1], store.here[1], store.node[1], store.xy_m[1], store.sites[1] = 5.0, True, 7, (3.0, 4.0), (1, 2, 3)
    store.reach(3)
    assert len(store) == 4
    np.testing.assert_array_equal(store.time_s, [-np.inf, 5.0, -np.inf, -np.inf])
    np.testing.assert_array_equal(store.here, [False, True, False, False])
    np.testing.assert_array_equal(store.node, [-1, 7, -1, -1])
    np.testing.assert_array_equal(store.xy_m, [(1.0, 2.0), (3.0, 4.0), (1.0, 2.0), (1.0, 2.0)])
    np.testing.assert_array_equal(store.sites[:2], [(0, 0, 0), (1, 2, 3)])
    assert [store.time_s.dtype, store.here.dtype, store.node.dtype, store.sites.dtype] == [
        np.float64, np.bool_, np.int64, np.int64,
    ]  # fmt: skip
    store.reach(100)
    assert len(store) == len(store.node) == 100
    same = store.node
    store.reach(50)
    assert store.node is same


def test_a_column_that_is_not_there_is_an_error():
    """A name that no column has is an AttributeError, as everywhere in Python."""
    with pytest.raises(AttributeError, match="no column speed"):
        _ = ColumnStore(1, time_s=0.0).speed


def test_tracks_grow_and_use_rows_again():
    """Beyond the first rows and numbers every vehicle keeps its state, and a freed row holds nothing of the old one."""
    tracks, numbers = Tracks(), np.arange(0, 3000, 3)
    for time_s in (1.0, 3.0):
        rows, new = tracks.take(numbers)
        tracks.write(
            rows, new, np.full(1000, time_s), np.column_stack([numbers, -numbers]), numbers * 0.1, numbers * 0.2
        )
    np.testing.assert_array_equal(tracks.xy_m[tracks.find(numbers), 0], numbers)
    np.testing.assert_array_equal(tracks.gap_s[tracks.find(numbers)], np.full(1000, 2.0))
    assert len(tracks.used) == 1000
    tracks.release(np.array([3, 9000]))
    assert tracks.find(np.array([3, 9000])).tolist() == [NO_ROW, NO_ROW]
    again, new = tracks.take(np.array([5000]))
    assert new.all()
    assert np.isnan(tracks.gap_s[again]).all()
    assert len(tracks.used) == 1000
