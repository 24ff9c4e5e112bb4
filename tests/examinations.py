"""A small evaluation, prepared: nothing is opened, nothing is written but the model's folder."""

from pathlib import Path

from azr.config.run import RolloutConfig, RunConfig
from azr.evaluation.examination import Examination, prepare
from azr.evaluation.request import EvaluationRequest
from azr.evaluation.subject import Subject
from azr.evaluation.suites.suites import SUITES


def examination(folder: Path, engine: str, dtype: str = "float32") -> Examination:
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text("{}")
    request = EvaluationRequest(
        target=str(model), suites=[SUITES["easy-o"]], data=None, output=folder / "out"
    )
    subject = Subject(name="m", folder=model, results=folder / "results")
    config = RunConfig(rollout=RolloutConfig(engine=engine, dtype=dtype))
    return prepare(request, config, subject, 4096)
