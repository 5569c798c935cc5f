/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which received frames may stay in memory that the peer can write; both sides ask. Pure code.
 *
 * Headers are copied before anybody looks at them. What is behind those that we know how to
 * copy stays where it is, so it must be bytes that the stack only hands on, or to a user, once.
 * It is not if there are more headers, which a filter looks at first and the protocol
 * once more afterwards; nor if the stack decrypts or authenticates it in place, since the peer can
 * read it, or change it once it was found right; nor if the stack keeps it for long, as it
 * does IP fragments, for which a segment would have to wait.
 */
#ifndef SLUICE_HEADERS_H
#define SLUICE_HEADERS_H

#include <sluice/os.h>

#define SLUICE_HEADERS_BYTES	128	/* copied before the headers are parsed */
#define SLUICE_HEADERS_TCP	6
#define SLUICE_HEADERS_UDP	17

u32 sluice_headers_plain(const u8 *frame, u32 len_bytes, u8 *proto);

#endif /* SLUICE_HEADERS_H */
