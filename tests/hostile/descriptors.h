/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of hostile.h that take nothing but this process. */
#ifndef TESTS_HOSTILE_DESCRIPTORS_H
#define TESTS_HOSTILE_DESCRIPTORS_H

#include "hostile.h"

/* @return a descriptor, or -1 with errno. */
int descriptor_make(enum hostile_kind kind);
/* Let go of what stands behind those that were made: TCP sockets have no peer any more. */
void descriptors_forget(void);

/* Close one without waiting, also if it is the last of a TCP socket that lingers. */
void descriptor_close(int fd);
/* The same eventfd, full and blocking, as HOSTILE_FULL. */
void descriptor_fill(int event_fd);

#endif
