/* SPDX-License-Identifier: BSD-2-Clause */
/* Fake of libutils: its log is collected for tests to look at. */
#ifndef FAKE_UTILS_UTIL_H
#define FAKE_UTILS_UTIL_H

#include <inttypes.h>

__attribute__((format(printf, 1, 2))) void fake_log(const char *format, ...);

#define ZF_LOGE(...) fake_log(__VA_ARGS__)
#define ZF_LOGW(...) fake_log(__VA_ARGS__)

#endif
