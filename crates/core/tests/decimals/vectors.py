"""Writes comparisons and arithmetic of decimals with their results, by Python's decimal.

usage: vectors.py SEED COMPARISONS OPERATIONS

Each line is an operation, its operands, and the result. Operands of a comparison have their type in
front: `d:` a decimal, `i:` an integer, `f:` the bits of a float.
"""

import random
import struct
import sys
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR
from decimal import ROUND_HALF_EVEN

DECIMAL128 = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, clamp=1, traps=[])
# Remainders are exact here, whatever the size of the quotient.
EXACT = Context(prec=13_000, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
ROUNDINGS = {"even": ROUND_HALF_EVEN, "trunc": ROUND_DOWN, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


def text(number):
    return "NaN" if number.is_nan() else str(number)


def decimal(source, wide=True):
    """A random decimal: of few digits, of many, or anywhere in the range."""
    special = source.random()
    if special < 0.02:
        return Decimal(source.choice(["NaN", "Infinity", "-Infinity", "0", "-0", "0E-6176", "0E+6111"]))
    digits = source.choice([1, 2, 3, 5, 8, 16, 17, 19, 33, 34, 34])
    coefficient = source.randrange(10**digits)
    exponent = source.choice([0, -2, source.randint(-6, 6), source.randint(-40, 40)])
    if wide and source.random() < 0.2:
        exponent = source.randint(-6176, 6111)
    sign = source.choice(["", "-"])
    return Decimal(f"{sign}{coefficient}E{exponent}")


def floating(source):
    kind = source.randrange(4)
    if kind == 0:
        return struct.unpack("<d", source.randbytes(8))[0]
    if kind == 1:
        return source.randint(-1000, 1000) / source.choice([1, 2, 8, 10, 100])
    if kind == 2:
        return source.choice([0.0, -0.0, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308])
    return source.uniform(-1, 1) * 10 ** source.randint(-20, 20)


def integer(source):
    bits = source.choice([3, 8, 53, 54, 63, 64])
    size = source.randrange(2**bits)
    return size if size >= 2**63 or source.random() < 0.5 else -size


def pair(source):
    """Two numbers, of which the first is a decimal, and which are often near each other."""
    kind = source.randrange(3)
    other = [decimal, floating, integer][kind](source)
    name = "dfi"[kind]
    if source.random() < 0.5 or other != other:
        return decimal(source), name, other
    near = DECIMAL128.create_decimal(Decimal(other))
    step = source.randrange(3)
    if near.is_finite() and step == 1:
        near = near.next_plus(DECIMAL128)
    if near.is_finite() and step == 2:
        near = near.next_minus(DECIMAL128)
    return near, name, other


def compared(one, other):
    if one.is_nan() or other != other:
        # NaN equals itself, and is below all others.
        return (other != other) - one.is_nan()
    return (one > other) - (one < other)


def shown(name, number):
    if name == "f":
        return "f:%016x" % struct.unpack("<Q", struct.pack("<d", number))[0]
    return f"{name}:{text(number) if name == 'd' else number}"


def comparison(source):
    one, name, other = pair(source)
    return f"cmp {shown('d', one)} {shown(name, other)} {compared(one, other)}"


def operation(source):
    one, other = decimal(source), decimal(source)
    name = source.choice(["add", "sub", "mul", "div", "rem", "sqrt", "exp", "ln", "log10", "round"])
    context = DECIMAL128
    if name in ("exp", "ln", "log10", "sqrt"):
        one = decimal(source, wide=name != "exp")
        result = {"exp": context.exp, "ln": context.ln, "log10": context.log10, "sqrt": context.sqrt}[name](one)
        return f"{name} {text(one)} {text(result)}"
    if name == "round":
        how = source.choice(list(ROUNDINGS))
        places = source.randint(-6, 6)
        rounding = Context(prec=34, rounding=ROUNDINGS[how], Emin=-6143, Emax=6144, clamp=1, traps=[])
        result = rounding.quantize(one, Decimal(1).scaleb(-places))
        # What 34 digits do not reach stays as it is; so do infinities.
        result = one if result.is_nan() or one.is_infinite() else result
        return f"round {how} {places} {text(one)} {text(result)}"
    if name == "rem":
        result = context.create_decimal(EXACT.remainder(one, other))
        return f"rem {text(one)} {text(other)} {text(result)}"
    result = {"add": context.add, "sub": context.subtract, "mul": context.multiply, "div": context.divide}[name](one, other)
    return f"{name} {text(one)} {text(other)} {text(result)}"


def main():
    seed, comparisons, operations = map(int, sys.argv[1:])
    source = random.Random(seed)
    for _ in range(comparisons):
        print(comparison(source))
    for _ in range(operations):
        print(operation(source))


main()
