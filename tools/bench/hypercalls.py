#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""hypercalls.py TRACE FRAMES: hypercalls in a file of xentrace, per 1000 frames

Prints three numbers: of all kinds, of those grant table operations, and of those
event channel operations. Records (public/trace.h): a header of 32 bits - event in the
low 28, number of extra words, whether 64 bits of time stamp follow - and the words.
"""
import struct
import sys

HYPERCALL_V2 = 0x20100D   # word 0: the number of the hypercall in the low 20 bits
SUBCALL = 0x20200E        # one of a multicall; the multicall itself is counted apart
GRANT_TABLE_OP = 20
EVENT_CHANNEL_OP = 32
MULTICALL = 13


def records(data):
    at = 0
    while at + 4 <= len(data):
        head, = struct.unpack_from("<I", data, at)
        extra = head >> 28 & 7
        at += 4 + (8 if head >> 31 else 0)
        words = data[at:at + 4 * extra]
        at += 4 * extra
        yield head & 0xFFFFFFF, words


def main():
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    frames = int(sys.argv[2])
    count = {"all": 0, GRANT_TABLE_OP: 0, EVENT_CHANNEL_OP: 0}
    for event, words in records(data):
        if event not in (HYPERCALL_V2, SUBCALL) or len(words) < 4:
            continue
        op = struct.unpack_from("<I", words)[0] & 0xFFFFF
        if op == MULTICALL:
            continue
        count["all"] += 1
        if op in count:
            count[op] += 1
    per = 1000 / frames if frames else 0
    print(*(round(n * per, 1) for n in count.values()))


if __name__ == "__main__":
    main()
