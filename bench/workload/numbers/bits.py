# %% count_bits_three_ways
def f(n):
    kernighan, m = 0, n
    while m:
        m &= m - 1
        kernighan += 1
    return kernighan, bin(n).count("1"), n.bit_count(), n.bit_length()
# Input: 1023456789
# Output: (13, 13, 13, 30)

# %% single_number_among_triples
def f(nums):
    ones = twos = 0
    for x in nums:
        ones = (ones ^ x) & ~twos
        twos = (twos ^ x) & ~ones
    return ones
# Input: [5, -7, 5, 12, -7, 5, 12, 12, 99, -7]
# Output: 99

# %% gray_code
def f(bits):
    codes = [i ^ (i >> 1) for i in range(1 << bits)]
    steps = [(a ^ b).bit_length() - 1 for a, b in zip(codes, codes[1:])]

    def decode(g):
        n = 0
        while g:
            n ^= g
            g >>= 1
        return n

    return [f"{c:0{bits}b}" for c in codes], steps, [decode(c) for c in codes[-3:]]
# Input: 3
# Output: (['000', '001', '011', '010', '110', '111', '101', '100'], [0, 1, 0, 2, 0, 1, 0], [5, 6, 7])

# %% reverse_bits_32
def f(n):
    n = (n >> 1) & 0x55555555 | (n & 0x55555555) << 1
    n = (n >> 2) & 0x33333333 | (n & 0x33333333) << 2
    n = (n >> 4) & 0x0F0F0F0F | (n & 0x0F0F0F0F) << 4
    n = (n >> 8) & 0x00FF00FF | (n & 0x00FF00FF) << 8
    return (n >> 16 | n << 16) & 0xFFFFFFFF
# Input: 43261596
# Output: 964176192

# %% subsets_of_a_mask
def f(mask, items):
    subsets, sub = [], mask
    while True:
        subsets.append("".join(c for i, c in enumerate(items) if sub >> i & 1))
        if sub == 0:
            return subsets
        sub = (sub - 1) & mask
# Input: 11, 'abcd'
# Output: ['abd', 'bd', 'ad', 'd', 'ab', 'b', 'a', '']

# %% next_same_popcount
def f(n, count):
    out = []
    for _ in range(count):
        low = n & -n
        ripple = n + low
        n = ripple | ((n ^ ripple) >> (2 + low.bit_length() - 1))
        out.append(n)
    return out
# Input: 19, 8
# Output: [21, 22, 25, 26, 28, 35, 37, 38]

# %% two_lonely_numbers
def f(nums):
    both = 0
    for x in nums:
        both ^= x
    lowest = both & -both
    a = b = 0
    for x in nums:
        if x & lowest:
            a ^= x
        else:
            b ^= x
    return sorted((a, b))
# Input: [4, 1, 4, 6, 9, 1, 11, 9]
# Output: [6, 11]

# %% maximum_xor_pair
def f(nums):
    best, prefixes = 0, set()
    for bit in range(max(nums).bit_length() - 1, -1, -1):
        prefixes = {x >> bit for x in nums}
        candidate = (best << 1) | 1
        best = candidate if any(p ^ candidate in prefixes for p in prefixes) else candidate - 1
    return best
# Input: [3, 10, 5, 25, 2, 8, 77, 41]
# Output: 100

# %% popcount_parity_sequence
def f(n):
    thue = [0]
    while len(thue) < n:
        thue += [1 - t for t in thue]
    text = "".join(map(str, thue[:n]))
    cubes = any(text[i : i + k] * 3 == text[i : i + 3 * k] for k in range(1, n // 3) for i in range(n - 3 * k + 1))
    return text, cubes, text == "".join(str(i.bit_count() & 1) for i in range(n))
# Input: 40
# Output: ('0110100110010110100101100110100110010110', False, True)

# %% lfsr_period
def f(seed, taps, width):
    state, out, steps = seed, "", 0
    while True:
        out += str(state & 1)
        feedback = 0
        for t in taps:
            feedback ^= state >> t & 1
        state = state >> 1 | feedback << (width - 1)
        steps += 1
        if state == seed:
            return steps, out[:24], out.count("1")
# Input: 9, (0, 2, 3, 5), 6
# Output: (63, '100100011011001011010111', 32)

# %% hamming_code_7_4
def f(nibble, flipped):
    d = [nibble >> i & 1 for i in (3, 2, 1, 0)]
    word = [d[0] ^ d[1] ^ d[3], d[0] ^ d[2] ^ d[3], d[0], d[1] ^ d[2] ^ d[3], *d[1:]]
    sent = word.copy()
    if flipped:
        word[flipped - 1] ^= 1
    syndrome = 0
    for place, bit in enumerate(word, 1):
        if bit:
            syndrome ^= place
    if syndrome:
        word[syndrome - 1] ^= 1
    return sent, syndrome, word == sent, word[2] * 8 + word[4] * 4 + word[5] * 2 + word[6]
# Input: 11, 6
# Output: ([0, 1, 1, 0, 0, 1, 1], 6, True, 11)

# %% bitboard_knight_moves
def f(square):
    x, y = "abcdefgh".index(square[0]), int(square[1]) - 1
    board = 0
    for dx, dy in ((1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1)):
        if 0 <= x + dx < 8 and 0 <= y + dy < 8:
            board |= 1 << (8 * (y + dy) + x + dx)
    names = ["abcdefgh"[i % 8] + str(i // 8 + 1) for i in range(64) if board >> i & 1]
    return hex(board), names
# Input: 'b1'
# Output: ('0x50800', ['d2', 'a3', 'c3'])

# %% interleave_morton
def f(points):
    def code(x, y):
        z = 0
        for i in range(8):
            z |= (x >> i & 1) << 2 * i | (y >> i & 1) << 2 * i + 1
        return z

    return sorted((code(x, y), (x, y)) for x, y in points)
# Input: [(3, 5), (2, 2), (7, 0), (0, 1), (200, 15)]
# Output: [(2, (0, 1)), (12, (2, 2)), (21, (7, 0)), (39, (3, 5)), (20714, (200, 15))]

# %% signed_wraparound
def f(values, bits):
    half, full = 1 << bits - 1, 1 << bits
    wrapped = [(v + half) % full - half for v in values]
    total = 0
    for v in wrapped:
        total = (total + v + half) % full - half
    return wrapped, total, [v & (full - 1) for v in wrapped], -8 >> 1, ~5
# Input: [127, 128, -129, 1000, -1], 8
# Output: ([127, -128, 127, -24, -1], 101, [127, 128, 127, 232, 255], -4, -6)

# %% xor_of_range_queries
def f(queries):
    def upto(n):
        return (n, 1, n + 1, 0)[n % 4] if n >= 0 else 0

    fast = [upto(b) ^ upto(a - 1) for a, b in queries]
    slow = []
    for a, b in queries:
        x = 0
        for k in range(a, b + 1):
            x ^= k
        slow.append(x)
    return fast, fast == slow
# Input: [(3, 9), (0, 100), (17, 17), (5, 1003)]
# Output: ([2, 100, 17, 4], True)

# %% bloom_filter
def f(members, probes, size):
    bits = 0

    def places(word):
        h1 = h2 = 0
        for c in word:
            h1 = (h1 * 31 + ord(c)) % size
            h2 = (h2 * 131 + ord(c) + 7) % size
        return h1, h2, (h1 + h2) % size

    for word in members:
        for p in places(word):
            bits |= 1 << p
    return [all(bits >> p & 1 for p in places(w)) for w in probes], bits.bit_count()
# Input: ['ant', 'bee', 'cat', 'dog'], ['bee', 'eel', 'fox', 'dog', 'gnu'], 97
# Output: ([True, False, False, True, False], 12)

# %% run_length_bitstream
def f(bits):
    out = bytearray()
    current, run = 0, 0
    for bit in bits:
        if int(bit) == current and run < 255:
            run += 1
        else:
            out.append(run)
            current, run = 1 - current, 1
    out.append(run)
    back = "".join("01"[i % 2] * n for i, n in enumerate(out))
    return out.hex(), back == bits, memoryview(out)[1:3].tolist()
# Input: '1110000000000001010111111111'
# Output: ('00030c0101010109', True, [3, 12])
