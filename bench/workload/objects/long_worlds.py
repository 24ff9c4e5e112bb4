# %% text_adventure
class World:
    def __init__(self, plan):
        self.rooms = {}
        for room, (exits, things) in plan.items():
            self.rooms[room] = {"exits": exits, "things": set(things), "seen": False}
        self.here = next(iter(plan))
        self.bag, self.turns, self.locked = set(), 0, {("hall", "north"): "key"}
        self.lamp, self.over = False, None

    def look(self):
        room = self.rooms[self.here]
        if self.here == "cellar" and not self.lamp:
            return "It is dark."
        room["seen"] = True
        things = ", ".join(sorted(room["things"])) or "nothing"
        return f"{self.here}: {things}; exits {' '.join(sorted(room['exits']))}"

    def go(self, way):
        there = self.rooms[self.here]["exits"].get(way)
        if there is None:
            return "No way."
        needed = self.locked.get((self.here, way))
        if needed and needed not in self.bag:
            return f"Locked. A {needed} would help."
        self.here = there
        if there == "garden":
            self.over = "won"
        return self.look()

    def take(self, thing):
        things = self.rooms[self.here]["things"]
        dark = self.here == "cellar" and not self.lamp
        if thing not in things or dark:
            return f"No {thing} to see."
        if len(self.bag) == 2:
            return "Hands full."
        things.remove(thing)
        self.bag.add(thing)
        return f"You have the {thing}."

    def drop(self, thing):
        if thing not in self.bag:
            return "You have none."
        self.bag.discard(thing)
        self.rooms[self.here]["things"].add(thing)
        return "Dropped."

    def use(self, thing):
        if thing == "lamp" and thing in self.bag:
            self.lamp = not self.lamp
            return "Light." if self.lamp else "Dark."
        return "Nothing happens."

    def command(self, text):
        verb, _, noun = text.partition(" ")
        self.turns += 1
        actions = {"go": self.go, "take": self.take, "drop": self.drop, "use": self.use}
        if verb == "look":
            return self.look()
        if verb not in actions or not noun:
            self.turns -= 1
            return "What?"
        return actions[verb](noun)


def f(plan, script):
    world, told = World(plan), []
    for line in script:
        told.append(world.command(line))
        if world.over:
            break
    return told, world.turns, world.over, sorted(world.bag), sum(r["seen"] for r in world.rooms.values())
# Input: {'hall': ({'down': 'cellar', 'north': 'garden'}, ['lamp', 'rug']), 'cellar': ({'up': 'hall'}, ['key']), 'garden': ({}, [])}, ['look', 'go north', 'take lamp', 'take rug', 'go down', 'take key', 'use lamp', 'take key', 'drop rug', 'take key', 'dance', 'go up', 'go north', 'look']
# Output: (['hall: lamp, rug; exits down north', 'Locked. A key would help.', 'You have the lamp.', 'You have the rug.', 'It is dark.', 'No key to see.', 'Light.', 'Hands full.', 'Dropped.', 'You have the key.', 'What?', 'hall: nothing; exits down north', 'garden: nothing; exits '], 12, 'won', ['key', 'lamp'], 2)

# %% chess_move_generator
def f(fen, side):
    board = {}
    for r, row in enumerate(fen.split("/")):
        c = 0
        for ch in row:
            if ch.isdigit():
                c += int(ch)
            else:
                board[c, 7 - r] = ch
                c += 1

    straight = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    diagonal = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    leaps = [(1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1)]

    def inside(c, r):
        return 0 <= c < 8 and 0 <= r < 8

    def white(piece):
        return piece.isupper()

    def pawn(board, c, r, own):
        step, home = (1, 1) if own else (-1, 6)
        if (c, r + step) not in board:
            yield c, r + step
            if r == home and (c, r + 2 * step) not in board:
                yield c, r + 2 * step
        for d in (-1, 1):
            taken = board.get((c + d, r + step))
            if taken and white(taken) != own:
                yield c + d, r + step

    def targets(board, c, r):
        piece = board[c, r]
        own, kind = white(piece), piece.lower()
        if kind == "p":
            yield from pawn(board, c, r, own)
            return
        directions = {"r": straight, "b": diagonal, "n": leaps}.get(kind, straight + diagonal)
        for dc, dr in directions:
            i, j = c + dc, r + dr
            while inside(i, j):
                taken = board.get((i, j))
                if taken and white(taken) == own:
                    break
                yield i, j
                if taken or kind in "nk":
                    break
                i, j = i + dc, j + dr

    def attacked(board, own):
        king = next(p for p, piece in board.items() if piece == ("K" if own else "k"))
        return any(
            king in targets(board, *p) for p, piece in list(board.items()) if white(piece) != own
        )

    def moves(board, own):
        for (c, r), piece in sorted(board.items()):
            if white(piece) != own:
                continue
            for i, j in targets(board, c, r):
                after = dict(board)
                after[i, j] = after.pop((c, r))
                if not attacked(after, own):
                    yield "abcdefgh"[c] + str(r + 1) + "abcdefgh"[i] + str(j + 1), after

    own = side == "w"
    legal = list(moves(board, own))
    mates = [name for name, after in legal if attacked(after, not own) and not any(moves(after, not own))]
    return len(legal), mates, [name for name, _ in legal[:5]], attacked(board, own)
# Input: 'r1bqkb1r/pppp1ppp/2n2n2/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR', 'w'
# Output: (43, ['h5f7'], ['a2a3', 'a2a4', 'b1c3', 'b1a3', 'b2b3'], False)

# %% event_calendar
import re
from collections import namedtuple

Event = namedtuple("Event", "start end title")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def minutes(day, clock):
    hour, minute = clock.split(":")
    return DAYS.index(day) * 1440 + int(hour) * 60 + int(minute)


def shown(moment):
    day, rest = divmod(moment, 1440)
    return f"{DAYS[day % 7]} {rest // 60:02}:{rest % 60:02}"


class Week:
    PATTERN = re.compile(r"(\w{3}(?:,\w{3})*) (\d+:\d\d)(?:-(\d+:\d\d)|\+(\d+)m) (.+)")

    def __init__(self):
        self.events = []

    def add(self, text):
        match = self.PATTERN.fullmatch(text)
        if not match:
            raise ValueError(f"cannot read {text!r}")
        days, start, end, length, title = match.groups()
        for day in days.split(","):
            if day not in DAYS:
                raise ValueError(f"no day {day!r}")
            begin = minutes(day, start)
            stop = minutes(day, end) if end else begin + int(length)
            if stop <= begin:
                stop += 1440
            self.events.append(Event(begin, stop, title))

    def conflicts(self):
        ordered = sorted(self.events)
        clashes = []
        for i, a in enumerate(ordered):
            for b in ordered[i + 1 :]:
                if b.start >= a.end:
                    break
                clashes.append(f"{a.title}/{b.title} {shown(b.start)}")
        return clashes

    def busiest(self):
        totals = dict.fromkeys(DAYS, 0)
        for e in self.events:
            at = e.start
            while at < e.end:
                day, rest = divmod(at, 1440)
                step = min(e.end - at, 1440 - rest)
                totals[DAYS[day % 7]] += step
                at += step
        return max(totals.items(), key=lambda t: t[1]), sum(totals.values())

    def free(self, day, length):
        at, end = minutes(day, "8:00"), minutes(day, "18:00")
        for e in sorted(self.events):
            if e.end <= at or e.start >= end:
                continue
            if e.start - at >= length:
                break
            at = max(at, e.end)
        return shown(at) if at + length <= end else None


def f(lines, wish):
    week, problems = Week(), []
    for line in lines:
        try:
            week.add(line)
        except ValueError as error:
            problems.append(str(error))
    return week.conflicts(), week.busiest(), week.free(*wish), problems
# Input: ['mon,wed 9:00-10:30 standup', 'mon 10:00+45m call', 'fri 22:00-2:00 party', 'wed 11:00+300m workshop', 'xyz 9:00+5m bug', 'sat noon', 'sat 1:00+120m sleep'], ('wed', 60)
# Output: (['standup/call mon 10:00', 'party/sleep sat 01:00'], (('wed', 390), 885), 'wed 08:00', ["no day 'xyz'", "cannot read 'sat noon'"])
