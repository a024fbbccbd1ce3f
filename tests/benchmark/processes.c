/*
 * Copyright (c) 2026, oomguard.linux contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * processes: a host full of processes that do nothing.
 *
 * usage: processes COUNT NAME...
 *
 * Starts COUNT children, of which every 50th takes one of the names, in turn,
 * and says "ready". They end with it, and it ends with the one that started it,
 * whatever becomes of them.
 */
#define _GNU_SOURCE /* kill(), with -std=c99 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The kernel tells of no parent that has ended already, so whether it is still there is asked after that. */
static void end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
}

int main(int words, char **word)
{
	pid_t own = getpid();
	long count = words > 2 ? strtol(word[1], NULL, 10) : 0;
	int names = words - 2;
	int ready[2]; /* which everybody has open until it is as it will stay */
	char nothing;

	end_with(getppid());
	if (pipe(ready) != 0)
		return EXIT_FAILURE;
	for (long started = 0; started < count; started++) {
		pid_t pid = fork();
		if (pid < 0) {
			perror("processes: fork");
			return EXIT_FAILURE; /* takes along what was started */
		}
		if (pid == 0) {
			end_with(own);
			if (started % 50 == 0)
				prctl(PR_SET_NAME, word[2 + started / 50 % names]);
			close(ready[0]);
			close(ready[1]);
			pause();
			_exit(EXIT_SUCCESS);
		}
	}
	close(ready[1]);
	if (read(ready[0], &nothing, 1) == 0)
		puts("ready");
	fflush(stdout);
	pause();
	return EXIT_SUCCESS;
}
