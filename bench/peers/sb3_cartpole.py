"""Stable-Baselines3's PPO on CartPole-v1 with its default hyper-parameters and one shared 64-64 tanh trunk, on one thread.

Reads lines from stdin: each is a number of environment steps to train a fresh model for; answers each with one line of JSON.
The first line it prints says what runs here. Ends with stdin. By hand: echo 20480 | .venv/bin/python peers/sb3_cartpole.py
"""

import json
import os
import platform
import sys
import time

os.environ["CUDA_VISIBLE_DEVICES"] = ""
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import gymnasium
import numpy
import stable_baselines3
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


class Trunk(BaseFeaturesExtractor):
    """A list for `net_arch` gives policy and value a network each (since 1.8); a features extractor is what they share."""

    def __init__(self, observation_space):
        super().__init__(observation_space, features_dim=64)
        sizes = [observation_space.shape[0], 64, 64]
        layers = []
        for fan_in, fan_out in zip(sizes, sizes[1:]):
            layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.Tanh()]
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, observations):
        return self.layers(observations)


class TimedPPO(PPO):
    """Sums the process CPU time of the updates."""

    update_seconds = 0.0
    updates = 0

    def train(self):
        start = time.process_time()
        super().train()
        self.update_seconds += time.process_time() - start
        self.updates += 1


def make(seed):
    return TimedPPO(
        "MlpPolicy",
        gymnasium.make("CartPole-v1"),
        n_steps=2048,
        batch_size=64,
        n_epochs=10,
        policy_kwargs=dict(features_extractor_class=Trunk, net_arch=[]),
        device="cpu",
        seed=seed,
    )


def describe(model):
    """Versions, and the proof that the trunk is shared: one object behind both heads, every parameter counted once."""
    policy = model.policy
    shared = policy.pi_features_extractor is policy.vf_features_extractor and not list(policy.mlp_extractor.parameters())
    parameters = sum(p.numel() for p in policy.parameters())
    if not shared or parameters != 4675:
        sys.exit(f"expected one shared trunk and 4675 parameters, got shared={shared}, {parameters}\n{policy}")
    return {
        "name": f"Stable-Baselines3 {stable_baselines3.__version__}",
        "torch": torch.__version__,
        "gymnasium": gymnasium.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "shared": shared,
        "parameters": parameters,
    }


def measure(seed, steps):
    """A fresh model each time, so that every round trains through the same part of the learning curve."""
    model = make(seed)
    start, wall = time.process_time(), time.perf_counter()
    model.learn(steps)
    cpu = time.process_time() - start
    return {
        "steps": model.num_timesteps,
        "cpuSeconds": cpu,
        "wallSeconds": time.perf_counter() - wall,
        "updates": model.updates,
        "updateCpuSeconds": model.update_seconds,
        "stepsPerCpuSecond": model.num_timesteps / cpu,
        "msPerUpdate": 1000 * model.update_seconds / model.updates,
    }


def main():
    model = make(0)
    if "--print-policy" in sys.argv:
        print(model.policy, file=sys.stderr)
    model.learn(2048)  # warm-up
    print(json.dumps(describe(model)), flush=True)
    for round_, line in enumerate(sys.stdin):
        print(json.dumps(measure(round_, int(line))), flush=True)


main()
