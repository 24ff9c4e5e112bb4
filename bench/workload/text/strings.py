# %% longest_run
def f(s):
    best = ("", 0)
    i = 0
    while i < len(s):
        j = i
        while j < len(s) and s[j] == s[i]:
            j += 1
        if j - i > best[1]:
            best = (s[i], j - i)
        i = j
    return best
# Input: 'abbcccaaaadd'
# Output: ('a', 4)

# %% run_length_text
def f(s: str) -> str:
    if not s:
        return ""
    out, count = [], 1
    for a, b in zip(s, s[1:] + "\0"):
        if a == b:
            count += 1
        else:
            out.append(a if count == 1 else f"{count}{a}")
            count = 1
    return "".join(out)
# Input: 'wwwwabbbccd'
# Output: '4wa3b2cd'

# %% caesar_keep_case
def f(text, shift):
    def move(ch):
        for first in "aA":
            if first <= ch <= chr(ord(first) + 25):
                return chr((ord(ch) - ord(first) + shift) % 26 + ord(first))
        return ch

    return "".join(map(move, text))
# Input: 'Hello, Wild World!', -29
# Output: 'Ebiil, Tfia Tloia!'

# %% is_rotation
def f(a, b):
    return len(a) == len(b) and b in a + a
# Input: 'kayakrow', 'rowkayak'
# Output: True

# %% palindromic_centre
def f(s):
    spans = []
    for centre in range(2 * len(s) - 1):
        left = centre // 2
        right = left + centre % 2
        while left >= 0 and right < len(s) and s[left] == s[right]:
            left -= 1
            right += 1
        spans.append((right - left - 1, -left))
    length, start = max(spans)
    return s[1 - start : 1 - start + length]
# Input: 'xabacddcabay'
# Output: 'abacddcaba'

# %% zigzag_rails
def f(text, rails):
    if rails < 2:
        return text
    rows = [""] * rails
    row, step = 0, 1
    for ch in text:
        rows[row] += ch
        if row == 0:
            step = 1
        elif row == rails - 1:
            step = -1
        row += step
    return "|".join(rows)
# Input: 'we are discovered flee at once', 3
# Output: 'wrivdetc|eaedsoee lea ne|  crf o'

# %% common_prefix
def f(*words):
    prefix = words[0]
    for word in words[1:]:
        while not word.startswith(prefix):
            prefix = prefix[:-1]
            if not prefix:
                return None
    return prefix
# Input: 'interview', 'internet', 'interval', 'into'
# Output: 'int'

# %% every_nth_upper
def f(s, n):
    return "".join(c.upper() if i % n == n - 1 else c.lower() for i, c in enumerate(s))
# Input: 'The Quick Brown Fox', 4
# Output: 'the quiCk bRown fox'

# %% squeeze_spaces_and_trim
def f(lines):
    kept = []
    for line in lines:
        line = " ".join(line.split())
        if line and not line.startswith("#"):
            kept.append(line.rstrip(";"))
    return kept
# Input: ['  a   = 1 ;', '', '# gone', 'b\t=\t2', '   ']
# Output: ['a = 1 ', 'b = 2']

# %% swap_pairs_of_letters
def f(s):
    chars = list(s)
    for i in range(1, len(chars), 2):
        chars[i - 1], chars[i] = chars[i], chars[i - 1]
    return "".join(chars)
# Input: 'badcfeh'
# Output: 'abcdefh'

# %% vowels_reversed
def f(s):
    vowels = [c for c in s if c in "aeiouAEIOU"]
    return "".join(vowels.pop() if c in "aeiouAEIOU" else c for c in s)
# Input: 'Programming in peace'
# Output: 'Pregrammeng in piaco'

# %% first_unique_letter
def f(s):
    seen, once = set(), []
    for c in s:
        if c in seen:
            if c in once:
                once.remove(c)
        else:
            seen.add(c)
            once.append(c)
    return (once[0], s.index(once[0])) if once else None
# Input: 'redivider'
# Output: ('v', 4)

# %% unicode_folding
def f(s):
    folded = s.casefold()
    return folded, len(s), len(folded), folded.encode("utf-8").hex()[:24], s.swapcase()
# Input: 'Straße Ümläut ÉTÉ'
# Output: ('strasse ümläut été', 17, 18, '7374726173736520c3bc6d6c', 'sTRASSE üMLÄUT été')

# %% atoi_with_limits
def f(text):
    text = text.lstrip()
    sign, i, value = 1, 0, 0
    if text[:1] in ("+", "-"):
        sign = -1 if text[0] == "-" else 1
        i = 1
    while i < len(text) and text[i].isdigit():
        value = value * 10 + ord(text[i]) - ord("0")
        i += 1
    return max(-(2**31), min(2**31 - 1, sign * value))
# Input: '   -91283472332 and more'
# Output: -2147483648

# %% justify_line
def f(words, width):
    spaces = width - sum(len(w) for w in words)
    gaps = len(words) - 1
    if gaps == 0:
        return words[0].ljust(width, ".")
    each, extra = divmod(spaces, gaps)
    line = words[0]
    for k, word in enumerate(words[1:]):
        line += "." * (each + (k < extra)) + word
    return line
# Input: ['this', 'line', 'is', 'full'], 24
# Output: 'this....line...is...full'

# %% smallest_window
def f(s, letters):
    need = {}
    for c in letters:
        need[c] = need.get(c, 0) + 1
    missing, left, best = len(letters), 0, ""
    for right, c in enumerate(s):
        missing -= need.get(c, 0) > 0
        need[c] = need.get(c, 0) - 1
        while missing == 0:
            if not best or right - left + 1 < len(best):
                best = s[left : right + 1]
            need[s[left]] += 1
            missing += need[s[left]] > 0
            left += 1
    return best
# Input: 'adobecodebanc', 'abc'
# Output: 'banc'

# %% edit_one_apart
def f(a, b):
    if abs(len(a) - len(b)) > 1:
        return False
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return a[i + 1 :] == b[i + 1 :] or a[i:] == b[i + 1 :] or a[i + 1 :] == b[i:]
    return len(a) != len(b)
# Input: 'plate', 'pleate'
# Output: True

# %% column_numbers
def f(names):
    def number(name):
        n = 0
        for c in name:
            n = n * 26 + ord(c) - 64
        return n

    def name(n):
        letters = ""
        while n:
            n, r = divmod(n - 1, 26)
            letters = chr(65 + r) + letters
        return letters

    return [(n := number(x), name(n + 1)) for x in names]
# Input: ['A', 'Z', 'AZ', 'ZZ', 'XFD']
# Output: [(1, 'B'), (26, 'AA'), (52, 'BA'), (702, 'AAA'), (16384, 'XFE')]

# %% bracket_score
def f(s):
    stack = [0]
    for c in s:
        if c == "(":
            stack.append(0)
        else:
            inner = stack.pop()
            stack[-1] += max(1, 2 * inner)
    return stack[0]
# Input: '(()(()))()'
# Output: 7

# %% remove_adjacent_twins
def f(s, k):
    stack = []
    for c in s:
        if stack and stack[-1][0] == c:
            stack[-1][1] += 1
            if stack[-1][1] == k:
                stack.pop()
        else:
            stack.append([c, 1])
    return "".join(c * n for c, n in stack)
# Input: 'deeedbbcccbdaa', 3
# Output: 'aa'

# %% kmp_borders
def f(text, pattern):
    fail = [0] * len(pattern)
    k = 0
    for i in range(1, len(pattern)):
        while k and pattern[k] != pattern[i]:
            k = fail[k - 1]
        k += pattern[k] == pattern[i]
        fail[i] = k
    hits, k = [], 0
    for i, c in enumerate(text):
        while k and (k == len(pattern) or pattern[k] != c):
            k = fail[k - 1]
        k += pattern[k] == c
        if k == len(pattern):
            hits.append(i - k + 1)
    return fail, hits
# Input: 'ababcababababcab', 'abab'
# Output: ([0, 0, 1, 2], [0, 5, 7, 9])
