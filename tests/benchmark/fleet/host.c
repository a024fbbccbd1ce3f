/*
 * Copyright (c) 2026, oomguard.linux contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * host: run a program as a host of the benchmark, and record what it used.
 *
 * usage: FOLDER/bin/NAME ARGUMENT...
 *
 * Each host has a link to this program as its Python interpreter, so NAME is the
 * host. If FOLDER/run/NAME exists, the program sees it as /run/oomguard: hosts then
 * wait for no lock of another host. When the program has ended, a line with its user
 * time and system time in microseconds is added to FOLDER/used. That includes
 * the children that it waited for.
 *
 * If FOLDER/record exists, the program's input is searched for the name of a module,
 * and its output is kept as FOLDER/answers/MODULE. If FOLDER/replay exists, that
 * output is the answer, and no program runs: then a fleet costs only its controller.
 *
 * FOLDER and PROGRAM are compiled in: an environment may be changed on the way.
 */
#define _GNU_SOURCE /* unshare(), wait4(), memfd_create(), memmem() */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void give_up(const char *what)
{
	fprintf(stderr, "host: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILURE);
}

/* Copy all of a file to another one. */
static void copy(int from, int to)
{
	char part[65536];
	ssize_t length;

	while ((length = read(from, part, sizeof part)) > 0)
		for (ssize_t done = 0, wrote; done < length; done += wrote)
			if ((wrote = write(to, part + done, (size_t)(length - done))) < 0)
				give_up("write");
	if (length < 0)
		give_up("read");
}

/* Put the input into memory, so that it can be read twice, and find the path of the module's answer. */
static void find_answer(char *path, size_t size)
{
	static const char before[] = "module_fqn='";
	int input = memfd_create("input", MFD_CLOEXEC);
	struct stat found;
	char *text, *name;

	if (input < 0)
		give_up("memfd_create");
	copy(STDIN_FILENO, input);
	if (fstat(input, &found) != 0 || lseek(input, 0, SEEK_SET) != 0 || dup2(input, STDIN_FILENO) < 0)
		give_up("input");
	text = mmap(NULL, (size_t)found.st_size + 1, PROT_READ, MAP_PRIVATE, input, 0);
	if (text == MAP_FAILED)
		give_up("mmap");
	name = memmem(text, (size_t)found.st_size, before, sizeof before - 1);
	if (name == NULL) {
		fprintf(stderr, "host: the input names no module\n");
		_exit(EXIT_FAILURE);
	}
	name += sizeof before - 1;
	snprintf(path, size, "%s/answers/%.*s", FOLDER, (int)strcspn(name, "'"), name);
}

static int open_or_give_up(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		give_up(path);
	return fd;
}

static void run(char **word)
{
	char own[4096];
	struct stat found;
	const char *slash = strrchr(word[0], '/');

	snprintf(own, sizeof own, "%s/run/%s", FOLDER, slash != NULL ? slash + 1 : word[0]);
	if (stat(own, &found) == 0) {
		if (unshare(CLONE_NEWNS) != 0)
			give_up("unshare");
		if (mount(own, "/run/oomguard", NULL, MS_BIND, NULL) != 0)
			give_up(own);
	}
	word[0] = PROGRAM;
	execv(PROGRAM, word);
	give_up(PROGRAM);
}

static void record(const struct rusage *used)
{
	char line[64];
	int length = snprintf(line, sizeof line, "%lld %lld\n", used->ru_utime.tv_sec * 1000000LL + used->ru_utime.tv_usec,
			      used->ru_stime.tv_sec * 1000000LL + used->ru_stime.tv_usec);
	int fd = open(FOLDER "/used", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, line, (size_t)length) != length)
		give_up(FOLDER "/used");
	close(fd);
}

int main(int words, char **word)
{
	char path[4096] = "";
	struct rusage used;
	int status;
	pid_t pid;

	if (words < 1)
		return EXIT_FAILURE;
	if (access(FOLDER "/record", F_OK) == 0 || access(FOLDER "/replay", F_OK) == 0)
		find_answer(path, sizeof path);
	if (access(FOLDER "/replay", F_OK) == 0) {
		copy(open_or_give_up(path, O_RDONLY), STDOUT_FILENO);
		return EXIT_SUCCESS;
	}
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (pid == 0) {
		if (path[0] != '\0' && dup2(open_or_give_up(path, O_WRONLY | O_CREAT | O_TRUNC), STDOUT_FILENO) < 0)
			give_up("dup2");
		run(word);
	}
	if (wait4(pid, &status, 0, &used) != pid)
		give_up("wait4");
	if (path[0] != '\0')
		copy(open_or_give_up(path, O_RDONLY), STDOUT_FILENO);
	record(&used);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
