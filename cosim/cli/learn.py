"""`cosim train`: training of an agent with several seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, PlaceName, PlaceOverrides, folder, key_values
from cosim.cli.experiments import FirstSeed, Jobs, Seeds, count, value_low_high
from cosim.cli.loudness import quiet

if TYPE_CHECKING:
    from cosim_agents.environments.known import KnownEnvironment

    from cosim.experiments.training import SeedTraining

_EPOCHS = 20
TRAIN = (
    "cosim train s1_semantic_iov --agent q-ddpg --seeds 10 --out runs/s1",
    "cosim train s1_semantic_iov --agent ddpg --episodes 100 --option batch=16",
    "cosim train CartPole-v1 --agent q-ppo --seeds 3 --episodes 200 --out runs/pole",
    "cosim train --agents",
    "cosim train --settings q-ddpg",
    "cosim compare s1_semantic_iov --policies greedy-latency,runs/s1/q-ddpg --seeds 10",
)


def _list(wanted: bool) -> None:
    if not wanted:
        return
    from cosim.experiments.contenders import need_learning
    from cosim.experiments.training import agents

    need_learning("cosim train")
    console.say_table(agents(), ("agent", "made of"))
    raise typer.Exit


def _tell_settings(agent: str | None) -> None:
    if agent is None:
        return
    from cosim.experiments.contenders import need_learning
    from cosim.experiments.training import settings

    need_learning("cosim train")
    console.say_table(settings(agent), ("option", "default", "meaning"))
    raise typer.Exit


def train_agent(
    scenario: PlaceName,
    agent: Annotated[str, typer.Option(metavar="NAME", help="Agent, as q-ddpg; see --agents.")],
    seeds: Seeds = 10,
    first_seed: FirstSeed = 1,
    episodes: Annotated[int, typer.Option(min=1, max=10_000_000, metavar="N", help="Episodes of each seed.")] = 500,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000_000,
            metavar="N",
            help="Decision epochs of an episode, 20 by default; in an environment steps, by default until it ends.",
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Setting of the agent, as lr=1e-3; see --settings."),
    ] = None,
    overrides: PlaceOverrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", parser=folder, help="Folder; under runs/ by default.")
    ] = None,
    checkpoint_every: Annotated[int, typer.Option(min=1, metavar="N", help="Episodes between checkpoints.")] = 10,
    jobs: Jobs = None,
    json: Json = False,
    _: Annotated[bool, typer.Option("--agents", callback=_list, is_eager=True, help="Only list the agents.")] = False,
    __: Annotated[
        str | None,
        typer.Option(
            "--settings", metavar="NAME", callback=_tell_settings, is_eager=True, help="Only list an agent's options."
        ),
    ] = None,
) -> None:
    """Train an agent on a scenario or in an environment, with several seeds side by side.

    Each seed has a folder DIR/AGENT/seedK with its checkpoint, curve.csv and TensorBoard events. The same command goes
    on where it was stopped, and trains on if it asks for more episodes. The folder DIR/AGENT is a policy for run,
    evaluate and compare. In an environment of Gymnasium or PettingZoo the agent reads all columns of an observation;
    --set gives the environment's arguments, --option discount=0.9 the discount factor.
    """
    from cosim.cli.progress import interruptible, progress_bars

    planned: list[SeedTraining] = []

    def left() -> str:
        kept = next((one.folder.parent for one in planned if one.has_checkpoint), None)
        what = "nothing is kept so far" if kept is None else f"what is trained so far is kept in {kept}"
        return f"{what}; run the same command again to go on"

    with interruptible(left):  # imports may take seconds
        from cosim.experiments import training
        from cosim.experiments.contenders import need_learning
        from cosim.experiments.environments import find_environment, is_environment
        from cosim.experiments.jobs import usable_processors
        from cosim.scenario.load import Loaded, load

        need_learning("cosim train")
        trained_on: Loaded | KnownEnvironment
        if is_environment(scenario):
            trained_on = find_environment(scenario, key_values(overrides or [], "--set", "gravity=5"))
            title, epochs = trained_on.name, epochs or 0
        else:
            trained_on = load(scenario, overrides or [])
            title, epochs = trained_on.scenario.name, epochs or _EPOCHS
        home = out or Path("runs") / f"train-{trained_on.run_id}"
        chosen, numbers = key_values(options or [], "--option", "batch=16"), range(first_seed, first_seed + seeds)
        planned = training.trainings(trained_on, agent, chosen, numbers, episodes, epochs, checkpoint_every, home)
        trained = training.train_all(planned, jobs or usable_processors(), progress_bars)
    curves = training.read_curves(planned)
    final = training.final(curves)
    picture = home / agent / "curves.png"
    training.draw_learning_curves(picture, planned, curves)
    if json:
        console.say_json({"folder": home / agent, "trained": trained, "picture": picture, "final": final})
        return
    if quiet():
        return
    skipped = seeds - trained
    who = f"agent {agent}, {count(seeds, 'seed')}" + (f", {skipped} of them trained before" if skipped else "")
    last = f"the last {training.last_episodes(episodes)} of {count(episodes, 'episode')}, in which agents explore"
    console.say(f"{title}, {who}; {last}\n")
    console.say_table(
        [(name, *value_low_high(one)) for name, one in final.items()],
        ("figure", "IQM", "low", "high", "unit"),
    )
    console.say("")
    console.say_table([("agents", str(home / agent)), ("curves", str(picture))])
