/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <stdio.h>

/* argv[1]: docs/system-file.md, whose first yaml block is the sample. */
int main(int argc, char **argv)
{
	static char text[65536];
	struct crossvm_system *system = NULL;
	char *message = NULL;
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	char *begin;
	char *end;
	int error;

	if (file == NULL)
		return 1;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	begin = strstr(text, "```yaml\n");
	end = begin == NULL ? NULL : strstr(begin + 8, "```");
	if (end == NULL)
		return 1;
	*end = '\0';
	begin += 8;
	error = crossvm_system_parse("sample", NULL, begin, strlen(begin), &system, &message);
	if (error)
		fprintf(stderr, "%s\n", message);
	free(message);
	crossvm_system_free(system);
	return error != 0;
}
