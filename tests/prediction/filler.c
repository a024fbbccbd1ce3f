/*
 * Copyright (c) 2026, oomguard.linux contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * filler ANON FILE SHARED THREADS SCORE PATH: hold memory of each kind, in KiB,
 * then grow as a letter on the standard input says, until the killer acts.
 * "g" grows private memory, "t" a file of shared memory that no process maps.
 * It ends by SIGALRM, and with its parent.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { STEP = 64 << 10, DEADLINE = 600 };

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static size_t kib(const char *text)
{
	return strtoul(text, NULL, 10) << 10;
}

static void *hold(size_t bytes, int flags, int fd)
{
	if (bytes == 0)
		return NULL;
	char *memory = mmap(NULL, bytes, PROT_READ | (fd < 0 ? PROT_WRITE : 0), flags, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	for (size_t at = 0; at < bytes; at += 4096) {
		if (fd < 0)
			memory[at] = 1;
		else
			(void)*(volatile char *)(memory + at);
	}
	return memory;
}

static void *sleep_on(void *unused)
{
	pause();
	return unused;
}

int main(int count, char **words)
{
	if (count != 7)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(DEADLINE);
	FILE *score = fopen("/proc/self/oom_score_adj", "w");
	if (!score || fprintf(score, "%s", words[5]) < 0 || fclose(score))
		fail("oom_score_adj");
	int file = open(words[6], O_RDONLY);
	if (file < 0)
		fail(words[6]);
	hold(kib(words[2]), MAP_SHARED, file);
	hold(kib(words[3]), MAP_SHARED | MAP_ANONYMOUS, -1);
	/* Last, because up to Linux 6.1 a thread counts the pages of its last 64 faults late. One fault maps up to 16
	 * pages of a file, so a process that sleeps then would hide a megabyte from the killer, and from everybody. */
	hold(kib(words[1]), MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (long thread = strtol(words[4], NULL, 10); thread > 0; thread--) {
		pthread_t unused;
		if (pthread_create(&unused, NULL, sleep_on, NULL))
			fail("pthread_create");
	}
	if (write(1, "ready\n", 6) != 6)
		fail("write");
	char how;
	if (read(0, &how, 1) != 1)
		return 0;
	int shared = memfd_create("growth", 0);
	static char page[STEP];
	memset(page, 1, sizeof page);
	for (;;) {
		if (how == 'g')
			hold(STEP, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		else if (write(shared, page, sizeof page) < 0)
			fail("memfd");
	}
}
