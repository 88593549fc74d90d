"""When tasks are decided, and what a decision costs."""

from stories import NEAR_A, Told, tell

PATHS = {"a": [NEAR_A] * 11, "b": [NEAR_A] * 11}


def test_each_task_at_its_release(tmp_path):
    """With `per_task` every task is decided at the instant of its release; two of one instant in one epoch."""
    arrivals = [(0.5, "a"), (0.75, "a"), (0.75, "b"), (1.0, "b")]
    story = tell(tmp_path, PATHS, arrivals, "local", decisions={"kind": "per_task"})
    assert story.policy.epochs == [0.5, 0.75, 1.0]
    assert story.of("TaskReleased", "TaskDecided") == [
        "0.5 TaskReleased 0 a",
        "0.5 TaskDecided 0 LOCAL",
        "0.75 TaskReleased 1 a",
        "0.75 TaskReleased 2 b",
        "0.75 TaskDecided 1 LOCAL",
        "0.75 TaskDecided 2 LOCAL",
        "1 TaskReleased 3 b",
        "1 TaskDecided 3 LOCAL",
    ]


def test_all_tasks_of_a_period_together(tmp_path):
    """With `periodic` tasks wait for the next multiple of the period; one released at it is still taken along."""
    arrivals = [(0.25, "a"), (1.25, "b"), (1.5, "a"), (1.625, "b")]
    story = tell(tmp_path, PATHS, arrivals, "local", decisions={"kind": "periodic", "period_s": 1.5})
    assert story.policy.epochs == [1.5, 3.0]
    assert story.of("TaskDecided") == [
        "1.5 TaskDecided 0 LOCAL",
        "1.5 TaskDecided 1 LOCAL",
        "1.5 TaskDecided 2 LOCAL",
        "3 TaskDecided 3 LOCAL",
    ]


def test_inference_delays(tmp_path):
    """A decision that takes inference_s holds its tasks back for exactly that time."""
    story = tell(tmp_path, PATHS, [(0.5, "a")], decisions={"inference_s": 0.25})
    assert story.facts[5:8] == ["0.5 TaskDecided 0 EDGE A", "0.75 uplink 0", "1.75 uplinked 0 A"]


def test_leaves_during_inference(tmp_path):
    """A vehicle that leaves while its task is being inferred ends it LEFT once the decision is there, unsent."""
    story = tell(tmp_path, {"a": [NEAR_A]}, [(0.5, "a")], decisions={"inference_s": 1.0})
    assert story.facts[-3:] == ["1 VehicleLeft a", "1.5 uplink 0", "1.5 TaskEnded 0 LEFT in UPLINK"]
    assert story.number(0, "transmit_j") == 0.0


def test_deadline_passes_during_inference(tmp_path):
    """A dropped task ends at its deadline even while its decision is being made."""
    arrivals = [(0.5, "a", {"deadline_s": 0.125})]
    story = tell(tmp_path, PATHS, arrivals, decisions={"inference_s": 0.25}, tasks={"on_deadline": "drop"})
    assert story.facts[-1] == "0.625 TaskEnded 0 EXPIRED in DECISION"


def test_a_decision_sees_what_has_happened(tmp_path):
    """At one instant vehicles move, then tasks end and are released, then it is decided: the new cell is offered."""
    path = [NEAR_A] * 2 + [(1000.0, 10.0)] * 9
    story = tell(tmp_path, {"a": path}, [(2.0, "a")], Told("B"))
    assert story.facts[2:5] == ["2 CellChanged a A->B", "2 TaskReleased 0 a", "2 TaskDecided 0 EDGE B"]
    assert story.of("uplinked") == ["3 uplinked 0 B"]
