/*
 * Copyright (c) 2026, oomguard.linux contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * forks: a storm of short-lived processes. Each counts its oom_score_adj when
 * it ends.
 *
 * The processes form chains: each forks its successor, reads its own score and
 * ends. So the processes of a list of pids soon end, and their successors are
 * not on the list: the hardest case for a program that must reach them all.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, PR_SET_CHILD_SUBREAPER */

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXPECTED = 0, UNEXPECTED = 1, USAGE = 2, NO_SCORE = 3, NO_MEMORY = 12 };

enum { LEAST = -1000, MOST = 1000, SCORES = MOST - LEAST + 1 };

static const char usage[] =
	"usage: forks COUNT [WIDTH] [EXPECT]\n"
	"\n"
	"Fork COUNT processes in all, about WIDTH (8) of them alive at a time, and\n"
	"count the scores with which they end. EXPECT lists the expected scores, such\n"
	"as 0,300; default: the score of forks itself. Each SIGUSR1 ends the first of\n"
	"them: a process that reads it afterwards was missed. SIGTERM ends the storm\n"
	"early.\n"
	"\n"
	"exit codes: 0 all scores were expected, 1 some were not, 2 usage\n";

/* Counters that all processes of the storm share. */
struct tally {
	long count; /* processes to fork in all */
	long forked;
	long missed;
	long settled; /* number of expected scores that are over */
	long ended[SCORES];
	long after[SCORES]; /* those that ended when only the last score was still expected */
};

static struct tally *tally;

struct storm {
	pid_t pid;
	long width;
};

static long expected[SCORES];
static long places; /* number of expected scores */

static long add(long *count, long number)
{
	return __atomic_add_fetch(count, number, __ATOMIC_SEQ_CST);
}

static long now(const long *count)
{
	return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}

static void pause_for_a_millisecond(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* --- one process ------------------------------------------------------------ */

static long own_score(void)
{
	char text[8] = "";
	int file = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);

	if (file < 0 || read(file, text, sizeof(text) - 1) < 1)
		_exit(NO_SCORE);
	close(file);
	return strtol(text, NULL, 10);
}

/* Returns the index of a score in expected[], or -1. */
static long place_of(long score)
{
	for (long place = 0; place < places; place++)
		if (expected[place] == score)
			return place;
	return -1;
}

/* Counts the score of this process, and returns its exit code. */
static int count_own_score(void)
{
	long settled = now(&tally->settled); /* read first: a score settled before own_score() must not show */
	long score = own_score();
	long place = place_of(score);

	add(&tally->ended[score - LEAST], 1);
	if (settled == places - 1)
		add(&tally->after[score - LEAST], 1);
	if (place >= 0 && place < settled)
		add(&tally->missed, 1);
	return place >= settled ? EXPECTED : UNEXPECTED;
}

/*
 * Like fork(), but also returns -1 when enough processes were forked, or when
 * the storm itself was killed, so that its chains end, too.
 */
static pid_t fork_one(const struct storm *storm)
{
	pid_t pid = -1;

	if (add(&tally->forked, 1) <= now(&tally->count) && kill(storm->pid, 0) == 0)
		pid = fork();
	if (pid < 0)
		add(&tally->forked, -1);
	return pid;
}

/*
 * A chain does not end by itself: all successors of a process with the wrong
 * score have it too, and sooner or later one is counted. Some processes live a
 * little longer, so that readers of /proc find some alive.
 */
static void live(const struct storm *storm)
{
	do {
		if (getpid() % 8 == 0)
			pause_for_a_millisecond();
	} while (fork_one(storm) == 0); /* the successor loops, its parent ends */
	_exit(count_own_score());
}

/* --- the storm -------------------------------------------------------------- */

/*
 * Starts chains and reaps all processes, orphans too: a subreaper becomes the
 * parent of every descendant whose parent has ended. Returns the number of
 * unexpected scores.
 */
static long run_storm(const struct storm *storm)
{
	long reaped = 0, unexpected = 0;
	int status;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	while (true) {
		pid_t pid = 0;
		while (pid >= 0 && now(&tally->forked) - reaped < storm->width)
			if ((pid = fork_one(storm)) == 0)
				live(storm);
		if (wait(&status) > 0) {
			reaped++;
			unexpected += status != EXPECTED; /* a killed process is unexpected, too */
		} else if (now(&tally->forked) < now(&tally->count)) {
			pause_for_a_millisecond(); /* no child is left and fork() failed: EAGAIN, no free pid */
		} else {
			return unexpected;
		}
	}
}

static void settle(int signal_number)
{
	(void)signal_number;
	if (now(&tally->settled) < places - 1)
		add(&tally->settled, 1);
}

static void end(int signal_number)
{
	(void)signal_number;
	__atomic_store_n(&tally->count, 0, __ATOMIC_SEQ_CST);
}

/* --- arguments and output --------------------------------------------------- */

static void print_scores(const char *name, const long *counts)
{
	const char *comma = "";

	printf("\"%s\": {", name);
	for (long at = 0; at < SCORES; at++) {
		if (!counts[at])
			continue;
		printf("%s\"%ld\": %ld", comma, at + LEAST, counts[at]);
		comma = ", ";
	}
	printf("}");
}

__attribute__((noreturn))
static void exit_with_usage(void)
{
	fputs(usage, stderr);
	exit(USAGE);
}

static long parse_number(const char *text, long least, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < least || value > most)
		exit_with_usage();
	return value;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 4)
		exit_with_usage();
	long count = parse_number(argv[1], 1, 100000000);
	struct storm storm = {
		.pid = getpid(),
		.width = argc > 2 ? parse_number(argv[2], 1, 10000) : 8,
	};
	if (argc < 4)
		expected[places++] = own_score();
	else
		for (char *score = strtok(argv[3], ","); score && places < SCORES; score = strtok(NULL, ","))
			expected[places++] = parse_number(score, LEAST, MOST);
	if (!places)
		exit_with_usage();
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED) {
		perror("forks: mmap");
		return NO_MEMORY;
	}
	tally->count = count;
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = end, .sa_flags = SA_RESTART }, NULL);
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = settle, .sa_flags = SA_RESTART }, NULL);

	long unexpected = run_storm(&storm);
	printf("{\"forked\": %ld, \"unexpected\": %ld, \"missed\": %ld, ", tally->forked, unexpected, tally->missed);
	print_scores("scores", tally->ended);
	printf(", ");
	print_scores("after", tally->after);
	printf("}\n");
	return unexpected ? UNEXPECTED : EXPECTED;
}
