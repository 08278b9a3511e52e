"""Creates and updates: where failures are told, and what a name may be."""

from fidelity.experiment import Experiment, Result
from fidelity.lab import CODE, Lab, Seen, Unseen
from reconciler.emulator.switches import Switches

ASSUMED = Switches()


def failures(lab: Lab) -> Result:
    lab.contact_list("taken")
    seen = lab.create("good", "taken")
    if seen.status == 400 and seen.entries("errors"):
        return Result("http-400", seen.told)
    for place in ("warnings", "errors"):
        if seen.status == 200 and seen.entries(place):
            return Result(place, f"{seen.told}; {len(seen.data)} of 2 done")
    raise Unseen(f"no entry told of the failure: {seen.told}")


def source(lab: Lab) -> Result:
    lab.contact_list("taken")
    seen = lab.create("taken")
    entries = [*seen.entries("errors"), *seen.entries("warnings")]
    if not entries:
        raise Unseen(f"no entry told of the failure: {seen.told}")
    told = entries[0].get("source")
    keys = sorted(told) if isinstance(told, dict) else []
    return Result("null" if not told else "given", ", ".join(filter(CODE.fullmatch, map(str.lower, keys))))


def name_scope(lab: Lab) -> Result:
    other = lab.settings.other_retailer_id
    if not other:
        raise Unseen("name a second retailer in CRITEO_FIDELITY_OTHER_RETAILER_ID")
    lab.contact_list("same")
    seen = lab.create("same", retailer=other)
    return Result("retailer" if seen.data else "account", seen.told)


def descriptions(lab: Lab) -> Result:
    """As an ownership tag would stand there."""
    segment, told = lab.contact_list("told"), "Told [reconciler 0123456789-1a2b]"
    changed = lab.update((segment, {"description": {"value": told}}))
    [found] = lab.segments(audienceSegmentIds=[segment])
    kept = found["attributes"].get("description") == told
    return Result("kept" if kept else "dropped", changed.told)


def names_reusable(lab: Lab) -> Result:
    gone = lab.delete(lab.contact_list("again"))
    if not gone.data:
        raise Unseen(f"no segment could be deleted: {gone.told}")
    seen = lab.create("again")
    return Result(bool(seen.data), seen.told)


def name_comparison(lab: Lab) -> Result:
    lab.contact_list("alike")
    case, spaces = lab.create("ALIKE"), lab.create("alike ")
    ignored = [word for word, seen in (("case", case), ("spaces", spaces)) if _taken(seen)]
    return Result(", ".join(ignored) or "nothing", f"{case.told}; {spaces.told}")


def longest_name(lab: Lab) -> Result:
    room = 256 - len(lab.prefix) - 1
    most, more = lab.create("n" * room), lab.create("m" * (room + 1))
    if not most.data:
        return Result("less than 256", most.told)
    return Result("256" if not more.data else "more than 256", more.told)


def _taken(seen: Seen) -> bool:
    return not seen.data and "name-must-be-unique" in seen.told


EXPERIMENTS = (
    Experiment(
        "failures",
        "Where is a failed item of a bulk call told?",
        ASSUMED.failures,
        failures,
        switch="failures",
    ),
    Experiment("source", "Does an entry say which item it is about?", "null", source),
    Experiment(
        "name-scope", "Within what is a name unique?", ASSUMED.name_scope, name_scope, switch="name_scope"
    ),
    Experiment(
        "descriptions",
        "Does a segment keep its description, to the letter?",
        ASSUMED.descriptions,
        descriptions,
        switch="descriptions",
    ),
    Experiment(
        "names-reusable",
        "May the name of a deleted segment be given again?",
        ASSUMED.names_reusable,
        names_reusable,
        switch="names_reusable",
    ),
    Experiment(
        "name-comparison", "What is ignored when names are compared?", "case, spaces", name_comparison
    ),
    Experiment("longest-name", "How long may a name be?", "256", longest_name),
)
