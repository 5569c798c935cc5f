/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the attackers of this folder share. Errors end the program with status 2; err()
 * and errx() say which program it was.
 */
#ifndef SLUICE_HOSTILE_H
#define SLUICE_HOSTILE_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* As C writes numbers. */
static inline uint64_t number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		errx(2, "'%s' is no number", text);
	return n;
}

static inline uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* All of it, shared and writable; mapped until the program ends. */
static inline unsigned char *map_file(const char *path, uint64_t *bytes)
{
	struct stat st;
	void *mem;
	int fd;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		err(2, "%s", path);
	*bytes = st.st_size;
	mem = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		err(2, "mmap of %s", path);
	return mem;
}

#endif /* SLUICE_HOSTILE_H */
