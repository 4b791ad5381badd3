# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of a year, between two runs. An event that the claims cannot show returns True: only ``verify`` finds it."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import DEFAULT_REFS, Role, Volume
from ansible_collections.packit.deployment.tests.repositories import make

from .world import UPSTREAMS, Claim, World

Event = Callable[[World, random.Random], bool]


def _upstream(world: World, chance: random.Random) -> Path | None:
    there = [path for name in UPSTREAMS if (path := world.upstreams / f"{name}.git").exists()]
    return chance.choice(there) if there else None


def _volume(world: World, chance: random.Random, role: Role | None = None) -> tuple[Volume, Claim]:
    volumes = [volume for volume in world.claims if role is None or volume.role is role]
    volume = chance.choice(volumes)
    return volume, world.claims[volume]


def _entry(world: World, chance: random.Random, role: Role | None = None) -> Path | None:
    _name, claim = _volume(world, chance, role)
    entries = sorted(path for path in claim.directory.iterdir() if (path / "objects").is_dir())
    return chance.choice(entries) if entries else None


def upstream_moves(world: World, chance: random.Random) -> bool:
    path = _upstream(world, chance)
    if path is not None:
        make.commit(path, "main", chance.randint(1, 2), seed=chance.randrange(10**6))
    return False


def upstream_is_rewritten(world: World, chance: random.Random) -> bool:
    path = _upstream(world, chance)
    if path is not None and "refs/heads/main" in make.refs(path):
        make.force_push(path, "main", seed=chance.randrange(10**6))
        if chance.random() < 0.5:
            make.forget_unreachable(path)
    return False


def upstream_goes_back_in_time(world: World, chance: random.Random) -> bool:
    path = _upstream(world, chance)
    if path is not None:
        older = make.git(path, "rev-list", "--max-count=4", "main").split()
        make.git(path, "update-ref", "refs/heads/main", older[-1])
    return False


def upstream_turns_a_branch_into_a_directory(world: World, chance: random.Random) -> bool:
    path = _upstream(world, chance)
    if path is not None:
        for name in [name for name in make.refs(path) if name.startswith("refs/heads/feature")]:
            make.git(path, "update-ref", "-d", name)
            make.git(path, "update-ref", "refs/heads/feature" if name.endswith("/x") else f"{name}/x", "refs/heads/main")
    return False


def upstream_goes_or_comes_back(world: World, chance: random.Random) -> bool:
    path = world.upstreams / f"{chance.choice(UPSTREAMS)}.git"
    gone = path.with_suffix(".gone")
    if path.exists():
        path.rename(gone)
    else:
        gone.rename(path)
    return False


def claim_is_made_anew(world: World, chance: random.Random) -> bool:
    volume, claim = _volume(world, chance)
    shutil.rmtree(claim.directory)
    world.claims[volume] = world.new_claim()
    return False


def claim_is_kept_for_later(world: World, chance: random.Random) -> bool:
    """A snapshot of storage, from which a claim may be restored."""
    volume, claim = _volume(world, chance)
    kept = world.directory / "kept" / f"{volume.claim}-{chance.randrange(10**9)}"
    shutil.copytree(claim.directory, kept, symlinks=True)
    (world.directory / "kept" / f"{kept.name}.annotation").write_text(claim.annotation)
    return False


def claim_is_restored(world: World, chance: random.Random) -> bool:
    """Of any volume, to any claim; as CSI drivers do, what was written on it may come along."""
    kept = sorted(path for path in (world.directory / "kept").glob("*") if path.is_dir())
    if kept:
        source = chance.choice(kept)
        volume, claim = _volume(world, chance)
        shutil.rmtree(claim.directory)
        made = world.new_claim()
        shutil.copytree(source, made.directory, symlinks=True, dirs_exist_ok=True)
        if chance.random() < 0.5:
            made.annotation = source.with_name(f"{source.name}.annotation").read_text()
        world.claims[volume] = made
    return False


def pairs_are_swapped(world: World, chance: random.Random) -> bool:
    """The list of volumes pairs them otherwise; or two claims change their names."""
    one, other = world.pairs[0], world.pairs[-1]
    if one is not other:
        world.pairs = [replace(one, sandbox=other.sandbox), replace(other, sandbox=one.sandbox)]
    return False


def annotation_is_copied(world: World, chance: random.Random) -> bool:
    _source, source = _volume(world, chance)
    _target, target = _volume(world, chance)
    target.annotation = source.annotation
    return False


def annotation_is_lost(world: World, chance: random.Random) -> bool:
    _target, target = _volume(world, chance)
    target.annotation = ""
    return False


def project_is_renamed(world: World, chance: random.Random) -> bool:
    old = chance.choice(sorted(world.projects))
    new = f"{old}-{len(world.projects)}"[:20]
    world.projects[new] = replace(world.projects.pop(old), name=new)
    return False


def project_is_dropped(world: World, chance: random.Random) -> bool:
    if len(world.projects) > 1:
        world.projects.pop(chance.choice(sorted(world.projects)))
    return False


def project_is_added(world: World, chance: random.Random) -> bool:
    name = chance.choice(UPSTREAMS)
    world.projects.setdefault(name, world.project(name))
    return False


def refs_are_narrowed_or_widened(world: World, chance: random.Random) -> bool:
    name = chance.choice(sorted(world.projects))
    refs = chance.choice([("refs/heads/main",), ("refs/heads/*",), DEFAULT_REFS, ("refs/heads/main", "refs/tags/*")])
    world.projects[name] = replace(world.projects[name], refs=refs)
    return False


def _by_hand(directory: Path, *words: str, stdin: bytes = b"") -> str:
    """Run what somebody runs by hand; git may refuse, in an entry that is not whole."""
    try:
        return make.git(directory, *words, stdin=stdin)
    except subprocess.CalledProcessError:
        return ""


def _packs(entry: Path) -> list[Path]:
    return sorted((entry / "objects/pack").glob("*.pack"))


def bytes_are_flipped(world: World, chance: random.Random) -> bool:
    entry = _entry(world, chance)
    packs = [] if entry is None else _packs(entry)
    if packs:
        file = chance.choice(packs).with_suffix(chance.choice([".pack", ".pack", ".idx"]))
        if file.exists():
            data = bytearray(file.read_bytes())
            for _flip in range(chance.randint(1, 3)):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            file.chmod(0o644)
            file.write_bytes(data)
    return True


def a_pack_is_gone(world: World, chance: random.Random) -> bool:
    entry = _entry(world, chance)
    packs = [] if entry is None else _packs(entry)
    if packs:
        pack = chance.choice(packs)
        for suffix in chance.choice([(".pack", ".idx"), (".pack",), (".idx",)]):
            pack.with_suffix(suffix).unlink(missing_ok=True)
    return True


def a_ref_is_broken(world: World, chance: random.Random) -> bool:
    entry = _entry(world, chance)
    if entry is not None and (entry / "refs").is_dir():
        if chance.random() < 0.3:
            (entry / "packed-refs").write_text("no list of refs\n")
        else:
            (entry / "refs/heads").mkdir(exist_ok=True)
            (entry / "refs/heads/broken").write_text(f"{chance.randrange(16**40):040x}\n")
    return True


def somebody_works_by_hand(world: World, chance: random.Random) -> bool:
    """In an entry of a worker or a sandbox: an object under no ref, loose or packed."""
    entry = _entry(world, chance)
    if entry is not None and (entry / "HEAD").exists():
        value = _by_hand(entry, "hash-object", "-w", "--stdin", stdin=str(chance.random()).encode())
        name = str(entry / "objects/pack/pack")
        if value and chance.random() < 0.3 and _by_hand(entry, "pack-objects", "--quiet", name, stdin=f"{value}\n".encode()):
            (entry / "objects" / value[:2] / value[2:]).unlink()
    return True


def somebody_fetches_by_hand(world: World, chance: random.Random) -> bool:
    entry, upstream = _entry(world, chance, Role.WORKER), _upstream(world, chance)
    if entry is not None and upstream is not None and (entry / "HEAD").exists():
        make.commit(upstream, "main", 1, seed=chance.randrange(10**6))
        _by_hand(
            entry,
            "-c",
            "protocol.file.allow=always",
            "fetch",
            "--quiet",
            f"file://{upstream}",
            f"+main:refs/heads/by-hand-{chance.randrange(9)}",
        )
    return True


def somebody_clones_by_hand(world: World, chance: random.Random) -> bool:
    _name, claim = _volume(world, chance)
    upstream = _upstream(world, chance)
    name = chance.choice([*UPSTREAMS, "by-hand"])
    if upstream is not None and not (claim.directory / name).exists():
        bare = ["--bare"] if chance.random() < 0.6 else []
        _by_hand(claim.directory, "clone", "--quiet", *bare, f"file://{upstream}", name)
    return True


EVENTS: tuple[Event, ...] = (
    upstream_moves,
    upstream_moves,
    upstream_is_rewritten,
    upstream_goes_back_in_time,
    upstream_turns_a_branch_into_a_directory,
    upstream_goes_or_comes_back,
    claim_is_made_anew,
    claim_is_made_anew,
    claim_is_kept_for_later,
    claim_is_kept_for_later,
    claim_is_restored,
    claim_is_restored,
    pairs_are_swapped,
    annotation_is_copied,
    annotation_is_lost,
    project_is_renamed,
    project_is_dropped,
    project_is_dropped,
    project_is_added,
    refs_are_narrowed_or_widened,
    bytes_are_flipped,
    a_pack_is_gone,
    a_ref_is_broken,
    somebody_works_by_hand,
    somebody_fetches_by_hand,
    somebody_clones_by_hand,
)
