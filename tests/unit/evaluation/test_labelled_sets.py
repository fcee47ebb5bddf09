"""What the labels of a set say of its pictures; no picture is opened."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import DatasetUnusable
from edge_agent.evaluation.dataset import Truth, read_set


def truth(folder: Path, **about: Any) -> Truth:
    (folder / "annotations.json").write_text(json.dumps({"images": [{"id": 1, "file_name": "images/1.png", **about}]}))
    (found,) = read_set(folder).truths
    return found


@pytest.mark.parametrize(
    ("said", "conforms"),
    [
        (True, True),
        (False, False),
        (None, None),
        ("true", True),
        ("false", False),
        ("False", False),
        (" TRUE ", True),
        (1, True),
        (0, False),
    ],
)
def test_a_load_conforms_as_the_label_says(tmp_path: Path, said: object, conforms: bool | None) -> None:
    assert conforms is truth(tmp_path, customs_model_agrees=said).conforms


@pytest.mark.parametrize("said", ["no", "yes", "unknown", "", "0", "not examined", "test image of that class"])
def test_a_text_that_says_neither_true_nor_false_tells_nothing(tmp_path: Path, said: str) -> None:
    found = truth(tmp_path, customs_model_agrees=said, declared_ncm4="0202")
    assert (None, None) == (found.conforms, found.state), "a load that is not known to conform is not known to be loaded"


def test_a_label_that_is_no_answer_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnusable, match="customs_model_agrees"):
        truth(tmp_path, customs_model_agrees=[True])


def test_without_the_key_it_is_not_known_whether_a_load_conforms(tmp_path: Path) -> None:
    assert None is truth(tmp_path).conforms
