"""Names of files and folders lead back to what they were made from."""

from hypothesis import given
from hypothesis import strategies as st

from twophase.files import layout

TIMES = st.integers(0, 10**7)


@given(TIMES, st.integers(0, 99) | st.just(layout.CONTROL), TIMES)
def test_names_can_be_read_back(t0, draw, t1):
    assert layout.iteration(layout.step_file(t1)) == t1
    assert layout.iteration(f"/some/where/{layout.step_file(t1)}") == t1
    assert layout.switch(layout.switch_folder(t0)) == t0
    fork = layout.Fork(t0, draw)
    state = f"{fork.folder}/{layout.step_file(t1)}"
    assert layout.Fork.of(state) == fork
    assert fork.is_control == (draw == layout.CONTROL)
    assert layout.iteration(state) == t1


def test_forks_of_a_block():
    forks = layout.forks([5, 2], 2, [5])
    assert forks == [(5, layout.CONTROL), (5, 0), (5, 1), (2, 0), (2, 1)]
    folders = [fork.folder for fork in forks]
    assert folders[:2] == ["t0-5/control", "t0-5/draw-0"]
    assert len(set(folders)) == len(folders)


def test_states_of_a_run_come_in_the_order_of_time():
    files = ["log.parquet", "resume.safetensors", *map(layout.step_file, (1000, 5, 90, 0))]
    assert layout.states(files) == [layout.step_file(t) for t in (0, 5, 90, 1000)]
    assert layout.states(files, [90, 5, 6]) == [layout.step_file(t) for t in (5, 90)]


def test_states_for_distances_alone_are_no_checkpoints():
    assert layout.states([layout.state_file(7), layout.step_file(8)]) == [layout.step_file(8)]


@given(st.frozensets(TIMES), st.frozensets(TIMES))
def test_stops_are_those_of_either_kind(t1s, dense):
    assert layout.Stops(tuple(sorted(t1s)), tuple(sorted(dense))).all == t1s | dense


def test_states_of_a_block_of_forks_keep_each_fork_together():
    members = [layout.Fork(t0, draw) for t0 in (100, 20) for draw in (layout.CONTROL, 0, 10, 2)]
    files = [f"{member.folder}/{layout.step_file(t1)}" for member in members for t1 in (1000, 200)]
    states = layout.states(files)
    assert sorted(states) == sorted(
        f"{member.folder}/{layout.step_file(t1)}" for member in members for t1 in (200, 1000)
    )
    forks = [layout.Fork.of(state) for state in states]
    assert all(a == b for a, b in zip(forks[::2], forks[1::2], strict=True))
    assert [layout.iteration(state) for state in states] == [200, 1000] * len(members)
    assert layout.states(files, [200]) == states[::2]


def test_forks_are_compared_with_the_twin_of_their_block_or_else_with_the_base_run():
    solo = ["t0-5/control/step-20.safetensors", "t0-5/draw-0/step-20.safetensors"]
    lockstep = [*solo, "twin/step-10.safetensors", "twin/step-20.safetensors"]
    for files, where, path in ((solo, "run", "step-20.safetensors"), (lockstep, "block", "twin/step-20.safetensors")):
        block = layout.Block(files)
        assert [(*state.fork, state.t1) for state in block.states] == [(5, layout.CONTROL, 20), (5, 0, 20)]
        assert [state.path for state in block.states] == solo
        base = block.base(block.states[1])
        assert (base.within("block", "run"), base.path) == (where, path)
