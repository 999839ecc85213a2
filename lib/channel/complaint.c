/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/channel/complaint.h"

const char *crossvm_complaint_text(enum crossvm_complaint_kind kind)
{
	switch (kind) {
	case CROSSVM_FINE:
		return "nothing is wrong";
	case CROSSVM_BAD_MAGIC:
		return "the dataport holds something other than this kind of channel";
	case CROSSVM_BAD_VERSION:
		return "the channel in the dataport has another version";
	case CROSSVM_BAD_FLAGS:
		return "one side polls and the other sleeps";
	case CROSSVM_BAD_REGION_BYTES:
		return "the sides see dataports of different sizes";
	case CROSSVM_BAD_RING_OFFSET:
		return "the sides place the rings differently";
	case CROSSVM_BAD_RING_BYTES:
		return "the sides give the rings different sizes";
	case CROSSVM_BAD_OWN_POSITION:
		return "our own position in the dataport was overwritten";
	case CROSSVM_BAD_OWN_COUNT:
		return "our own message count in the dataport was overwritten";
	case CROSSVM_BAD_HEAD:
		return "the peer published an impossible head";
	case CROSSVM_BAD_TAIL:
		return "the peer published an impossible tail";
	case CROSSVM_BAD_START:
		return "the peer restarted at an impossible position";
	case CROSSVM_BAD_RECORD_KIND:
		return "a record is neither a message nor a pad";
	case CROSSVM_BAD_RECORD_SIZE:
		return "a record reaches beyond what was committed";
	case CROSSVM_BAD_SEQUENCE:
		return "a record's number is out of order";
	case CROSSVM_UNSTEADY:
		return "the peer keeps taking back what it published";
	case CROSSVM_COMPLAINT_KINDS:
		break;
	}
	return "unknown complaint";
}
