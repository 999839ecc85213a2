/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CROSSVM_LIB_CHANNEL_COMPLAINT_H
#define CROSSVM_LIB_CHANNEL_COMPLAINT_H

#include <crossvm/channel.h>

/* Keep the first complaint; it is the cause of the later ones. Returns -CROSSVM_EPROTO. */
static inline int complain(struct crossvm_complaint *complaint, enum crossvm_complaint_kind kind,
			   uint64_t ours, uint64_t theirs)
{
	if (complaint->kind == CROSSVM_FINE) {
		complaint->kind = kind;
		complaint->ours = ours;
		complaint->theirs = theirs;
	}
	return -CROSSVM_EPROTO;
}

#endif
