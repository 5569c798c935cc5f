#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""hypercalls.py TRACE FRAMES DOMAIN...: hypercalls in a file of xentrace, per 1000 frames

Prints three numbers: of all kinds, of those grant table operations, and of those event
channel operations, of the domains with these ids. A record of a hypercall doesn't say
whose it is: the last change to "running" before it on that processor does.

Records (public/trace.h): a header of 32 bits - event in the low 28, number of extra words,
whether 64 bits of time stamp follow - and the words.
"""
import struct
import sys

LOST_RECORDS = 0x1F001    # Xen's buffer was full
CPU_CHANGE = 0x1F003      # word 0: the processor that the next records come from
RUNSTATE_CHANGE = 0x21001  # or-ed: old state << 8, new state << 4; word 0: domain << 16 | vcpu
RUNSTATES = 0x330
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
        words = struct.unpack_from(f"<{extra}I", data, at)
        at += 4 * extra
        yield head & 0xFFFFFFF, words


def main():
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    frames = int(sys.argv[2])
    domains = {int(d) for d in sys.argv[3:]}
    count = {"all": 0, GRANT_TABLE_OP: 0, EVENT_CHANNEL_OP: 0}
    cpu, running = 0, {}
    for event, words in records(data):
        if event == LOST_RECORDS:
            sys.exit("hypercalls.py: Xen's trace buffer was too small")
        elif event == CPU_CHANGE:
            cpu = words[0]
        elif event & ~RUNSTATES == RUNSTATE_CHANGE and not event & 0x30:
            running[cpu] = words[0] >> 16
        elif event in (HYPERCALL_V2, SUBCALL) and running.get(cpu) in domains:
            op = words[0] & 0xFFFFF
            if op == MULTICALL:
                continue
            count["all"] += 1
            if op in count:
                count[op] += 1
    per = 1000 / frames if frames else 0
    print(*(round(n * per, 1) for n in count.values()))


if __name__ == "__main__":
    main()
