# %% word_lengths_histogram
def f(text):
    hist = {}
    for word in text.split():
        word = word.strip(".,;!?")
        hist.setdefault(len(word), []).append(word.lower())
    return {k: sorted(set(v)) for k, v in sorted(hist.items())}
# Input: 'The cat sat on the mat; the dog, too, sat.'
# Output: {2: ['on'], 3: ['cat', 'dog', 'mat', 'sat', 'the', 'too']}

# %% pig_latin
def f(sentence):
    def turn(word):
        for i, c in enumerate(word):
            if c.lower() in "aeiou":
                return word[i:] + word[:i] + ("way" if i == 0 else "ay")
        return word + "ay"

    return " ".join(turn(w) for w in sentence.split())
# Input: 'string theory is a rhythm of quarks'
# Output: 'ingstray eorythay isway away rhythmay ofway uarksqay'

# %% title_with_small_words
SMALL = {"a", "an", "the", "of", "in", "and", "or", "to"}


def f(title):
    words = title.lower().split()
    last = len(words) - 1
    return " ".join(w if w in SMALL and 0 < i < last else w.capitalize() for i, w in enumerate(words))
# Input: 'the LORD of the rings and AN end to'
# Output: 'The Lord of the Rings and an End To'

# %% anagram_groups
def f(words):
    groups = {}
    for w in words:
        groups.setdefault("".join(sorted(w)), []).append(w)
    return sorted((g for g in groups.values() if len(g) > 1), key=lambda g: (-len(g), g))
# Input: ['tea', 'eat', 'nat', 'ate', 'tan', 'bat', 'tab', 'xyz']
# Output: [['tea', 'eat', 'ate'], ['bat', 'tab'], ['nat', 'tan']]

# %% wrap_greedy
def f(text, width):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return lines + [line] if line else lines
# Input: 'a greedy algorithm breaks a paragraph as late as it can', 16
# Output: ['a greedy', 'algorithm breaks', 'a paragraph as', 'late as it can']

# %% snake_to_camel_and_back
def f(name):
    if "_" in name:
        head, *tail = name.strip("_").split("_")
        return head.lower() + "".join(t.capitalize() for t in tail)
    out = []
    for i, c in enumerate(name):
        if c.isupper() and i and (name[i - 1].islower() or name[i + 1 : i + 2].islower()):
            out.append("_")
        out.append(c.lower())
    return "".join(out)
# Input: 'parseHTTPResponseBody'
# Output: 'parse_http_response_body'

# %% longest_word_chain
def f(words):
    best = {}
    for word in sorted(words, key=len):
        best[word] = [word]
        for i in range(len(word)):
            shorter = word[:i] + word[i + 1 :]
            if shorter in best and len(best[shorter]) >= len(best[word]):
                best[word] = best[shorter] + [word]
    return max(best.values(), key=lambda c: (len(c), c))
# Input: ['a', 'b', 'ba', 'bca', 'bda', 'bdca', 'xbdca', 'q']
# Output: ['a', 'ba', 'bca', 'bdca', 'xbdca']

# %% acronym_and_initials
def f(phrase):
    words = phrase.replace("-", " ").split()
    return "".join(w[0].upper() for w in words if w[0].isalpha()), sum(map(len, words))
# Input: 'portable network-graphics, or what 4 remains'
# Output: ('PNGOWR', 38)

# %% ordinal_words
def f(n):
    ones = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
    tens = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()

    def say(k):
        if k < 20:
            return ones[k]
        if k < 100:
            return tens[k // 10] + ("-" + ones[k % 10] if k % 10 else "")
        if k < 1000:
            rest = " and " + say(k % 100) if k % 100 else ""
            return ones[k // 100] + " hundred" + rest
        rest = " " + say(k % 1000) if k % 1000 else ""
        return say(k // 1000) + " thousand" + rest

    return say(n)
# Input: 317042
# Output: 'three hundred and seventeen thousand forty-two'

# %% levenshtein_suggestion
def f(word, dictionary):
    def distance(a, b):
        previous = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            row = [i]
            for j, y in enumerate(b, 1):
                row.append(min(row[-1] + 1, previous[j] + 1, previous[j - 1] + (x != y)))
            previous = row
        return previous[-1]

    ranked = sorted((distance(word, d), d) for d in dictionary)
    return [d for k, d in ranked if k == ranked[0][0]]
# Input: 'recieve', ['receive', 'relieve', 'deceive', 'recite', 'believe']
# Output: ['relieve']

# %% soundex
def f(names):
    codes = {c: d for d, group in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for c in group}

    def code(name):
        name = name.lower()
        digits, last = "", codes.get(name[0])
        for c in name[1:]:
            digit = codes.get(c)
            if digit and digit != last:
                digits += str(digit)
            if c not in "hw":
                last = digit
        return (name[0].upper() + digits + "000")[:4]

    return {n: code(n) for n in names}
# Input: ['Robert', 'Rupert', 'Ashcraft', 'Tymczak', 'Honeyman']
# Output: {'Robert': 'R163', 'Rupert': 'R163', 'Ashcraft': 'A261', 'Tymczak': 'T522', 'Honeyman': 'H555'}

# %% most_frequent_bigram
from collections import Counter


def f(text):
    letters = [c for c in text.lower() if c.isalpha()]
    pairs = Counter(a + b for a, b in zip(letters, letters[1:]))
    top = max(pairs.values())
    return top, sorted(p for p, n in pairs.items() if n == top)
# Input: 'The other brother bothered their mother.'
# Output: (6, ['he', 'th'])

# %% reverse_word_order_keep_punctuation
def f(text):
    import re

    parts = re.findall(r"\w+|\W+", text)
    words = [p for p in parts if p[0].isalnum()]
    return "".join(words.pop() if p[0].isalnum() else p for p in parts)
# Input: 'Well, this is (almost) perfect!'
# Output: 'perfect, almost is (this) Well!'

# %% isogram_and_pangram
def f(texts):
    verdicts = []
    for t in texts:
        letters = [c for c in t.lower() if c.isalpha()]
        distinct = set(letters)
        verdicts.append((len(letters) == len(distinct), len(distinct) == 26))
    return verdicts
# Input: ['lumberjacks', 'alphabet', 'Sphinx of black quartz, judge my vow']
# Output: [(True, False), (False, False), (False, True)]

# %% spoken_look_and_say
from itertools import groupby


def f(start, rounds):
    terms = [start]
    for _ in range(rounds):
        terms.append("".join(f"{len(list(g))}{d}" for d, g in groupby(terms[-1])))
    return terms
# Input: '21', 6
# Output: ['21', '1211', '111221', '312211', '13112221', '1113213211', '31131211131221']

# %% stable_marquee
def f(text, window, steps):
    padded = " " * window + text + " " * window
    frames = []
    for start in range(0, len(padded) - window + 1, steps):
        frames.append(padded[start : start + window])
    return [frame.replace(" ", "_") for frame in frames]
# Input: 'HELLO', 4, 2
# Output: ['____', '__HE', 'HELL', 'LLO_', 'O___']

# %% template_fill
def f(template, values):
    out, i = [], 0
    while i < len(template):
        if template.startswith("{{", i):
            end = template.find("}}", i)
            key, _, default = template[i + 2 : end].partition("|")
            out.append(str(values.get(key.strip(), default.strip())))
            i = end + 2
        else:
            out.append(template[i])
            i += 1
    return "".join(out)
# Input: 'Dear {{ name | friend }}, you owe {{sum}} {{ cur|EUR }}.', {'sum': 12.5}
# Output: 'Dear friend, you owe 12.5 EUR.'

# %% crossword_fit
def f(grid_word, candidates):
    def fits(word):
        return len(word) == len(grid_word) and all(g in ("?", w) for g, w in zip(grid_word, word))

    return [*filter(fits, candidates)]
# Input: 'c??t', ['cart', 'coat', 'cast', 'chart', 'host', 'cent']
# Output: ['cart', 'coat', 'cast', 'cent']

# %% rhyme_scheme
def f(lines, tail):
    scheme, known = "", {}
    for line in lines:
        end = "".join(c for c in line.lower() if c.isalpha())[-tail:]
        if end not in known:
            known[end] = chr(ord("A") + len(known))
        scheme += known[end]
    return scheme
# Input: ['the night is long', 'I hum a song', 'the stars are bright', 'I see their light', 'and sing along'], 3
# Output: 'AABBA'

# %% word_ladder
from collections import deque


def f(start, goal, words):
    queue, seen = deque([[start]]), {start}
    while queue:
        path = queue.popleft()
        if path[-1] == goal:
            return path
        for word in sorted(words):
            if word not in seen and sum(a != b for a, b in zip(word, path[-1])) == 1:
                seen.add(word)
                queue.append(path + [word])
    return []
# Input: 'cold', 'warm', {'cord', 'card', 'ward', 'warm', 'word', 'worm', 'wald', 'bold'}
# Output: ['cold', 'cord', 'card', 'ward', 'warm']
