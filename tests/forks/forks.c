/*
 * Copyright (c) 2026, oomguard.linux contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * forks: a storm of short-lived processes, each of which tells at its end
 * what oom_score_adj it has.
 *
 * They live in chains: a process forks its successor, reads its own score and
 * ends. So what a list of pids names is soon gone, and what was forked
 * meanwhile is not on the list: as hard as it gets for who must reach them all.
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
	"count the scores with which they end. EXPECT are the scores that are in\n"
	"order (the own one), such as 0,300. At SIGUSR1 the first of them is over:\n"
	"what reads it from then on was missed. At SIGTERM it is enough, however few\n"
	"there were.\n"
	"\n"
	"exit codes: 0 all scores were in order, 1 some were not, 2 usage\n";

/* What all processes of the storm count together. */
struct tally {
	long count; /* how many are enough */
	long forked;
	long missed;
	long settled; /* how many of the expected scores are over */
	long ended[SCORES];
	long after[SCORES]; /* those of them that ended when only the last expected score was in order */
};

static struct tally *tally;

struct storm {
	pid_t pid;
	long width;
};

static long expected[SCORES];
static long places; /* how many scores are expected */

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

/* Place of a score among the expected ones, -1 when it is none of them. */
static long place_of(long score)
{
	for (long place = 0; place < places; place++)
		if (expected[place] == score)
			return place;
	return -1;
}

/* Whether the score with which this process ends is in order. */
static int last_words(void)
{
	long settled = now(&tally->settled); /* first: what is settled before the score is read must show in it */
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
 * As fork(), and -1 as well when there are enough, or when the storm itself
 * was killed: then its chains have to end, too.
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
 * A chain does not end by itself: a process with the wrong score has nothing
 * but successors with the wrong score, which sooner or later are told. Some
 * last a little, so that somebody is still there when others look.
 */
static void live(const struct storm *storm)
{
	do {
		if (getpid() % 8 == 0)
			pause_for_a_millisecond();
	} while (fork_one(storm) == 0); /* the successor goes round, its parent leaves */
	_exit(last_words());
}

/* --- the storm -------------------------------------------------------------- */

/*
 * Starts chains and buries the dead, the orphans too: a subreaper is the
 * parent of every descendant that has lost its own. How many scores were not
 * in order comes back.
 */
static long rage(const struct storm *storm)
{
	long buried = 0, unexpected = 0;
	int status;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	while (true) {
		pid_t pid = 0;
		while (pid >= 0 && now(&tally->forked) - buried < storm->width)
			if ((pid = fork_one(storm)) == 0)
				live(storm);
		if (wait(&status) > 0) {
			buried++;
			unexpected += status != EXPECTED; /* killed is not in order either */
		} else if (now(&tally->forked) < now(&tally->count)) {
			pause_for_a_millisecond(); /* nobody left, and fork() refused: EAGAIN, no pid is free */
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

/* --- words ------------------------------------------------------------------ */

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
static void refuse(void)
{
	fputs(usage, stderr);
	exit(USAGE);
}

static long number(const char *text, long least, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < least || value > most)
		refuse();
	return value;
}

int main(int words, char **word)
{
	if (words < 2 || words > 4)
		refuse();
	long count = number(word[1], 1, 100000000);
	struct storm storm = {
		.pid = getpid(),
		.width = words > 2 ? number(word[2], 1, 10000) : 8,
	};
	if (words < 4)
		expected[places++] = own_score();
	else
		for (char *score = strtok(word[3], ","); score && places < SCORES; score = strtok(NULL, ","))
			expected[places++] = number(score, LEAST, MOST);
	if (!places)
		refuse();
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED) {
		perror("forks: mmap");
		return NO_MEMORY;
	}
	tally->count = count;
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = end, .sa_flags = SA_RESTART }, NULL);
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = settle, .sa_flags = SA_RESTART }, NULL);

	long unexpected = rage(&storm);
	printf("{\"forked\": %ld, \"unexpected\": %ld, \"missed\": %ld, ", tally->forked, unexpected, tally->missed);
	print_scores("scores", tally->ended);
	printf(", ");
	print_scores("after", tally->after);
	printf("}\n");
	return unexpected ? UNEXPECTED : EXPECTED;
}
