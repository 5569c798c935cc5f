/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes and times as people write them. Pure code. */
#ifndef SLUICECTL_SIZE_H
#define SLUICECTL_SIZE_H

#include <stdint.h>

#define SIZE_TEXT	32

/**
 * size_parse() - "16M" to bytes
 * @text: digits and a unit: none or B, K or KiB, M or MiB, G or GiB, T or TiB
 * @bytes: result, unchanged on error
 *
 * Return: NULL, or what is wrong, for a person.
 */
const char *size_parse(const char *text, uint64_t *bytes);

/**
 * size_format() - bytes as size_parse() reads them back, without loss
 * @bytes: any
 * @buf: the result, which is also returned
 */
const char *size_format(uint64_t bytes, char buf[SIZE_TEXT]);

/**
 * time_parse() - "5s" to milliseconds
 * @text: digits and a unit: ms, s or m
 * @ms: result, unchanged on error
 *
 * Return: NULL, or what is wrong, for a person.
 */
const char *time_parse(const char *text, uint32_t *ms);

/**
 * time_format() - milliseconds as time_parse() reads them back, without loss
 * @ms: any
 * @buf: the result, which is also returned
 */
const char *time_format(uint32_t ms, char buf[SIZE_TEXT]);

#endif /* SLUICECTL_SIZE_H */
