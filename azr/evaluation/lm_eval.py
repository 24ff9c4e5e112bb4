"""Results in the format of lm-evaluation-harness: results_T.json and samples_SUITE_T.jsonl.

The format is that of lm-eval 0.4.13, lm_eval/loggers/evaluation_tracker.py and evaluator.py
(`example`). Our pass@k take the place of its metrics.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azr.atomic_write import write_text
from azr.evaluation.estimates import Estimate
from azr.evaluation.results import FORMAT, SuiteResult
from azr.evaluation.runner import Plan
from azr.evaluation.suites.items import Attempt, CodeItem, ExecutionItem, Item, Status
from azr.game.modes import rules_of

__all__ = ["write_lm_eval"]


def write_lm_eval(
    folder: Path, model: str, plan: Plan, results: Sequence[SuiteResult], now: datetime
) -> Path:
    """Write both files below FOLDER/lm_eval/MODEL and return the aggregated one; T is `now`."""
    there = folder / "lm_eval" / model.strip("/").replace("/", "__")
    stamp = now.astimezone(UTC).replace(tzinfo=None).isoformat().replace(":", "-")
    for data, _, attempts_by_item in results:
        lines = [
            json.dumps(lm_eval_sample(number, item, attempts, plan)) + "\n"
            for number, (item, attempts) in enumerate(
                zip(data.items, attempts_by_item, strict=True)
            )
        ]
        file = there / f"samples_{data.suite.name}_{stamp}.jsonl"
        write_text(file, "".join(lines))
    file = there / f"results_{stamp}.json"
    content = lm_eval_results(model, plan, results, now)
    write_text(file, json.dumps(content, indent=2) + "\n")
    return file


def lm_eval_results(
    model: str, plan: Plan, results: Sequence[SuiteResult], now: datetime
) -> dict[str, Any]:
    """Make the aggregated file."""
    names = [data.suite.name for data, _, _ in results]
    return {
        "results": {
            data.suite.name: {"alias": data.suite.name, **lm_eval_metrics(summary.metrics)}
            for data, summary, _ in results
        },
        "group_subtasks": {name: [] for name in names},
        "configs": {
            data.suite.name: {
                "task": data.suite.name,
                "output_type": "generate_until",
                "repeats": plan.attempts,
                "generation_kwargs": generation_arguments(plan),
                "metadata": {"title": data.suite.title, "data_sha256": data.sha256},
            }
            for data, _, _ in results
        },
        "versions": dict.fromkeys(names, FORMAT),
        "n-shot": {
            data.suite.name: plan.template.num_shots(data.items[0]) for data, _, _ in results
        },
        "higher_is_better": {
            data.suite.name: dict.fromkeys(summary.metrics, True) for data, summary, _ in results
        },
        "n-samples": {
            data.suite.name: {"original": len(data.items), "effective": summary.items}
            for data, summary, _ in results
        },
        "config": {"model": "azr", "model_args": f"pretrained={model}"},
        "model_name": model,
        "date": now.timestamp(),
    }


def lm_eval_metrics(metrics: Mapping[str, Estimate]) -> dict[str, float]:
    """Return `metric,filter` and its standard error."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        found[f"{name},none"] = value.value
        found[f"{name}_stderr,none"] = value.stderr
    return found


def generation_arguments(plan: Plan) -> dict[str, Any]:
    """Return how completions were sampled."""
    return {
        "do_sample": plan.temperature > 0,
        "temperature": plan.temperature,
        "max_gen_toks": plan.max_tokens,
    }


def lm_eval_sample(
    number: int, item: Item, attempts: Sequence[Attempt], plan: Plan
) -> dict[str, Any]:
    """Return all attempts at one item."""
    target = target_of(item)
    asked = plan.template.ask(item, seed=0, temperature=plan.temperature, max_tokens=1)
    prompt = asked.text + asked.prefill
    doc = {"id": item.id, "statement": getattr(item, "statement", "")}
    right = [attempt.mark.status is Status.PASSED for attempt in attempts]
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": generation_arguments(plan)}},
        "resps": [[attempt.completion for attempt in attempts]],
        "filtered_resps": [attempt.answer or "" for attempt in attempts],
        "filter": "none",
        "metrics": ["pass@1"],
        "doc_hash": digest(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": digest(prompt),
        "target_hash": digest(target),
        "pass@1": sum(right) / len(right),
    }


def target_of(item: Item) -> str:
    """Return the right answer."""
    match item:
        case CodeItem(gold=gold):
            return gold
        case ExecutionItem(task=task):
            return rules_of(task.mode).answer_of(task)
        case _:
            return item.gold


def digest(text: str) -> str:
    """Hash as lm-eval's hash_string does."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
