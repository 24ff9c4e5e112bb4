"""The model as a player: engines that sample, and the proof that they sample from the learner.

Read policy.py first (many coroutines, one engine thread), then weight_proof.py (the proof), then
one of the engines; opening.py opens the one that is asked for (azr.config.engines). Only
vllm_engine.py knows vLLM.

This file imports nothing: azr.rollout.environment must come before torch and vLLM do.
"""
