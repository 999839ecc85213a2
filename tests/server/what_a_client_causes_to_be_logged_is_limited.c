/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "server/log.h"
#include "server/strikes.h"

#define BURST 10

struct book {
	unsigned int count;
	enum crossvm_log_level level;
	char last[200];
	char before[200];
};

static void note(void *context, enum crossvm_log_level level, const char *message)
{
	struct book *book = context;

	book->count++;
	book->level = level;
	memcpy(book->before, book->last, sizeof(book->before));
	snprintf(book->last, sizeof(book->last), "%s", message);
}

static void a_burst_is_let_through_and_the_rest_counted(void **state)
{
	struct book book = {0};
	const struct server_log log = {.function = note, .context = &book};
	struct log_limit limit = {0}, another = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		log_limited(&log, &limit, CROSSVM_LOG_WARNING, "message %d", i);
	assert_int_equal(book.count, BURST);
	assert_string_equal(book.last, "message 9");
	assert_int_equal(limit.suppressed, 90);

	/* Others have limits of their own, and what nobody causes has none. */
	log_limited(&log, &another, CROSSVM_LOG_ERROR, "%s", "another");
	assert_string_equal(book.last, "another");
	assert_int_equal(book.level, CROSSVM_LOG_ERROR);
	server_log(&log, CROSSVM_LOG_INFO, "%s", "own");
	assert_string_equal(book.last, "own");
	assert_int_equal(book.count, BURST + 2);

	/* A second later there is one more, after how many were left out. */
	limit.since_ms -= 1000;
	log_limited(&log, &limit, CROSSVM_LOG_WARNING, "message %d", 100);
	assert_int_equal(book.count, BURST + 4);
	assert_string_equal(book.last, "message 100");
	assert_non_null(strstr(book.before, "90 messages"));
	log_limited(&log, &limit, CROSSVM_LOG_WARNING, "message %d", 101);
	assert_int_equal(book.count, BURST + 4);
	assert_int_equal(limit.suppressed, 1);
}

/* A limit in the arena that is quiet for long allows a burst again, and no more. */
static void quiet_is_not_saved_up(void **state)
{
	struct book book = {0};
	const struct server_log log = {.function = note, .context = &book};
	struct log_limit limit = {0};

	(void)state;
	for (int i = 0; i < 20; i++)
		log_limited(&log, &limit, CROSSVM_LOG_WARNING, "first");
	limit.since_ms -= 3600000;
	book.count = 0;
	limit.suppressed = 0;
	for (int i = 0; i < 20; i++)
		log_limited(&log, &limit, CROSSVM_LOG_WARNING, "second");
	assert_int_equal(book.count, BURST);
}

static void who_holds_us_up_again_and_again_is_out_for_a_while(void **state)
{
	struct strikes strikes = {0};

	(void)state;
	for (unsigned int i = 0; i < STRIKES; i++) {
		assert_false(is_struck_out(&strikes));
		strike(&strikes);
	}
	assert_true(is_struck_out(&strikes));
	strikes.since -= STRIKES_SECONDS;
	assert_false(is_struck_out(&strikes));
	strike(&strikes);
	assert_false(is_struck_out(&strikes));
	assert_int_equal(strikes.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_let_through_and_the_rest_counted),
		cmocka_unit_test(quiet_is_not_saved_up),
		cmocka_unit_test(who_holds_us_up_again_and_again_is_out_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
