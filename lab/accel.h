/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM or emulation? /dev/kvm may be there and yet run no guest (a VM without nested virtualisation,
 * for one): only a guest that has booted proves it. The lab tries, falls back, and remembers the
 * failure until the machine boots again.
 */
#ifndef CROSSVM_LAB_ACCEL_H
#define CROSSVM_LAB_ACCEL_H

#include <stdbool.h>

enum lab_accel {
	LAB_TCG,
	LAB_KVM,
};

enum lab_accel_choice {
	LAB_ACCEL_TCG, /* KVM was not asked for, is missing, or has failed before */
	LAB_ACCEL_TRY, /* KVM, with emulation to fall back to */
	LAB_ACCEL_KVM, /* KVM or nothing */
};

/*
 * Decide, and say so if it is not the fast way. $CROSSVM_ACCEL (tcg or kvm) overrides.
 *
 * @data: the folder in which a failure is remembered.
 * @return 0, or -EINVAL after saying that $CROSSVM_ACCEL makes no sense.
 */
int lab_accel_choose(const char *data, enum lab_accel_choice *choice);

void lab_accel_remember_failure(const char *data);

#endif
