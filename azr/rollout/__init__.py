"""The model as a player: engines that sample, and the proof that they sample from the learner.

Read player.py first (many coroutines, one engine thread), then probe.py (the proof), then one of
the engines; opening.py chooses one. Only vllm_engine.py knows vLLM.

This file imports nothing: azr.rollout.environment must come before torch and vLLM do.
"""
