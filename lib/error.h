/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sentence behind crossvm_last_error(), one per thread.
 */
#ifndef CROSSVM_LIB_ERROR_H
#define CROSSVM_LIB_ERROR_H

/* Keep a sentence. Leaves errno alone. */
__attribute__((format(printf, 1, 2))) void crossvm_explain(const char *format, ...);

/*
 * Keep a sentence and give the error, so that a failing function ends with one statement. A macro,
 * for the sake of static analysers: it shows them that the result is the error.
 */
#define crossvm_fail(error, ...) (crossvm_explain(__VA_ARGS__), (error))

/* The same for a static sentence, without formatting: for what callers see all the time. */
int crossvm_fail_fixed(int error, const char *sentence);

#endif
