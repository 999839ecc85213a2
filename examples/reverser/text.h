/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What reverse and reverser put into their dataport: one line of text each way. The peer may change
 * it at any moment, so both copy it out before they look at it.
 */
#ifndef EXAMPLES_REVERSER_TEXT_H
#define EXAMPLES_REVERSER_TEXT_H

#include <string.h>

#define TEXT_BYTES 1024

struct text_pair {
	char question[TEXT_BYTES];
	char answer[TEXT_BYTES];
};

/* Copy a peer's text, whatever it holds, into a string of at most TEXT_BYTES - 1 characters. */
static inline size_t text_take(char *to, const char *from)
{
	memcpy(to, from, TEXT_BYTES);
	to[TEXT_BYTES - 1] = '\0';
	return strlen(to);
}

#endif
