"""Philox4x32-10 (Salmon et al., SC'11), as kernels/op/philox.h numbers it: key = seed, counter =
(block, stream). Independent of the C: plain integers."""

MASK = 0xFFFFFFFF


def block(seed, stream, number):
    c = [number & MASK, number >> 32, stream & MASK, stream >> 32]
    k = [seed & MASK, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


class Draws:
    """64-bit draws, the two halves of block after block."""

    def __init__(self, seed, stream, number=0):
        self.seed, self.stream, self.number, self.left = seed, stream, number, []

    def next(self):
        if not self.left:
            w = block(self.seed, self.stream, self.number)
            self.number += 1
            self.left = [w[0] | w[1] << 32, w[2] | w[3] << 32]
        return self.left.pop(0)

    def below(self, bound):
        """Lemire's way to an unbiased number."""
        unfair = (1 << 64) % bound
        while True:
            product = self.next() * bound
            if product & ((1 << 64) - 1) >= unfair:
                return product >> 64


def uniform(seed, stream, number):
    return (Draws(seed, stream, number).next() >> 11) * 2.0 ** -53


def permutation(seed, stream, n):
    order, draws = list(range(n)), Draws(seed, stream)
    for i in range(n - 1, 0, -1):
        j = draws.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order
