/*
 * Copyright (c) 2026, oomguard.linux contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * oom_hog: allocate memory step by step and touch every page, until the OOM
 * killer acts, the size is reached, or the deadline passes.
 *
 * It is meant to be killed, so it must not harm other processes: it starts only
 * where a memory cgroup keeps the damage small, unless --host is given, and it
 * ends at its deadline even if its parent is gone.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, madvise(), getopt_long() */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { SURVIVED = 0, USAGE = 2, REFUSED = 3, SCORE_NOT_SET = 4, OUT_OF_MEMORY = 12 };

enum { NAME_BYTES = 15, LINE = 4096 };

#define VERSION "1.0.0" /* of the collection, see galaxy.yml */
#define KIB 1024ULL
#define NO_LIMIT (~0ULL)

struct options {
	unsigned long long size, step, max_domain; /* bytes */
	long pause_ms, hold, deadline, score;
	bool score_given, host;
	const char *name;
};

static const char usage[] =
	"usage: oom_hog --size SIZE [options]\n"
	"\n"
	"Allocate memory step by step and touch every page.\n"
	"\n"
	"  --size SIZE        how much to allocate, in bytes or with K, M or G\n"
	"  --step SIZE        how much in each step (1M)\n"
	"  --pause MS         milliseconds between two steps (0)\n"
	"  --hold SECONDS     hold the memory for this time, then exit (0)\n"
	"  --score N          set oom_score_adj, -1000 to 1000, and read it back\n"
	"  --name NAME        name of the process, at most 15 bytes\n"
	"  --deadline SECONDS end by SIGALRM after this time (30)\n"
	"  --max-domain SIZE  refuse to start in a larger memory domain (256M)\n"
	"  --host             accept the whole host as the memory domain\n"
	"  --help             this text\n"
	"  --version          version of the collection it belongs to\n"
	"\n"
	"exit codes: 0 survived, 12 out of memory (ENOMEM), 2 usage, 3 refused to\n"
	"start, 4 score not set; killed by signal 9 is the expected end\n";

/* --- output: one JSON line for each phase --------------------------------- */

/*
 * Write each line with one write(), so that it is complete even if the next
 * page brings the kill. If the reader is gone, the deadline still ends us.
 */
__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
	char line[LINE];
	va_list values;

	va_start(values, format);
	int length = vsnprintf(line, sizeof(line), format, values);
	va_end(values);
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		return;
}

/* Return the bytes of the UTF-8 character that starts here, 0 if it is not valid (RFC 3629). */
static size_t utf8_bytes(const unsigned char *at)
{
	size_t bytes = at[0] < 0x80 ? 1
		     : at[0] < 0xc2 ? 0
		     : at[0] < 0xe0 ? 2
		     : at[0] < 0xf0 ? 3
		     : at[0] < 0xf5 ? 4
				    : 0;

	for (size_t i = 1; i < bytes; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
	bool no_character = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
	return overlong || no_character ? 0 : bytes;
}

/* Return a string escaped for JSON; a byte that is not UTF-8 becomes U+FFFD. */
static const char *quoted(const char *text)
{
	static char json[6 * LINE / 8];
	char *out = json;
	const char *const last = json + sizeof(json) - sizeof("\\uffff");

	for (const unsigned char *in = (const unsigned char *)text; *in && out < last;) {
		size_t bytes = utf8_bytes(in);
		if (!bytes)
			out += sprintf(out, "\\ufffd");
		else if (*in == '"' || *in == '\\')
			out += sprintf(out, "\\%c", *in);
		else if (*in < ' ' || *in == 0x7f)
			out += sprintf(out, "\\u%04x", *in);
		else
			out += sprintf(out, "%.*s", (int)bytes, (const char *)in);
		in += bytes ? bytes : 1;
	}
	*out = '\0';
	return json;
}

__attribute__((noreturn, format(printf, 2, 3)))
static void end_with(int code, const char *format, ...)
{
	char reason[LINE / 4];
	va_list values;

	va_start(values, format);
	vsnprintf(reason, sizeof(reason), format, values);
	va_end(values);
	fprintf(stderr, "oom_hog: %s\n", reason);
	if (code == REFUSED)
		say("{\"phase\": \"refused\", \"reason\": \"%s\"}\n", quoted(reason));
	exit(code);
}

/* --- options ---------------------------------------------------------------- */

static long number(const char *option, const char *text, long least, long most)
{
	const char *digits = text + (*text == '-');
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	/* strtol() also accepts a plus sign and blanks. */
	if (errno || *digits < '0' || *digits > '9' || *end || value < least || value > most)
		end_with(USAGE, "--%s '%s': must be a whole number from %ld to %ld", option, text, least, most);
	return value;
}

static unsigned long long size(const char *option, const char *text)
{
	char *end;
	unsigned int shift = 0;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (*end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	if (shift)
		end++;
	/* strtoull() also accepts a sign and blanks. */
	if (errno || text[0] < '0' || text[0] > '9' || *end || value == 0 || value > (NO_LIMIT >> 1 >> shift))
		end_with(USAGE, "--%s '%s': must be a size such as 64M, in bytes or with K, M or G", option, text);
	return value << shift;
}

static struct options parse(int count, char **words)
{
	enum { SIZE, STEP, PAUSE, HOLD, SCORE, NAME, DEADLINE, MAX_DOMAIN, HOST, HELP, VERSION_ASKED };
	static const struct option known[] = {
		[SIZE] = { "size", required_argument, NULL, 0 },
		[STEP] = { "step", required_argument, NULL, 0 },
		[PAUSE] = { "pause", required_argument, NULL, 0 },
		[HOLD] = { "hold", required_argument, NULL, 0 },
		[SCORE] = { "score", required_argument, NULL, 0 },
		[NAME] = { "name", required_argument, NULL, 0 },
		[DEADLINE] = { "deadline", required_argument, NULL, 0 },
		[MAX_DOMAIN] = { "max-domain", required_argument, NULL, 0 },
		[HOST] = { "host", no_argument, NULL, 0 },
		[HELP] = { "help", no_argument, NULL, 0 },
		[VERSION_ASKED] = { "version", no_argument, NULL, 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct options wanted = { .step = KIB * KIB, .max_domain = 256 * KIB * KIB, .deadline = 30 };
	int found, which;

	while ((found = getopt_long(count, words, "", known, &which)) != -1) {
		if (found == '?')
			exit(USAGE); /* getopt has printed the error */
		const char *option = known[which].name;
		switch (which) {
		case SIZE:
			wanted.size = size(option, optarg);
			break;
		case STEP:
			wanted.step = size(option, optarg);
			break;
		case PAUSE:
			wanted.pause_ms = number(option, optarg, 0, 60000);
			break;
		case HOLD:
			wanted.hold = number(option, optarg, 0, 3600);
			break;
		case SCORE:
			wanted.score = number(option, optarg, -1000, 1000);
			wanted.score_given = true;
			break;
		case NAME:
			wanted.name = optarg;
			if (!*optarg || strlen(optarg) > NAME_BYTES)
				end_with(USAGE, "--name '%s': must have 1 to %d bytes", optarg, NAME_BYTES);
			break;
		case DEADLINE:
			wanted.deadline = number(option, optarg, 1, 3600);
			break;
		case MAX_DOMAIN:
			wanted.max_domain = size(option, optarg);
			break;
		case HOST:
			wanted.host = true;
			break;
		case HELP:
			fputs(usage, stdout);
			exit(SURVIVED);
		case VERSION_ASKED:
			puts("oom_hog " VERSION);
			exit(SURVIVED);
		}
	}
	if (optind < count)
		end_with(USAGE, "'%s': only options are allowed, see --help", words[optind]);
	if (!wanted.size)
		end_with(USAGE, "--size is missing, see --help");
	return wanted;
}

/* --- the memory domain: the memory that this program can exhaust -------------- */

/* Return the first number in a file; NO_LIMIT for "max", and if there is no number or no file. */
static unsigned long long number_in(const char *folder, const char *name)
{
	char path[3 * LINE];
	unsigned long long value = NO_LIMIT;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return NO_LIMIT;
	if (fscanf(file, "%llu", &value) != 1)
		value = NO_LIMIT;
	fclose(file);
	return value;
}

/*
 * Read the next line. One that does not fit is skipped: users choose names in
 * these files, and its end must not be taken for a line of its own.
 */
static bool next_line(char *line, int bytes, FILE *file)
{
	while (fgets(line, bytes, file)) {
		if (strchr(line, '\n'))
			return true;
		int end = getc(file);
		if (end == EOF)
			return true; /* the last line, without a line feed */
		while (end != EOF && end != '\n')
			end = getc(file);
	}
	return false;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += length)
		if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
			return true;
	return false;
}

/*
 * Find our cgroup in the hierarchy that limits memory. Version 1 lists the
 * memory controller by name, version 2 is hierarchy 0 (cgroups(7)).
 */
static bool own_cgroup(int version, char *path)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[LINE];
	bool found = false;

	if (!file)
		return false;
	while (!found && next_line(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':');
		char *cgroup = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!cgroup)
			continue;
		*cgroup++ = '\0';
		cgroup[strcspn(cgroup, "\n")] = '\0';
		found = version == 1 ? has_word(controllers + 1, "memory") : line[0] == '0' && !controllers[1];
		if (found)
			strcpy(path, cgroup);
	}
	fclose(file);
	return found;
}

/* Blanks and backslashes of mountinfo are octal escapes (proc(5)). */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (*in == '\\' && strspn(in + 1, "01234567") >= 3) {
			*out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

/* Return whether a line of mountinfo mounts this hierarchy, with the mount point and the cgroup it shows. */
static bool mounts(const char *line, int version, char *mount, char *shown)
{
	char kind[32], options[LINE];
	const char *rest = strstr(line, " - ");

	if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", shown, mount) != 2)
		return false;
	if (sscanf(rest, " - %31s %*s %4095s", kind, options) != 2)
		return false;
	unescape(shown);
	unescape(mount);
	return version == 1 ? !strcmp(kind, "cgroup") && has_word(options, "memory") : !strcmp(kind, "cgroup2");
}

static bool has_prefix(const char *path, const char *prefix, size_t length)
{
	return !strncmp(path, prefix, length) && (path[length] == '/' || path[length] == '\0');
}

/*
 * Return a cgroup's path below the one that a mount shows, or NULL if it is not
 * below: a bind mount of another cgroup, or "/.." outside our namespace.
 */
static const char *path_below(const char *cgroup, const char *shown)
{
	size_t length = strcmp(shown, "/") ? strlen(shown) : 0;

	if (!has_prefix(cgroup, shown, length) || has_prefix(cgroup + length, "/..", 3))
		return NULL;
	return strcmp(cgroup + length, "/") ? cgroup + length : "";
}

/* Return the smallest limit of this cgroup and of those above it, up to the mount point. */
static unsigned long long smallest_limit(int version, const char *mount, char *folder)
{
	unsigned long long smallest = NO_LIMIT;

	while (true) {
		unsigned long long limit = number_in(folder, version == 1 ? "memory.limit_in_bytes" : "memory.max");
		if (limit < smallest)
			smallest = limit;
		if (strlen(folder) <= strlen(mount))
			return smallest;
		*strrchr(folder, '/') = '\0';
		/* Version 1 before kernel 5.11: with 0 here, the limit does not apply to cgroups below. */
		if (version == 1 && number_in(folder, "memory.use_hierarchy") == 0)
			return smallest;
	}
}

/*
 * Find the size of our memory domain in bytes; NO_LIMIT is the whole host.
 * Return false if no mount shows our cgroup. Hybrid hosts also mount version 2,
 * without the memory controller, so version 1 comes first. A cgroup above the
 * mount point is invisible: its limit may make the domain smaller.
 */
static bool find_domain(unsigned long long *domain)
{
	char cgroup[LINE], mount[LINE], shown[LINE], folder[2 * LINE], line[2 * LINE];
	int version = own_cgroup(1, cgroup) ? 1 : 2;
	unsigned long long ram = (unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE);
	bool found = false;

	*domain = NO_LIMIT;
	if (version == 2 && !own_cgroup(2, cgroup))
		return false;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return false;
	while (next_line(line, sizeof(line), file)) {
		const char *below = mounts(line, version, mount, shown) ? path_below(cgroup, shown) : NULL;
		if (!below)
			continue;
		snprintf(folder, sizeof(folder), "%s%s", mount, below);
		if (access(folder, X_OK) != 0)
			continue;
		found = true;
		unsigned long long limit = smallest_limit(version, mount, folder);
		/* Version 1 writes "no limit" as a number far above any RAM. */
		if (limit < ram && limit < *domain)
			*domain = limit;
	}
	fclose(file);
	return found;
}

/* Return the size of the memory domain, or exit if we must not fill it. */
static unsigned long long allowed_domain(const struct options *wanted)
{
	unsigned long long domain;
	bool found = find_domain(&domain);

	if (wanted->host)
		return domain;
	if (!found)
		end_with(REFUSED, "the memory cgroup of this process cannot be found below any mount point, so its limit"
				  " is unknown: mount it, or use --host");
	if (domain == NO_LIMIT)
		end_with(REFUSED, "no memory cgroup limits this process, so the whole host would run out of memory:"
				  " start it in a limited cgroup, or use --host");
	if (domain > wanted->max_domain)
		end_with(REFUSED, "the memory domain of %llu KiB is larger than --max-domain %llu KiB", domain / KIB,
			 wanted->max_domain / KIB);
	return domain;
}

/* --- deadline and score ---------------------------------------------------------- */

/*
 * SIGALRM with its default action is fatal, and the kernel delivers a fatal
 * signal even to a task that waits at the limit of its cgroup. Its number
 * differs from the killer's signal 9.
 */
static void set_deadline(long seconds)
{
	sigset_t alarm_only;

	signal(SIGALRM, SIG_DFL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	alarm((unsigned int)seconds);
}

static long own_score(void)
{
	long score;
	FILE *file = fopen("/proc/self/oom_score_adj", "re");

	if (!file || fscanf(file, "%ld", &score) != 1)
		end_with(SCORE_NOT_SET, "/proc/self/oom_score_adj cannot be read: %s", strerror(errno));
	fclose(file);
	return score;
}

static void set_score(long score)
{
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (file < 0 || dprintf(file, "%ld", score) < 0)
		end_with(SCORE_NOT_SET, "--score %ld was denied: %s%s", score, strerror(errno),
			 errno == EACCES ? "; lowering needs CAP_SYS_RESOURCE" : "");
	close(file);
	if (own_score() != score)
		end_with(SCORE_NOT_SET, "--score %ld was written, but the kernel shows %ld", score, own_score());
}

/* --- the work --------------------------------------------------------------------- */

static void pause_for(long seconds, long milliseconds)
{
	struct timespec left = { seconds + milliseconds / 1000, milliseconds % 1000 * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		continue;
}

/*
 * Allocate memory and touch it. Every page gets another value, so that the
 * kernel cannot merge pages. Huge pages are switched off, so that one touch
 * takes one page. The memory is freed only at exit.
 */
static bool take(unsigned long long bytes)
{
	static unsigned long long pages;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (bytes > SIZE_MAX / 2)
		return false; /* more than 32 bits can address */
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	(void)madvise(memory, bytes, MADV_NOHUGEPAGE); /* fails on kernels without huge pages, which is fine */
	for (unsigned long long at = 0; at < bytes; at += page) {
		pages++;
		memcpy(memory + at, &pages, sizeof(pages)); /* a mapping consists of whole pages */
	}
	return true;
}

int main(int count, char **words)
{
	signal(SIGPIPE, SIG_IGN); /* go on if the reader ends */

	struct options wanted = parse(count, words);
	unsigned long long domain = allowed_domain(&wanted);
	unsigned long long taken = 0;

	set_deadline(wanted.deadline);
	if (wanted.name)
		prctl(PR_SET_NAME, wanted.name, 0, 0, 0);
	if (wanted.score_given)
		set_score(wanted.score);

	char domain_kb[24] = "null"; /* the whole host */
	if (domain != NO_LIMIT)
		snprintf(domain_kb, sizeof(domain_kb), "%llu", domain / KIB);
	say("{\"phase\": \"start\", \"pid\": %ld, \"name\": \"%s\", \"score\": %ld, \"size_kb\": %llu, \"domain_kb\": %s}\n",
	    (long)getpid(), quoted(wanted.name ? wanted.name : "oom_hog"), own_score(), wanted.size / KIB, domain_kb);
	while (taken < wanted.size) {
		unsigned long long step = wanted.size - taken < wanted.step ? wanted.size - taken : wanted.step;
		if (!take(step)) {
			say("{\"phase\": \"enomem\", \"kb\": %llu}\n", taken / KIB);
			return OUT_OF_MEMORY;
		}
		taken += step;
		if (wanted.pause_ms)
			pause_for(0, wanted.pause_ms);
	}
	say("{\"phase\": \"allocated\", \"kb\": %llu}\n", taken / KIB);
	pause_for(wanted.hold, 0);
	say("{\"phase\": \"survived\", \"kb\": %llu}\n", taken / KIB);
	return SURVIVED;
}
