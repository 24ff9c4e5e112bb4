"""One GRPO step of TRL's own trainer with `trl_reward`; run by a Python that has TRL and torch.

    python tests/contract/trl_real.py FOLDER

The model has two layers and random weights, and a tokenizer of single characters: nothing is
downloaded. It writes its run to the folder. Expected in its log: the reward, and the share of
each ending.
"""

import sys
from importlib.metadata import version

from datasets import Dataset
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from sandbox_wasm import Sandbox
from sandbox_wasm.adapters import trl_reward

CHARACTERS = [chr(code) for code in range(32, 127)] + ["\n"]


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {text: number for number, text in enumerate(["<pad>", "<end>", *CHARACTERS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<end>")


def main(folder: str) -> None:
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    arguments = GRPOConfig(
        folder, max_steps=1, per_device_train_batch_size=4, num_generations=4,
        max_completion_length=8, logging_steps=1, report_to=[], use_cpu=True, bf16=False,
    )  # fmt: skip
    rows = [{"prompt": "Write add(a, b).", "tests": "assert add(2, 3) == 5"}] * 4
    with Sandbox(workers=1) as sandbox:
        trainer = GRPOTrainer(
            LlamaForCausalLM(config), trl_reward(sandbox, column="tests"), arguments,
            train_dataset=Dataset.from_list(rows), processing_class=words,
        )  # fmt: skip
        trainer.train()
    logged = {key: value for entry in trainer.state.log_history for key, value in entry.items()}
    assert logged["reward"] == 0.0, logged
    shares = {key: value for key, value in logged.items() if "sandbox_reward/" in key}
    assert sum(shares.values()) == 1.0, logged
    sys.stdout.write(f"trl {version('trl')}: ok\n")


if __name__ == "__main__":
    main(sys.argv[1])
