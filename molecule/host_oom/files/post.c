/* Copyright (c) 2026, oomguard.linux contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program of the blog post that this collection started from. It allocates 1 GiB in pieces of 4096 bytes and
 * touches one byte of each. It has no limit and no deadline: never run it outside a guest. oom_hog is the safe version.
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	for (int i = 0; i < 262144; i++) {
		char *piece = malloc(4096);
		if (!piece) {
			printf("refused after %d MiB\n", i / 256);
			return 1;
		}
		*piece = 1;
	}
	puts("got 1 GiB");
	return 0;
}
