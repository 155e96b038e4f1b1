"""Records episodes of Gymnasium's own worlds, for test/golden and for `npm run conformance`. No test needs Python.

    python3 -m venv /tmp/gymnasium
    /tmp/gymnasium/bin/pip install gymnasium==1.4.0 numpy==2.4.6 box2d==2.3.10
    /tmp/gymnasium/bin/python tools/record_golden.py                       # every file of test/golden
    /tmp/gymnasium/bin/python tools/record_golden.py cartpole --episodes 200 --out /tmp
    /tmp/gymnasium/bin/python tools/record_golden.py mountaincar --options '{"goal_velocity": 0.03}' --reset-options '{"low": -1.1}' --out /tmp
    /tmp/gymnasium/bin/python tools/record_golden.py --replay test/golden/*car*.json.gz

The last one asks whether the Gymnasium at hand computes what the recorded one did, before ours is blamed: exit code 1 if not.
Box2D's wheels of other processors than x86-64 may round otherwise.

Seed s of 0, 1, ...: `reset(seed=s)`, then a controller where s is even, and where it is odd uniform actions of `default_rng(10000 + s)`,
in continuous worlds in [-1.2, 1.2), so that some must be clipped. The format is described in test/golden/README.md.
"""

import argparse
import gzip
import importlib.metadata
import json
import pathlib
import sys

import gymnasium
import numpy as np


def balance(_env, obs):
    return int(obs[2] + 0.5 * obs[3] > 0)


def pump(env, obs):
    right = obs[1] >= 0
    if isinstance(env.action_space, gymnasium.spaces.Discrete):
        return 2 if right else 0
    return [1.0 if right else -1.0]


def land(env, obs):
    from gymnasium.envs.box2d.lunar_lander import heuristic

    return heuristic(env, obs)


# file: environment, options, controller of the even seeds, episodes
FILES = {
    "cartpole": ("CartPole-v1", {}, balance, 30),
    "mountaincar": ("MountainCar-v0", {}, pump, 10),
    "mountaincar-continuous": ("MountainCarContinuous-v0", {}, pump, 6),
    "lunarlander": ("LunarLander-v3", {}, land, 24),
    "lunarlander-continuous": ("LunarLanderContinuous-v3", {}, land, 12),
    "lunarlander-wind": ("LunarLander-v3", {"enable_wind": True}, land, 8),
}


def random_policy(seed):
    rng = np.random.default_rng(10000 + seed)

    def act(env, _obs):
        space = env.action_space
        return rng.integers(space.n) if isinstance(space, gymnasium.spaces.Discrete) else rng.uniform(-1.2, 1.2, size=space.shape)

    return act


def given(actions):
    actions = iter(actions)
    return lambda _env, _obs: next(actions, None)


def play(env, seed, reset_options, policy):
    """One episode: to its end, or until the policy has no action left."""
    discrete = isinstance(env.action_space, gymnasium.spaces.Discrete)
    obs, _ = env.reset(seed=seed, options=reset_options or None)
    state = getattr(env.unwrapped, "state", None)
    episode = {"seed": seed, "obs": [floats(obs)], "act": [], "rew": [], "term": [], "trunc": []}
    if state is not None:
        episode["state"] = [floats(state)]
    terminated = truncated = False
    while not (terminated or truncated):
        action = policy(env, obs)
        if action is None:
            break
        action = int(action) if discrete else np.asarray(action, dtype=np.float32)
        obs, reward, terminated, truncated, _ = env.step(action)
        episode["obs"].append(floats(obs))
        episode["act"].append(action if discrete else floats(action))
        episode["rew"].append(float(reward))
        episode["term"].append(bool(terminated))
        episode["trunc"].append(bool(truncated))
        if state is not None:
            episode["state"].append(floats(env.unwrapped.state))
    return episode


def floats(row):
    """float32 and float64 alike, printed as the float64 they are."""
    return [float(x) for x in row]


def versions():
    found = {}
    for name in ("gymnasium", "numpy", "box2d"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def make(environment, options):
    # The checker only warns; particles, which a render mode would add, change LunarLander's last bits.
    return gymnasium.make(environment, disable_env_checker=True, render_mode=None, **options)


def record(path, environment, options, reset_options, controller, episodes):
    """Writes one episode after the other: of any number of them only one is in memory."""
    env = make(environment, options)
    header = {"environment": environment, "options": options, "resetOptions": reset_options, "recorded": versions()}
    steps = 0
    # No name and no time in the archive: the same numbers, the same bytes.
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write((dump(header)[:-1] + ',"episodes":[').encode())
        for seed in range(episodes):
            episode = play(env, seed, reset_options, controller if seed % 2 == 0 else random_policy(seed))
            steps += len(episode["act"])
            file.write((("," if seed > 0 else "") + dump(episode)).encode())
        file.write(b"]}")
    print(f"{path}: {environment}, {episodes} episodes, {steps} steps")


def dump(value):
    return json.dumps(value, separators=(",", ":"))


def replay(path):
    """Whether this Gymnasium gives the recorded numbers."""
    with gzip.open(path) as file:
        recording = json.load(file)
    env = make(recording["environment"], recording["options"])
    different = []
    for episode in recording["episodes"]:
        seed = int(episode["seed"])
        again = play(env, seed, recording["resetOptions"], given(episode["act"]))
        # As text, so that 0 is not -0.
        if any(dump(again[key]) != dump(episode[key]) for key in ("obs", "act", "rew", "term", "trunc")):
            different.append(seed)
    print(f"{path}: {len(recording['episodes'])} episodes, {len(different)} different{f', seeds {different}' if different else ''}")
    return not different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(FILES)}; all of them unless told otherwise; with --replay, files")
    parser.add_argument("--episodes", type=int, help="seeds 0 to this one, without it")
    parser.add_argument("--options", type=json.loads, help="JSON, keyword arguments of gym.make instead of the file's own")
    parser.add_argument("--reset-options", type=json.loads, default={}, help="JSON, options of reset")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "test" / "golden", help="folder")
    parser.add_argument("--replay", action="store_true", help="compare instead of recording")
    args = parser.parse_args()
    if args.replay:
        sys.exit(0 if all([replay(path) for path in args.names]) else 1)
    unknown = [name for name in args.names if name not in FILES]
    if unknown:
        parser.error(f"expected names of {', '.join(FILES)}, got {', '.join(unknown)}")
    for name in args.names or FILES:
        environment, options, controller, episodes = FILES[name]
        path = args.out / f"{name}.json.gz"
        record(path, environment, options if args.options is None else args.options, args.reset_options, controller, args.episodes or episodes)


if __name__ == "__main__":
    main()
