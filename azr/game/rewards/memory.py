"""How similar a program is to all that its mode has stored, at a bounded cost.

A proposer that pays only for likeness to the newest tasks returns to older ones. In R-Diverse
(arXiv 2602.13103, memory-augmented penalty) it pays for its greatest and its mean likeness to the
whole past. Likeness is 1 - distance of the syntax trees (azr.game.rewards.distance).

Neither number needs a look at all programs:

- the nearest is sought among programs with the same least hashes of node pairs (MinHash with bands:
  Broder 1997, Indyk and Motwani 1998), of which each bucket holds only the newest;
- the mean is taken over a uniform sample (reservoir sampling, Vitter 1985).

Both are functions of the programs in the order they came, so a resumed run has the same memory.
"""

import struct
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import shake_128
from statistics import fmean

from rapidfuzz.distance import Indel
from rapidfuzz.process import extractOne

from azr.config.rewards import NoveltyConfig
from azr.seeds import derive_seed
from azr.types import Experience, Likeness, Profile

__all__ = ["Memory", "buckets_of", "with_likeness_paid"]

GRAM = 2
"""Nodes in a row that are hashed together. Pairs suit programs, most of which are small."""
BANDS, ROWS = 24, 2
"""Programs with a share J of their pairs in common meet with probability 1 - (1 - J^2)^24."""
BUCKET = 32
"""Programs that a bucket keeps, the newest. Those in one bucket are similar, so little is lost."""
CANDIDATES = 32
"""The programs that share the most buckets; the distance is computed to these alone."""
SAMPLE = 128
"""Programs in the sample for the mean; its standard error is their spread / 11."""


class Memory:
    """The programs of a mode's stored tasks. A program that is stored twice counts twice."""

    def __init__(self) -> None:
        self.num_programs = 0
        self._known: set[str] = set()
        self._buckets: defaultdict[bytes, deque[str]] = defaultdict(
            lambda: deque[str](maxlen=BUCKET)
        )
        self._sample: list[str] = []

    def add(self, profile: Profile) -> None:
        """Remember one more program."""
        sequence = profile.sequence
        self.num_programs += 1
        place = derive_seed("memory", self.num_programs) % self.num_programs
        if len(self._sample) < SAMPLE:
            self._sample.append(sequence)
        elif place < SAMPLE:
            self._sample[place] = sequence
        if sequence not in self._known:
            self._known.add(sequence)
            for bucket in buckets_of(sequence):
                self._buckets[bucket].append(sequence)

    def likeness(self, profile: Profile) -> Likeness | None:
        """Return likeness to the nearest program and, on average, to all; None without any."""
        if not self._sample:
            return None
        some = [Indel.normalized_similarity(profile.sequence, other) for other in self._sample]
        return Likeness(nearest=max(*some, self._nearest(profile.sequence)), mean=fmean(some))

    def _nearest(self, sequence: str) -> float:
        """Likeness to the nearest of those that share a bucket; 0 if none does."""
        if sequence in self._known:
            return 1.0
        shared = Counter[str]()
        for bucket in buckets_of(sequence):
            shared.update(self._buckets.get(bucket, ()))
        candidates = [other for other, _ in shared.most_common(CANDIDATES)]
        found = extractOne(sequence, candidates, scorer=Indel.normalized_similarity)
        return found[1] if found else 0.0


def buckets_of(sequence: str) -> list[bytes]:
    """Return a program's buckets, one per band: the band's number and its least hashes."""
    padded = sequence.rjust(GRAM)
    grams = {padded[start : start + GRAM] for start in range(len(padded) - GRAM + 1)}
    least = list(map(min, zip(*map(hashes_of, grams), strict=True)))
    return [
        struct.pack(f"B{ROWS}I", band, *least[band * ROWS : (band + 1) * ROWS])
        for band in range(BANDS)
    ]


@lru_cache(maxsize=16_384)
def hashes_of(gram: str) -> tuple[int, ...]:
    """As many independent hashes as all bands have rows."""
    number = BANDS * ROWS
    return struct.unpack(f"{number}I", shake_128(gram.encode()).digest(4 * number))


def with_likeness_paid(proposals: Sequence[Experience], config: NoveltyConfig) -> list[Experience]:
    """Lower proposals' pay for being similar to stored programs; keep their order.

    The reward becomes max(0, r - memory_nearest * nearest - memory_mean * mean) if it was above 0.
    It stays if it was not, or if nothing is stored.
    """
    paid = list(proposals)
    for place, proposal in enumerate(proposals):
        likeness = proposal.appraisal and proposal.appraisal.likeness
        if likeness and proposal.reward > 0:
            price = config.memory_nearest * likeness.nearest + config.memory_mean * likeness.mean
            paid[place] = replace(proposal, reward=max(0.0, proposal.reward - price))
    return paid
