# %% table_columns
def f(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [str(c).rjust(w) if isinstance(c, (int, float)) else c.ljust(w) for c, w in zip(row, widths)]
        lines.append(" | ".join(cells).rstrip())
    lines.insert(1, "-+-".join("-" * w for w in widths))
    return "\n".join(lines)
# Input: [('name', 'n', 'share'), ('ant', 12, 0.5), ('beetle', 7, 0.25)]
# Output: 'name   | n  | share\n-------+----+------\nant    | 12 |   0.5\nbeetle |  7 |  0.25'

# %% human_bytes
def f(sizes):
    out = []
    for size in sizes:
        value = float(size)
        for unit in ("B", "KiB", "MiB", "GiB"):
            if value < 1024 or unit == "GiB":
                out.append(f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}")
                break
            value /= 1024
    return out
# Input: [0, 1023, 1024, 1536, 1000000, 5368709120]
# Output: ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '976.6 KiB', '5.0 GiB']

# %% base64_by_hand
def f(data):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 6)
    text = "".join(alphabet[int(bits[i : i + 6], 2)] for i in range(0, len(bits), 6))
    return text + "=" * (-len(text) % 4)
# Input: b'any carnal pleas\xff'
# Output: 'YW55IGNhcm5hbCBwbGVhc/8='

# %% hexdump
def f(data):
    lines = []
    for start in range(0, len(data), 8):
        chunk = data[start : start + 8]
        shown = "".join(chr(b) if 32 <= b < 127 else "." for b in chunk)
        lines.append(f"{start:04x}  {chunk.hex(' '):<23}  {shown}")
    return lines
# Input: b'Hello\x00\nWorld \xe2\x82\xac!'
# Output: ['0000  48 65 6c 6c 6f 00 0a 57  Hello..W', '0008  6f 72 6c 64 20 e2 82 ac  orld ...', '0010  21                       !']

# %% morse_there_and_back
MORSE = dict(zip("abcdefghijklmnopqrstuvwxyz", ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..".split()))


def f(text):
    coded = " / ".join(" ".join(MORSE[c] for c in word) for word in text.split())
    back = {v: k for k, v in MORSE.items()}
    decoded = " ".join("".join(back[c] for c in word.split()) for word in coded.split(" / "))
    return coded, decoded == text
# Input: 'self play'
# Output: ('... . .-.. ..-. / .--. .-.. .- -.--', True)

# %% bar_chart
def f(counts, width):
    most = max(counts.values())
    lines = []
    for label, n in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0])):
        bar = "#" * round(n / most * width) or "."
        lines.append(f"{label:>6} {bar} {n / sum(counts.values()):.0%}")
    return lines
# Input: {'red': 12, 'blue': 30, 'green': 1, 'grey': 12}, 20
# Output: ['  blue #################### 55%', '  grey ######## 22%', '   red ######## 22%', ' green # 2%']

# %% format_mini_language
def f(value):
    specs = ["", ">8", "<8", "^8", "08.2f", "+.1e", ",.0f", ".3g", "%"]
    return [f"[{value:{spec}}]" for spec in specs]
# Input: 1234.5678
# Output: ['[1234.5678]', '[1234.5678]', '[1234.5678]', '[1234.5678]', '[01234.57]', '[+1.2e+03]', '[1,235]', '[1.23e+03]', '[123456.780000%]']

# %% indent_outline
def f(tree, depth=0):
    lines = []
    for name, children in tree.items():
        lines.append("  " * depth + ("- " if children else "* ") + name)
        lines += f(children, depth + 1)
    return lines
# Input: {'animals': {'birds': {'owl': {}, 'crow': {}}, 'fish': {}}, 'plants': {}}
# Output: ['- animals', '  - birds', '    * owl', '    * crow', '  * fish', '* plants']

# %% rotate_text_block
def f(text):
    lines = text.split("\n")
    width = max(map(len, lines))
    padded = [line.ljust(width) for line in lines]
    return ["".join(column).rstrip() for column in zip(*padded[::-1])]
# Input: 'abc\nde\nfghi'
# Output: ['fda', 'geb', 'h c', 'i']

# %% vigenere
def f(text, key, decode=False):
    out, k = [], 0
    for c in text:
        if c.isalpha():
            shift = ord(key[k % len(key)].lower()) - 97
            k += 1
            base = 65 if c.isupper() else 97
            out.append(chr((ord(c) - base + (-shift if decode else shift)) % 26 + base))
        else:
            out.append(c)
    result = "".join(out)
    return result if decode else (result, f(result, key, decode=True) == text)
# Input: 'Attack at Dawn!', 'lemon'
# Output: ('Lxfopv ef Rnhr!', True)

# %% luhn_and_isbn
def f(numbers):
    def luhn(s):
        digits = [int(c) for c in s][::-1]
        return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0

    def isbn10(s):
        values = [10 if c == "X" else int(c) for c in s]
        return len(s) == 10 and sum(w * v for w, v in zip(range(10, 0, -1), values)) % 11 == 0

    return [(luhn(n) if n.isdigit() else None, isbn10(n)) for n in numbers]
# Input: ['4539578763621486', '0306406152', '080442957X', '79927398713']
# Output: [(True, False), (False, True), (None, True), (True, False)]

# %% bencode
def f(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(f, value)) + b"e"
    return b"d" + b"".join(f(k) + f(value[k]) for k in sorted(value)) + b"e"
# Input: {'spam': ['a', 'é', -42], 'cow': {'moo': b'\x00'}}
# Output: b'd3:cowd3:moo1:\x00e4:spaml1:a2:\xc3\xa9i-42eee'

# %% struct_records
import struct


def f(records):
    packed = b"".join(struct.pack("<HbI4s", a, b, c, d.encode()) for a, b, c, d in records)
    size = struct.calcsize("<HbI4s")
    fields = [struct.unpack_from("<HbI4s", packed, i) for i in range(0, len(packed), size)]
    return len(packed), packed[:11].hex(), [x[3].rstrip(b"\0").decode() for x in fields]
# Input: [(65535, -1, 7, 'ab'), (1, 127, 4294967295, 'wxyz')]
# Output: (22, 'ffffff0700000061620000', ['ab', 'wxyz'])

# %% clock_arithmetic
def f(start, deltas):
    hours, minutes = map(int, start.split(":"))
    at = hours * 60 + minutes
    days, out = 0, []
    for delta in deltas:
        at += delta
        days += at // 1440
        at %= 1440
        out.append("%02d:%02d%+d" % (*divmod(at, 60), days))
    return out
# Input: '23:50', [15, -30, 1440, 605]
# Output: ['00:05+1', '23:35+0', '23:35+1', '09:40+2']

# %% calendar_month
def f(year, month):
    def days_before(y, m):
        leap = y % 4 == 0 and (y % 100 or y % 400 == 0)
        lengths = [31, 28 + bool(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        whole = 365 * (y - 1) + (y - 1) // 4 - (y - 1) // 100 + (y - 1) // 400
        return whole + sum(lengths[: m - 1]), lengths[m - 1]

    before, length = days_before(year, month)
    cells = [""] * (before % 7) + [str(d) for d in range(1, length + 1)]
    return [" ".join(c.rjust(2) for c in cells[i : i + 7]) for i in range(0, len(cells), 7)]
# Input: 2024, 2
# Output: ['          1  2  3  4', ' 5  6  7  8  9 10 11', '12 13 14 15 16 17 18', '19 20 21 22 23 24 25', '26 27 28 29']

# %% bits_as_braille
def f(rows):
    order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    line = ""
    for x in range(0, len(rows[0]), 2):
        code = 0
        for bit, (dy, dx) in enumerate(order):
            if dy < len(rows) and x + dx < len(rows[dy]) and rows[dy][x + dx] == "#":
                code |= 1 << bit
        line += chr(0x2800 + code)
    return line, [hex(ord(c)) for c in line]
# Input: ['##..', '.#.#', '#..#', '####']
# Output: ('⣝⣰', ['0x28dd', '0x28f0'])

# %% escape_sequences
def f(text):
    table = {"\n": "\\n", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
    out = []
    for c in text:
        if c in table:
            out.append(table[c])
        elif ord(c) < 32 or ord(c) > 126:
            out.append(f"\\u{ord(c):04x}")
        else:
            out.append(c)
    return '"' + "".join(out) + '"'
# Input: 'tab\there "quoted" back\\slash \x07 é\n'
# Output: '"tab\\there \\"quoted\\" back\\\\slash \\u0007 \\u00e9\\n"'

# %% change_of_base
def f(number, source, target):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    value = 0
    for c in number.lower():
        value = value * source + digits.index(c)
    out = ""
    while value:
        value, r = divmod(value, target)
        out = digits[r] + out
    return out or "0"
# Input: 'DEADBEEF', 16, 36
# Output: '1ps9wxb'
