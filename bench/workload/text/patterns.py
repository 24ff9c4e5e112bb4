# %% dates_normalised
import re


def f(text):
    def iso(m):
        day, month, year = m.groups()
        return f"{int(year):04}-{int(month):02}-{int(day):02}"

    return re.sub(r"\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b", iso, text)
# Input: 'from 3.7.2021 to 14/12/2022, not 1.2.3'
# Output: 'from 2021-07-03 to 2022-12-14, not 1.2.3'

# %% tokens_by_named_groups
import re

TOKEN = re.compile(r"(?P<num>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<op>[-+*/=<>!]=?)|(?P<space>\s+)|(?P<bad>.)")


def f(line):
    return [(m.lastgroup, m.group()) for m in TOKEN.finditer(line) if m.lastgroup != "space"]
# Input: 'rate_2 = 3.14*(x<=10) ?'
# Output: [('name', 'rate_2'), ('op', '='), ('num', '3.14'), ('op', '*'), ('bad', '('), ('name', 'x'), ('op', '<='), ('num', '10'), ('bad', ')'), ('bad', '?')]

# %% phone_masks
import re


def f(lines):
    pattern = re.compile(r"^\+?(\d{1,3})[- ]?\(?(\d{3})\)?[- ]?(\d{3})[- ]?(\d{2})[- ]?(\d{2})$")
    return [m.expand(r"+\1 \2 ***-**-\5") if (m := pattern.match(line)) else None for line in lines]
# Input: ['+7 (912) 345-67-89', '1-800-555-12-34', 'no phone', '44 123 4567890']
# Output: ['+7 912 ***-**-89', '+1 800 ***-**-34', None, '+44 123 ***-**-90']

# %% log_summary
import re
from collections import defaultdict


def f(log):
    by_level = defaultdict(list)
    for line in log.splitlines():
        m = re.match(r"\[(\d\d):(\d\d):(\d\d)\] (\w+): (.*)", line)
        if m:
            h, mi, s, level, message = m.groups()
            by_level[level].append((int(h) * 3600 + int(mi) * 60 + int(s), message))
    return {k: (len(v), v[-1][0] - v[0][0], v[-1][1]) for k, v in by_level.items()}
# Input: '[10:00:00] INFO: up\n[10:00:05] WARN: slow\nnoise\n[10:01:00] INFO: down\n[10:02:05] WARN: dead'
# Output: {'INFO': (2, 60, 'down'), 'WARN': (2, 120, 'dead')}

# %% repeated_words
import re


def f(text):
    pattern = r"\b(\w+)(\s+\1\b)+"
    found = [m.group(1) for m in re.finditer(pattern, text, re.IGNORECASE)]
    return re.sub(pattern, r"\1", text, flags=re.IGNORECASE), found
# Input: 'The the cat sat sat sat on on one mat'
# Output: ('The cat sat on one mat', ['The', 'sat', 'on'])

# %% split_keep_separators
import re


def f(text):
    parts = re.split(r"([,;]|\s+and\s+)", text)
    return [p.strip() for p in parts[::2]], len(parts[1::2])
# Input: 'apples, pears;figs and plums and  nuts,'
# Output: (['apples', 'pears', 'figs', 'plums', 'nuts', ''], 5)

# %% glob_by_hand
def f(pattern, names):
    def match(p, s):
        if not p:
            return not s
        if p[0] == "*":
            return match(p[1:], s) or (bool(s) and match(p, s[1:]))
        return bool(s) and p[0] in ("?", s[0]) and match(p[1:], s[1:])

    return [n for n in names if match(pattern, n)]
# Input: 'te*t_?.p*', ['test_a.py', 'text_1.pyc', 'test_10.py', 'tet_x.p', 'te.py']
# Output: ['test_a.py', 'text_1.pyc', 'tet_x.p']

# %% tiny_regex_engine
def f(pattern, texts):
    def here(p, t):
        if not p:
            return True
        if p == "$":
            return not t
        if len(p) > 1 and p[1] == "*":
            k = 0
            while True:
                if here(p[2:], t[k:]):
                    return True
                if k == len(t) or p[0] not in (".", t[k]):
                    return False
                k += 1
        return bool(t) and p[0] in (".", t[0]) and here(p[1:], t[1:])

    def search(t):
        if pattern[0] == "^":
            return here(pattern[1:], t)
        return any(here(pattern, t[i:]) for i in range(len(t) + 1))

    return [search(t) for t in texts]
# Input: '^ab*c.$', ['abbbcd', 'acx', 'xabcd', 'abc', 'abcdd']
# Output: [True, True, False, False, False]

# %% thousands_separators
import re


def f(text):
    return re.sub(r"(?<![\d.])\d{4,}", lambda m: f"{int(m[0]):,}".replace(",", "'"), text)
# Input: 'of 1234567 we saw 0.12345 and 1000, not 999'
# Output: "of 1'234'567 we saw 0.12345 and 1'000, not 999"

# %% html_tags_balanced
import re


def f(html):
    stack, void = [], {"br", "img", "hr"}
    for m in re.finditer(r"<(/?)(\w+)[^>]*?(/?)>", html):
        closing, name, selfclosing = m.groups()
        if selfclosing or name in void:
            continue
        if not closing:
            stack.append(name)
        elif not stack or stack.pop() != name:
            return "unexpected", name, m.start()
    return ("open", stack) if stack else ("fine",)
# Input: '<div class="a"><p>one<br>two</p><ul><li>x</ul></div>'
# Output: ('unexpected', 'ul', 41)

# %% hex_colours
import re


def f(css):
    colours = re.findall(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b", css)
    full = ["".join(c * 2 for c in x) if len(x) == 3 else x for x in colours]
    rgb = [tuple(int(x[i : i + 2], 16) for i in (0, 2, 4)) for x in full]
    return sorted(rgb, key=lambda c: 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2])
# Input: 'a{color:#fa0} b{background:#102030;border:#FFFFFF} c{x:#12345}'
# Output: [(16, 32, 48), (255, 170, 0), (255, 255, 255)]

# %% versions_sorted
import re


def f(versions):
    def key(v):
        numbers = [int(n) for n in re.findall(r"\d+", v.split("-")[0])]
        while numbers and numbers[-1] == 0:
            numbers.pop()
        return numbers, "-" not in v, v

    return sorted(versions, key=key)
# Input: ['1.10.0', '1.9', '1.10-rc2', '1.2.10', '1.10-rc1', '2', '2.0.0-dev']
# Output: ['1.2.10', '1.9', '1.10-rc1', '1.10-rc2', '1.10.0', '2.0.0-dev', '2']

# %% lookahead_password
import re


def f(passwords):
    rules = {"digit": r"(?=.*\d)", "upper": r"(?=.*[A-Z])", "mark": r"(?=.*[^\w\s])", "long": r"(?=.{8,})"}
    return {p: [name for name, rule in rules.items() if not re.match(rule, p)] for p in passwords}
# Input: ['abc', 'Abcdefg1', 'Tr0ub4dor&3', 'correct horse battery']
# Output: {'abc': ['digit', 'upper', 'mark', 'long'], 'Abcdefg1': ['mark'], 'Tr0ub4dor&3': [], 'correct horse battery': ['digit', 'upper', 'mark']}

# %% bbcode_nesting
import re


def f(text):
    pattern = re.compile(r"\[(\w)\]([^\[\]]*)\[/\1\]")
    rounds = 0
    while pattern.search(text):
        text = pattern.sub(lambda m: f"<{m[1]}>{m[2].strip()}</{m[1]}>", text)
        rounds += 1
    return text, rounds
# Input: '[b] bold [i]both[/i] [u]under[/u][/b] [x]open'
# Output: ('<b>bold <i>both</i> <u>under</u></b> [x]open', 2)

# %% scanf_like
import re


def f(form, line):
    kinds = {"%d": r"(-?\d+)", "%s": r"(\S+)", "%f": r"(-?\d+\.\d*)"}
    order = re.findall(r"%[dsf]", form)
    pattern = "".join(kinds.get(p, re.escape(p)) for p in re.split(r"(%[dsf])", form))
    m = re.fullmatch(pattern, line)
    casts = {"%d": int, "%s": str, "%f": float}
    return tuple(casts[k](g) for k, g in zip(order, m.groups())) if m else None
# Input: 'move %d from %s (%f)', 'move -12 from stack_3 (0.25)'
# Output: (-12, 'stack_3', 0.25)

# %% camel_words_counted
import re
from collections import Counter


def f(source):
    words = Counter()
    for name in re.findall(r"[A-Za-z_]\w*", source):
        words.update(w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))
    return words.most_common(4)
# Input: 'getUserName(userId) setUserNameById(USER_ID, newName); user.save()'
# Output: [('user', 5), ('name', 3), ('id', 3), ('get', 1)]
