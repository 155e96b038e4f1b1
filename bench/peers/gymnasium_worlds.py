"""Gymnasium's worlds, stepped with random actions. Says what it is in a line of JSON; then, for every line "<id> <n> <ms>" on stdin,
steps n of them for so many milliseconds of CPU time and answers with {"stepsPerCpuSecond": ...}. n = 1 is gym.make; more are gym.make_vec,
by the environment's own vectorised world where there is one (CartPole-v1), else a SyncVectorEnv."""

import json
import sys
import time
import warnings

import gymnasium
import numpy

warnings.filterwarnings("ignore")
ROWS = 64


def make(name, n):
    if n == 1:
        return gymnasium.make(name)
    own = gymnasium.spec(name).vector_entry_point is not None
    return gymnasium.make_vec(name, num_envs=n, vectorization_mode="vector_entry_point" if own else "sync")


def measure(name, n, ms):
    env = make(name, n)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(ROWS)]

    def run(steps):
        for t in range(steps):
            _, _, terminated, truncated, _ = env.step(actions[t % ROWS])
            if n == 1 and (terminated or truncated):  # more of them reset themselves
                env.reset()
        return steps * n

    run(256)
    start = time.process_time()
    steps = used = 0
    while used < ms / 1000:
        steps += run(64)
        used = time.process_time() - start
    env.close()
    return {"stepsPerCpuSecond": steps / used}


print(json.dumps({"gymnasium": gymnasium.__version__, "numpy": numpy.__version__, "python": sys.version.split()[0]}), flush=True)
for line in sys.stdin:
    name, n, ms = line.split()
    print(json.dumps(measure(name, int(n), float(ms))), flush=True)
